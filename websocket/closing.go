package websocket

import (
	"time"

	"github.com/d74363f0/strand/internal/ws"
)

// The states of a connection. They only ever go up.
//
//	open    -> closing  we sent a close frame, and wait for the peer's
//	open    -> ending   the peer's close frame came and was answered, or we failed
//	                    the connection: what still comes is thrown away
//	closing -> ending   the peer's close frame came, or we failed the connection
//	any     -> closed   the transport has ended
const (
	stateOpen uint32 = iota
	stateClosing
	stateEnding
	stateClosed
)

// advanceLocked changes the state. Behind an unfinished streamed message nothing is
// sent any more once the connection is not open: who waits for its end is told, for
// a callback that waits also keeps the peer's answer and the timer from being seen. So
// are those who wait for room.
func (c *Conn) advanceLocked(state uint32) {
	c.state.Store(state)
	if c.x == nil {
		return
	}
	if c.x.streaming {
		c.discardLocked()
		c.x.endStream()
	}
	if c.x.unwait != nil {
		c.x.unwait()
	}
}

// lingerTime is how long what a failed peer still sends is read and thrown away.
// Closing with unread input would make the kernel reset the connection, and
// the peer lose our close frame.
const lingerTime = time.Second

// Close starts the closing handshake with code Normal. It returns at once: what
// is queued is sent first, to a peer that takes some of it every Options.WriteTimeout
// (CloseTimeout if that is none). When all is with the kernel, the peer has
// Options.CloseTimeout, and an eighth or 50 ms, to answer, anew whenever it acknowledges some of what it
// has not yet; OnClose is called when all is over. A message that a Writer has begun is not
// ended, and what waits behind it is not sent. Close after Close is harmless.
func (c *Conn) Close() error {
	err := c.WriteClose(Normal, "")
	if err == ErrClosed {
		return nil
	}
	return err
}

// WriteClose starts the closing handshake with a code and a reason of at most
// 123 bytes. Code NoStatus, without a reason, sends neither. See Close.
func (c *Conn) WriteClose(code Code, reason string) error {
	if len(reason) > ws.MaxReason {
		return ErrCloseFrame
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Load() != stateOpen {
		return ErrClosed
	}
	return c.closeLocked(&CloseError{Code: code, Reason: reason, Local: true})
}

// closeLocked sends a close frame and waits for the peer's.
func (c *Conn) closeLocked(end *CloseError) error {
	if err := c.sendCloseLocked(end.Code, end.Reason); err != nil {
		return err
	}
	c.end = end
	c.advanceLocked(stateClosing)
	c.farewellLocked()
	c.resumeLocked() // for the peer's answer; messages are not delivered any more
	return nil
}

// farewellLocked bounds what the peer still has to do: to take what is queued, some of it every write timeout,
// and then, within the close timeout, its part of the close. A peer that reads slowly has its time anew with all
// it acknowledges of that, and of nothing behind it: answers to key updates would never end.
func (c *Conn) farewellLocked() {
	c.boundLocked()
	d := c.o.closeTimeout()
	c.patientLocked(d)
	n := c.sc.Buffered() // first: what is sent before the other is read makes the sum too large, and nothing then waits
	c.x.last = c.sc.BytesOut() + uint64(n)
	c.x.acked = c.sc.BytesAcked()
	c.sc.SetTimer(look(d, d))
}

// boundLocked bounds, from now on, what the options may leave without a bound: how long a peer takes nothing.
func (c *Conn) boundLocked() {
	if c.o.writeTimeout() <= 0 {
		c.sc.SetWriteTimeout(c.o.closeTimeout())
	}
}

// patientLocked has the connection ended after d, whatever the peer acknowledges.
func (c *Conn) patientLocked(d time.Duration) {
	x := c.extraLocked()
	x.patience = time.Now().Add(d)
	x.last, x.acked = 0, 0
	c.sc.SetTimer(d)
}

// look returns when to look next whether the peer has acknowledged something, where d is the close
// timeout and left remain: often enough that the time is hardly longer for it.
func look(d, left time.Duration) time.Duration {
	return min(left, max(d/8, 50*time.Millisecond))
}

// unansweredLocked notes what happened in place of the peer's answer to our close
// frame, if that is what we wait for.
func (c *Conn) unansweredLocked(cause error) {
	if c.state.Load() == stateClosing && c.end.Cause == nil {
		c.end.Cause = cause
	}
}

// Abort ends the connection at once, without a close frame.
func (c *Conn) Abort() error {
	c.mu.Lock()
	c.unansweredLocked(ErrClosed)
	if c.state.Load() == stateOpen {
		c.advanceLocked(stateEnding)
		c.end = &CloseError{Code: Abnormal, Local: true, Cause: ErrClosed}
	}
	c.mu.Unlock()
	return c.sc.Abort()
}

// sendCloseLocked sends what waits in our own queue and then a close frame.
func (c *Conn) sendCloseLocked(code Code, reason string) error {
	var b [ws.MaxControl]byte
	p, bad := ws.AppendClose(b[:0], ws.Code(code), reason)
	if bad != nil {
		return ErrCloseFrame
	}
	if c.x != nil {
		c.x.pong = nil
		c.sendPendingLocked()
	}
	return c.sendLocked(ws.Header{Fin: true, Op: ws.OpClose}, p)
}

// fail closes the connection because of a mistake, of the peer's or ours (RFC
// 6455 section 7.1.7). It may be called more than once, from any goroutine.
func (c *Conn) fail(code Code, reason string, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failLocked(code, reason, cause)
}

func (c *Conn) failLocked(code Code, reason string, cause error) {
	was := c.state.Load()
	if was >= stateEnding {
		return
	}
	switch was {
	case stateOpen:
		c.end = &CloseError{Code: code, Reason: reason, Local: true, Cause: cause}
		c.discardLocked()
		// An error means that the transport has gone, which OnClose will tell.
		_ = c.sendCloseLocked(code, reason)
	case stateClosing:
		if cause == nil {
			cause = &ws.Error{Code: ws.Code(code), Reason: reason}
		}
		c.unansweredLocked(cause)
	}
	c.lingerLocked()
}

// failWith is fail for a violation of the grammar.
func (c *Conn) failWith(e *ws.Error) { c.fail(Code(e.Code), e.Reason, nil) }

// lingerLocked ends our side, and gives the peer a moment to see why.
func (c *Conn) lingerLocked() {
	c.advanceLocked(stateEnding)
	c.patientLocked(lingerTime)
	_ = c.sc.CloseWrite()
	c.resumeLocked()
}

// peerClosed takes the peer's close frame. more says that bytes follow it, which
// no peer may send.
func (c *Conn) peerClosed(p []byte, more bool) {
	code, reason, bad := ws.ParseClose(p)
	if bad != nil {
		c.failWith(bad)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.state.Load() {
	case stateOpen:
		c.end = &CloseError{Code: Code(code), Reason: reason}
		c.sc.SetTimer(0) // the heartbeat's, which must not cut short what the transport still sends
		c.discardLocked()
		// The answer repeats the code; an error means that there is nobody to answer.
		_ = c.sendCloseLocked(Code(code), "")
	case stateClosing:
	default:
		return
	}
	if c.client {
		// RFC 6455 section 7.1.1: the server is the first to close the connection.
		c.advanceLocked(stateEnding)
		c.farewellLocked()
		c.resumeLocked() // for the end of the input
		return
	}
	if more {
		c.lingerLocked()
		return
	}
	c.advanceLocked(stateEnding)
	c.boundLocked()
	_ = c.sc.Close()
}
