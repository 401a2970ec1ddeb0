//go:build linux && !strand_std

package poll

import (
	"encoding/binary"
	"errors"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Native reports whether Open returns a backend that watches descriptors.
const Native = true

// batch is how many events one epoll_wait fetches at the most.
const batch = 256

// wakeToken is the token of the eventfd; no slot has this index.
const wakeToken = ^uint64(0)

// Epoll is the Linux backend. It waits for its epoll descriptor in Go's own
// poller in place of blocking a thread in epoll_wait: measured equal or better
// at every load (docs/design.md).
type Epoll struct {
	fd     int
	wakefd int
	file   *os.File // owns fd, and registers it with Go's poller
	raw    syscall.RawConn
	buf    [batch]unix.EpollEvent

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
	p := &Epoll{fd: fd, wakefd: -1, file: os.NewFile(uintptr(fd), "epoll")}
	if err := p.open(); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Epoll) open() error {
	raw, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	p.raw = raw
	p.fetch = func(fd uintptr) bool {
		p.n, p.err = p.wait0(int(fd))
		return p.n > 0 || p.err != nil
	}
	p.wakefd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	// Edge-triggered: every write is a new edge, and nobody need read the counter.
	return p.ctl(unix.EPOLL_CTL_ADD, p.wakefd, unix.EPOLLIN|unix.EPOLLET, wakeToken)
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
		if err := p.raw.Read(p.fetch); err != nil {
			return 0, err
		}
		n, err = p.n, p.err
	}
	if err != nil {
		return 0, err
	}
	out := 0
	for i := range p.buf[:n] {
		ev := &p.buf[i]
		token := *(*uint64)(unsafe.Pointer(&ev.Fd))
		if token == wakeToken {
			continue
		}
		events[out] = Event{Token: token, Ready: ready(ev.Events)}
		out++
	}
	return out, nil
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

// one is the value an eventfd is woken with.
var one = binary.NativeEndian.AppendUint64(nil, 1)

// Wake implements Poller.
func (p *Epoll) Wake() error {
	for {
		_, err := unix.Write(p.wakefd, one)
		if err == nil || err == unix.EAGAIN { // EAGAIN: the counter is full, so an edge is pending
			return nil
		}
		if err != unix.EINTR {
			return os.NewSyscallError("write", err)
		}
	}
}

// Close implements Poller.
func (p *Epoll) Close() error {
	err := p.file.Close()
	if p.wakefd >= 0 {
		err = errors.Join(err, unix.Close(p.wakefd))
	}
	return err
}
