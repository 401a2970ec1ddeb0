package strand

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// NetConn turns the connection into a blocking net.Conn and returns it: from
// now on there are no callbacks but OnClose and what Post is given, and whoever holds the net.Conn
// reads and writes and closes. What Unread gave back is read first. Timeouts
// and PauseRead are switched off. Strand only; the net.Conn may be used at
// once, also in the callback, and for as long as one likes. Whoever asks again
// gets the same.
func (c *Conn) NetConn() net.Conn {
	r := c.reader()
	if r.view != nil {
		return r.view
	}
	c.idleFor.Store(0)
	c.writeFor.Store(0)
	c.readBy.Store(0)
	c.timerAt.Store(0)
	c.clear(stPaused | stTimeouts | stDrained)
	c.state.Or(stOwned)
	if t := c.tls.Load(); t != nil {
		if hs := t.hs.Load(); hs != nil { // a peer that speaks no TLS, and Plain was not called yet
			t.strip(hs)
		}
	}
	if t := c.tls.Load(); t != nil {
		t.begin(true)
		r.view = &tlsNetConn{netConn{c: c}}
	} else if c.TLS() != nil { // below a net.Conn
		r.view = &tlsNetConn{netConn{c: c}}
	} else {
		r.view = &netConn{c: c}
	}
	return r.view
}

// tlsNetConn is the view of a connection that speaks TLS. It has the method by
// which the users of a net.Conn find out.
type tlsNetConn struct{ netConn }

// ConnectionState returns the state of the session, the zero one during the
// handshake.
func (n *tlsNetConn) ConnectionState() tls.ConnectionState {
	if s := n.c.TLS(); s != nil {
		return *s
	}
	return tls.ConnectionState{}
}

// netConn is the blocking view. Reads are serialised by rmu, as the strand
// serialised them before.
type netConn struct {
	c      *Conn
	rmu    sync.Mutex
	wmu    sync.Mutex  // one Write at a time, whole
	closed atomic.Bool // by Close: from then on no other end is told
	rd, wd deadline
}

func (n *netConn) Read(p []byte) (int, error) {
	n.rmu.Lock()
	defer n.rmu.Unlock()
	c := n.c
	for {
		expired := n.rd.wait()
		if isClosed(expired) {
			return 0, n.timeout("read")
		}
		if len(p) == 0 {
			return 0, nil
		}
		if !c.opened() {
			return 0, n.ended("read", errClosed)
		}
		c.budget = readBudget
		got, err := c.Read(p)
		if err != ErrWouldBlock {
			return got, n.ended("read", err)
		}
		c.clear(stReadT) // the deadline of the Conn, not of the view: nobody else takes it, and a reader would not park
		if !c.waitRead(expired) {
			return 0, n.timeout("read")
		}
	}
}

// writePiece is how much Write queues at a time, bytes.
const writePiece = 64 << 10

func (n *netConn) Write(p []byte) (int, error) {
	n.wmu.Lock()
	defer n.wmu.Unlock()
	done := 0
	for {
		expired := n.wd.wait()
		if isClosed(expired) {
			return done, n.timeout("write")
		}
		k, err := n.c.Write(p[done:min(len(p), done+writePiece)])
		done += k
		if err == nil && done < len(p) {
			continue
		}
		if err != ErrQueueFull {
			return done, n.ended("write", err)
		}
		err = n.c.waitWrite(expired, func() error { return n.timeout("write") })
		if err != nil {
			return done, n.ended("write", err)
		}
	}
}

// ended returns what ended the connection in place of net.ErrClosed, which would say that
// its owner had closed it: a handshake that failed, for one.
func (n *netConn) ended(op string, err error) error {
	if err != errClosed || n.closed.Load() {
		return err
	}
	why := n.c.reason()
	switch {
	case why == nil:
		return err
	case why == io.EOF && op == "read":
		return why
	case errors.As(why, new(*net.OpError)):
		return why
	}
	return &net.OpError{Op: op, Net: n.c.link.network(n.c.peer.kind), Addr: n.c.RemoteAddr(), Err: why}
}

func (n *netConn) timeout(op string) error {
	return &net.OpError{Op: op, Net: n.c.link.network(n.c.peer.kind), Addr: n.c.RemoteAddr(), Err: os.ErrDeadlineExceeded}
}

// Close also ends a Read that waits, at once: what is queued may take longer; see
// Conn.Close.
func (n *netConn) Close() error {
	n.closed.Store(true)
	err := n.c.Close()
	n.c.wakeReader()
	return err
}

func (n *netConn) CloseWrite() error    { return n.c.CloseWrite() }
func (n *netConn) LocalAddr() net.Addr  { return n.c.LocalAddr() }
func (n *netConn) RemoteAddr() net.Addr { return n.c.RemoteAddr() }

func (n *netConn) SetDeadline(t time.Time) error {
	n.rd.set(t)
	n.wd.set(t)
	return n.open()
}

func (n *netConn) SetReadDeadline(t time.Time) error {
	n.rd.set(t)
	return n.open()
}

func (n *netConn) SetWriteDeadline(t time.Time) error {
	n.wd.set(t)
	return n.open()
}

func (n *netConn) open() error {
	if !n.c.alive() {
		return errClosed
	}
	return nil
}

// deadline is a point in time that many can wait for and anyone can move.
type deadline struct {
	mu     sync.Mutex
	timer  *time.Timer
	cancel chan struct{} // closed when the deadline has passed
}

// set moves the deadline to t; the zero Time removes it.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() && d.cancel != nil {
		<-d.cancel // it is firing: it closes this one, not the next
	}
	d.timer = nil
	if d.cancel == nil || isClosed(d.cancel) {
		d.cancel = make(chan struct{})
	}
	if t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		close(d.cancel)
		return
	}
	cancel := d.cancel
	d.timer = time.AfterFunc(left, func() { close(cancel) })
}

// wait returns a channel that is closed when the deadline passes; nil if there
// never was one.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cancel == nil {
		// A reader may wait while another goroutine sets the first deadline.
		d.cancel = make(chan struct{})
	}
	return d.cancel
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
