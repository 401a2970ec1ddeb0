//go:build linux && !strand_std

package poll

import (
	"errors"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Native reports whether Open returns a backend that watches descriptors.
const Native = true

// batch is how many events one epoll_wait fetches at the most.
const batch = 256

// Epoll is the Linux backend. It waits for its epoll descriptor in Go's own
// poller in place of blocking a thread in epoll_wait: measured equal or better
// at every load (docs/design.md).
type Epoll struct {
	fd   int
	file *os.File // owns fd, and registers it with Go's poller
	raw  syscall.RawConn
	buf  [batch]unix.EpollEvent

	// fetch's results, kept here so that its closure is made once.
	n     int
	max   int
	err   error
	fetch func(fd uintptr) bool
}

// Open returns the platform's backend.
func Open() (Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // else os.NewFile would not poll it
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &Epoll{fd: fd, file: os.NewFile(uintptr(fd), "epoll")}
	raw, err := p.file.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.raw = raw
	p.fetch = func(fd uintptr) bool {
		p.n, p.err = p.wait0(int(fd))
		return p.n > 0 || p.err != nil
	}
	return p, nil
}

func (p *Epoll) ctl(op, fd int, events uint32, token uint64) error {
	ev := unix.EpollEvent{Events: events}
	*(*uint64)(unsafe.Pointer(&ev.Fd)) = token // Fd and Pad are the kernel's 64 bits of data
	for {
		err := unix.EpollCtl(p.fd, op, fd, &ev)
		if err != unix.EINTR {
			return os.NewSyscallError("epoll_ctl", err)
		}
	}
}

// Add implements Poller.
func (p *Epoll) Add(fd int, token uint64) error {
	return p.ctl(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLET, token)
}

// Delete implements Poller.
func (p *Epoll) Delete(fd int) error { return p.ctl(unix.EPOLL_CTL_DEL, fd, 0, 0) }

// Wait implements Poller.
func (p *Epoll) Wait(events []Event, block bool) (int, error) {
	p.max = min(len(events), batch)
	n, err := p.wait0(p.fd)
	if n == 0 && err == nil && block {
		n, err = p.wait()
	}
	if err != nil {
		return 0, err
	}
	for i := range p.buf[:n] {
		ev := &p.buf[i]
		token := *(*uint64)(unsafe.Pointer(&ev.Fd))
		events[i] = Event{Token: token, Ready: ready(ev.Events)}
	}
	return n, nil
}

// wait waits for events or a Wake.
func (p *Epoll) wait() (int, error) {
	err := p.raw.Read(p.fetch)
	if err == nil {
		return p.n, p.err
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, err
	}
	// Woken. A Wake that comes before the deadline is off is not lost: this returns.
	if err := p.file.SetReadDeadline(time.Time{}); err != nil {
		return 0, err
	}
	return p.wait0(p.fd)
}

// wait0 asks without waiting. It is a raw system call: with a timeout of 0 it
// cannot block, so the scheduler need not know.
func (p *Epoll) wait0(fd int) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(fd),
			uintptr(unsafe.Pointer(&p.buf[0])), uintptr(p.max), 0, 0, 0)
		if errno == 0 {
			return int(n), nil
		}
		if errno != syscall.EINTR {
			return 0, os.NewSyscallError("epoll_wait", errno)
		}
	}
}

func ready(events uint32) Ready {
	var r Ready
	if events&unix.EPOLLIN != 0 {
		r |= Readable
	}
	if events&unix.EPOLLOUT != 0 {
		r |= Writable
	}
	if events&unix.EPOLLRDHUP != 0 {
		r |= Hangup | Readable
	}
	if events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		r |= Dead | Hangup | Readable | Writable
	}
	return r
}

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// Wake implements Poller: it ends the wait in Go's poller as a deadline would, which
// makes the waiting goroutine runnable at once and costs no system call. An eventfd
// would be seen only when the scheduler next looks at its descriptors.
func (p *Epoll) Wake() error { return p.file.SetReadDeadline(past) }

// Look implements Poller.
func (p *Epoll) Look() error {
	fds := [1]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
	var now unix.Timespec // does not wait
	n, _, _ := syscall.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	if int(n) != 1 {
		return nil // nothing, or an error that the next Wait will report
	}
	return p.Wake()
}

// Close implements Poller.
func (p *Epoll) Close() error { return p.file.Close() }
