package websocket

import (
	"errors"
	"net/http"
	"runtime/debug"

	"github.com/d74363f0/strand"
)

// strandConn is a Conn as its strand.Conn sees it: the same object with another
// set of methods, so that those are not exported.
type strandConn Conn

var (
	_ strand.Handler        = (*strandConn)(nil)
	_ strand.TimeoutHandler = (*strandConn)(nil)
)

// open makes sc the connection's transport and tells the handler. It runs on the
// strand, after the handshake and before anything is read.
func (c *Conn) open(sc *strand.Conn) {
	c.sc = sc
	sc.SetHandler((*strandConn)(c))
	sc.SetIdleTimeout(0)
	sc.SetMaxQueued(c.o.transportLimit())
	sc.SetWriteTimeout(c.o.writeTimeout())
	c.startTimer()
	done := false
	defer c.guard(&done)
	c.h.OnOpen(c)
	done = true
}

// OnOpen is never called: the handler is set on connections that are open.
func (s *strandConn) OnOpen(*strand.Conn) {}

// OnReadable reads what has arrived.
func (s *strandConn) OnReadable(*strand.Conn) {
	c := (*Conn)(s)
	done := false
	defer c.guard(&done)
	c.read()
	done = true
}

// OnDrained sends what was held back, and tells the handler.
func (s *strandConn) OnDrained(*strand.Conn) {
	c := (*Conn)(s)
	c.mu.Lock()
	c.pumpLocked()
	// What waits behind a Writer, waits for its end and not for the peer.
	more := c.x != nil && len(c.x.pending.list) > 0 && !c.x.streaming
	c.mu.Unlock()
	h, ok := c.h.(DrainHandler)
	if !ok || more || c.state.Load() != stateOpen {
		return
	}
	done := false
	defer c.guard(&done)
	h.OnDrained(c)
	done = true
}

// OnTimeout is the connection's one timer, and a slow reader's end.
func (s *strandConn) OnTimeout(_ *strand.Conn, t strand.Timeout) bool {
	c := (*Conn)(s)
	if t != strand.TimeoutTimer {
		return false
	}
	done := false
	defer c.guard(&done)
	c.tick()
	done = true
	return true
}

// OnClose tells the handler that all is over.
func (s *strandConn) OnClose(_ *strand.Conn, err error) {
	c := (*Conn)(s)
	c.mu.Lock()
	end := c.endLocked(err)
	c.advanceLocked(stateClosed)
	var after []func()
	if c.x != nil {
		after = c.x.onClosed
		c.x.onClosed, c.x.pong = nil, nil
		c.discardLocked()
		c.x.endStream()
	}
	c.mu.Unlock()
	c.in = nil
	for _, f := range after {
		c.closed(f)
	}
	c.h.OnClose(c, end)
}

// closed calls a function of OnClosed. What it does is nothing to the others.
func (c *Conn) closed(f func()) {
	done := false
	defer c.guard(&done)
	f()
	done = true
}

// endLocked returns why the connection ended, given what its transport says.
func (c *Conn) endLocked(err error) *CloseError {
	local := errors.Is(err, strand.ErrWriteTimeout)
	if err == nil { // the engine was closed
		err, local = ErrClosed, true
	}
	c.unansweredLocked(err)
	if c.end != nil {
		return c.end
	}
	c.end = &CloseError{Code: Abnormal, Cause: err, Local: local}
	return c.end
}

// guard is deferred around calls of the handler. Unless *done, the handler
// panicked, or ended its goroutine, and the connection is failed (hazard 111).
func (c *Conn) guard(done *bool) {
	if *done {
		return
	}
	r := recover()
	if r != nil && r != http.ErrAbortHandler {
		c.o.logger().Error("websocket: panic in a handler",
			"conn", c.sc.ID(), "panic", r, "stack", string(debug.Stack()))
	}
	c.fail(Internal, "", errPanic)
}
