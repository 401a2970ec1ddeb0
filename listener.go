package strand

import (
	"errors"
	"net"
	"sync"
	"time"
)

// Listener accepts connections for an Engine.
type Listener struct {
	e      *Engine
	ln     net.Listener // the caller's, or the one Listen made
	own    bool         // Listen made it: nobody else closes it
	accept func(*Conn) Handler
	fdl    fdListener // how connections are accepted from a descriptor, where that is possible

	mu   sync.Mutex // also keeps closing from meeting a half-made fdl
	err  error      // mu: why accepting ended
	over bool       // mu
	done chan struct{}
	quit chan struct{} // closed by Close
	once sync.Once     // closes it
}

// Listen announces addr on the network "tcp", "tcp4", "tcp6" or "unix" and
// accepts connections. accept is called as the first callback of each new
// connection and returns its Handler, whose OnOpen follows; nil aborts the
// connection: its client sees a reset.
func (e *Engine) Listen(network, addr string, accept func(*Conn) Handler) (*Listener, error) {
	ln, err := net.Listen(network, addr)
	if err != nil {
		return nil, err
	}
	return e.adoptListener(&Listener{ln: ln, own: true, accept: accept})
}

// AdoptListener accepts connections from ln until it is closed, or Close is
// called, which closes ln too.
func (e *Engine) AdoptListener(ln net.Listener, accept func(*Conn) Handler) (*Listener, error) {
	return e.adoptListener(&Listener{ln: ln, accept: accept})
}

func (e *Engine) adoptListener(l *Listener) (*Listener, error) {
	ln := l.ln
	l.e, l.done, l.quit = e, make(chan struct{}), make(chan struct{})
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil, errors.Join(ErrEngineClosed, ln.Close())
	}
	e.listeners[l] = struct{}{}
	e.mu.Unlock()
	native, err := l.startFD()
	if err != nil {
		l.end(err)
		return nil, errors.Join(err, ln.Close())
	}
	if !native {
		go l.acceptStd()
	}
	return l, nil
}

// Addr returns the address that connections come to.
func (l *Listener) Addr() net.Addr { return l.ln.Addr() }

// Done is closed when accepting has ended.
func (l *Listener) Done() <-chan struct{} { return l.done }

// Err returns why accepting ended, after Done: net.ErrClosed after Close.
func (l *Listener) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Close stops accepting. Connections that were accepted live on.
func (l *Listener) Close() error {
	err := l.ln.Close()
	l.once.Do(func() { close(l.quit) })
	l.stopFD()
	return err
}

// end records why accepting ended, once.
func (l *Listener) end(err error) {
	l.mu.Lock()
	first := !l.over
	if first {
		l.over = true
		l.err = err
	}
	l.mu.Unlock()
	if !first {
		return
	}
	l.e.mu.Lock()
	delete(l.e.listeners, l)
	l.e.mu.Unlock()
	close(l.done)
}

// The pause after a failed accept, doubled from one failure to the next.
const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// acceptStd accepts from a listener that is not the kernel's.
func (l *Listener) acceptStd() {
	var pause time.Duration
	for {
		nc, err := l.ln.Accept()
		if err == nil {
			pause = 0
			lp := l.e.pick()
			lp.accepted.Add(1)
			_, _ = l.e.adopt(nc, &acceptor{l.accept}, lp, l) // on an error nc is closed: all that can be said to the peer
			continue
		}
		if !isTemporary(err) {
			l.end(err)
			return
		}
		pause = l.backOff(pause, err)
		select {
		case <-time.After(pause):
		case <-l.quit:
			l.end(net.ErrClosed)
			return
		}
	}
}

// backOff returns the next pause and logs once a period (hazard 131).
func (l *Listener) backOff(pause time.Duration, err error) time.Duration {
	l.e.acceptErrors.Add(1)
	if pause == 0 {
		pause = acceptPauseMin
	} else {
		pause = min(2*pause, acceptPauseMax)
	}
	now := l.e.clock()
	if last := l.e.acceptLogged.Load(); last == 0 || now-last > int64(acceptPauseMax) {
		if l.e.acceptLogged.CompareAndSwap(last, now) {
			l.e.opts.Logger.Warn("strand: accept failed; trying again", "listener", l.ln.Addr().String(), "err", err, "pause", pause)
		}
	}
	return pause
}

func isTemporary(err error) bool {
	var ne interface{ Temporary() bool }
	return errors.As(err, &ne) && ne.Temporary() && !errors.Is(err, net.ErrClosed)
}

// acceptor is the Handler of a connection that has none yet: its OnOpen asks
// the listener's user for one, inside the strand.
type acceptor struct{ accept func(*Conn) Handler }

func (a *acceptor) OnOpen(c *Conn) {
	h := a.accept(c)
	if h == nil {
		_ = c.Abort()
		return
	}
	c.setHandler(h)
	h.OnOpen(c)
}

func (a *acceptor) OnReadable(c *Conn)   { _ = c.Abort() }
func (a *acceptor) OnDrained(*Conn)      {}
func (a *acceptor) OnClose(*Conn, error) {}
