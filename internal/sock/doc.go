// Package sock is a descriptor that cannot be used after close, and the system
// calls strand makes on it. Together with internal/poll it is the only package
// that touches the kernel, and a Kernel can stand in the kernel's place in
// tests.
//
// Every use of a descriptor's number stands between a reference taken and a
// reference given back; close(2) is made by whoever gives back the last one
// (rule R3). A connection's end has three steps: Retire (any goroutine: new
// calls get ErrRetired), the poller's delete (its loop), Release (its loop,
// after the batch of events that might still name the descriptor).
package sock

import (
	"errors"
	"syscall"
)

// ErrRetired is returned for every call on a descriptor that was retired.
var ErrRetired = errors.New("sock: use of a retired descriptor")

// Kernel is what a simulated kernel does in place of the machine's. Read
// returns memory of its own and Write gets a string, so that the caller's
// memory never escapes through this interface on the way to the real kernel.
type Kernel interface {
	Read(fd, max int) ([]byte, syscall.Errno)
	Write(fd int, p string) (int, syscall.Errno)
	Accept(fd int) (nfd int, peer Addr, errno syscall.Errno)
	Shutdown(fd, how int) syscall.Errno
	Unacked(fd int) int
	Reset(fd int) // makes the close that follows send RST in place of FIN
	Close(fd int) syscall.Errno
}

// System names the kernel a descriptor belongs to; a nil System is the
// machine's.
type System struct{ Kernel Kernel }

// Addr is the address of a peer in 24 bytes, so that an idle connection need
// not hold a net.Addr.
type Addr struct {
	IP   [16]byte
	Zone uint32
	Port uint16
	Kind Family
}

// Family says what an Addr holds.
type Family uint8

// The families of an Addr.
const (
	None Family = iota
	IPv4
	IPv6
	Unix
)

// Piece is the most one read or write moves, in bytes. The calls are made
// without telling the scheduler, which is right only while they are short.
const Piece = 128 << 10
