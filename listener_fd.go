//go:build linux && !strand_std

package strand

import (
	"net"
	"syscall"
	"time"

	"github.com/d74363f0/strand/internal/loop"
	"github.com/d74363f0/strand/internal/poll"
	"github.com/d74363f0/strand/internal/sock"
)

// acceptBatch is how many connections one turn of a listener accepts.
const acceptBatch = 64

// fdListener accepts on an event loop from a duplicate of the listener's
// descriptor.
type fdListener struct {
	l       *Listener
	lp      *shard
	fd      sock.FD
	token   uint64
	raw     syscall.RawConn // of the listener whose descriptor was duplicated
	pause   time.Duration
	pausing bool
	ready   bool // in the ready list
}

// startFD moves accepting to a loop if the listener is the kernel's.
func (l *Listener) startFD() (bool, error) {
	sc, ok := l.ln.(syscall.Conn)
	if !ok {
		return false, nil
	}
	simulated, _ := l.ln.(sock.Simulated)
	switch l.ln.(type) {
	case *net.TCPListener, *net.UnixListener:
	default:
		if simulated == nil {
			return false, nil
		}
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false, err
	}
	// The engine may close the listener at this moment: it then finds nothing, or
	// an fdListener whose attach is posted.
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &l.fdl
	if simulated != nil {
		sys, fd, _ := simulated.Simulated()
		f.fd.Init(sys, fd)
	} else {
		fd, err := sock.Dup(raw)
		if err != nil {
			return false, err
		}
		f.fd.Init(nil, fd)
	}
	f.l, f.lp = l, l.e.pick()
	if _, ok := l.ln.(*net.TCPListener); ok {
		l.inherit()
	}
	f.raw = raw
	f.lp.Post(f.attach)
	return true, nil
}

// inherit sets on the listening socket the options that accepted ones take
// over from it, which saves system calls for every connection.
func (l *Listener) inherit() {
	_ = l.fdl.fd.NoDelay(true)
	if s := int((l.e.opts.KeepAlive + time.Second - 1) / time.Second); s > 0 {
		_ = l.fdl.fd.KeepAlive(s, s)
	}
}

func (l *Listener) stopFD() {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &l.fdl
	if f.lp != nil && f.fd.Retire() {
		f.lp.Drop(f)
	}
}

func (f *fdListener) attach() {
	f.token = f.lp.Link(f)
	err := sock.ErrRetired
	if e := f.fd.Number(func(fd int) { err = f.lp.Watch(fd, f.token) }); e != nil {
		err = e
	}
	if err != nil && f.fd.Retire() {
		f.l.end(err)
		f.lp.Drop(f)
	}
	if !f.l.own {
		f.lp.Arm(f.token, f.lp.Tick(closedCheck))
	}
}

// Event implements loop.Source.
func (f *fdListener) Event(poll.Ready) bool {
	if f.pausing {
		return true
	}
	return f.acceptSome()
}

// Run implements loop.Source.
func (f *fdListener) Run() bool {
	f.ready = false
	return f.acceptSome()
}

// closedCheck is how often a listener looks whether its user has closed the
// net.Listener that it was made from: our duplicate would go on, and package
// net tells nobody.
const closedCheck = 50 * time.Millisecond

// Expire implements loop.Source: the pause after a failure is over, or it is
// time to look whether the user closed the listener.
func (f *fdListener) Expire(uint32) bool {
	if f.raw.Control(func(uintptr) {}) != nil {
		f.l.stopFD()
		return true
	}
	if !f.l.own {
		f.lp.Arm(f.token, f.lp.Tick(closedCheck))
	}
	if !f.pausing {
		return true
	}
	f.pausing = false
	return f.acceptSome()
}

// Deferred implements loop.Source; a listener puts nothing off.
func (f *fdListener) Deferred() {}

// Ahead implements loop.Source: nor does it begin anything early.
func (f *fdListener) Ahead(poll.Ready) bool { return false }

// Replaced implements loop.Source; no user code runs in a listener.
func (f *fdListener) Replaced() {}

// Unlink implements loop.Source.
func (f *fdListener) Unlink() bool {
	if f.token != 0 {
		_ = f.lp.Unwatch(f.fd.Owned())
		f.lp.Unlink(f.token)
	}
	f.lp.AtEnd(func() {
		f.fd.Release()
		f.l.end(net.ErrClosed)
	})
	return true
}

func (f *fdListener) acceptSome() bool {
	for range acceptBatch {
		fd, peer, err := f.fd.Accept()
		if err == nil {
			f.pause = 0
			f.l.opened(fd, peer)
			continue
		}
		switch err {
		case syscall.EAGAIN, sock.ErrRetired:
			return true
		}
		if !perConn(err) {
			f.rest(err)
			return true
		}
	}
	if !f.ready {
		f.ready = true
		f.lp.Again(f)
	}
	return true
}

// rest pauses accepting after an error that concerns the process or the
// system, EMFILE for one.
func (f *fdListener) rest(err error) {
	f.pause = f.l.backOff(f.pause, err)
	f.pausing = true
	f.lp.Arm(f.token, f.lp.Tick(f.pause))
}

// perConn reports whether an error of accept(2) concerns only the connection
// that would have been returned (hazard 133).
func perConn(err error) bool {
	switch err {
	case syscall.ECONNABORTED, syscall.EPROTO, syscall.EPERM, syscall.ENETDOWN, syscall.ENOPROTOOPT,
		syscall.EHOSTDOWN, syscall.ENONET, syscall.EHOSTUNREACH, syscall.EOPNOTSUPP, syscall.ENETUNREACH, syscall.ECONNRESET:
		return true
	}
	return false
}

// opened takes an accepted descriptor to its loop.
func (l *Listener) opened(fd int, peer sock.Addr) {
	lp := l.e.pick()
	lp.accepted.Add(1)
	if err := l.e.enter(lp); err != nil {
		var f sock.FD
		f.Init(l.fdl.fd.System(), fd)
		f.Retire()
		f.Release()
		return
	}
	c := newConn(lp, &acceptor{l.accept})
	c.lsn = l
	c.setPeer(peer)
	c.link.fd.Init(l.fdl.fd.System(), fd)
	if lp == l.fdl.lp {
		c.attach()
		return
	}
	lp.Post(c.attach)
}

var _ loop.Source = (*fdListener)(nil)
