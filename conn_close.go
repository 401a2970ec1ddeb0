package strand

import (
	"errors"
	"io"
	"time"

	"github.com/d74363f0/strand/internal/loop"
)

// Close sends what is queued, for as long as the peer acknowledges some of it within each
// write timeout, or within each Options.CloseTimeout if there is none, and closes the
// connection; a TimeoutHandler that bears with a write timeout is asked again until none of
// it was taken for the longer of the two. It does not block; OnClose says when it is done. A second
// call returns an error that is net.ErrClosed.
func (c *Conn) Close() error {
	defer c.lockWrites()()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != open {
		return errClosed
	}
	c.phase = closing
	c.wakeWriters()
	if c.outSize.Load() == 0 && !c.holds() {
		c.retire(errLocalClose)
		return nil
	}
	if c.blocked && !c.is(stLooked) { // a later look would judge by less time
		c.look()
	}
	c.closeBy.Store(c.patience())
	c.rearm()
	if !c.blocked && c.link.std == nil && !c.lp.Inline(c.id) {
		c.flush()
	}
	return nil
}

// Abort closes the connection at once: what is queued is dropped, and a TCP
// peer receives a reset.
func (c *Conn) Abort() error {
	if !c.abort(errLocalClose) {
		return errClosed
	}
	return nil
}

// abort is Abort for a reason. It reports whether this call did it.
func (c *Conn) abort(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == closed {
		return false
	}
	if !errors.Is(err, io.EOF) {
		c.link.reset()
	}
	c.retire(err)
	return true
}

// CloseWrite tells the peer that no more will come, after what is queued.
// Reading goes on.
func (c *Conn) CloseWrite() error {
	defer c.lockWrites()()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != open || c.fin != finNone {
		return errClosed
	}
	c.fin = finWanted
	c.wakeWriters()
	if c.outSize.Load() > 0 || c.tlsHolds() {
		return nil
	}
	c.fin = finSent
	return c.link.shutdownWrite()
}

// The end of a connection has three steps (docs/design.md). retire is the
// first: from here on no new call reaches the descriptor. mu is held.
func (c *Conn) retire(err error) {
	if c.phase == closed {
		return
	}
	c.phase = closed
	c.state.Or(stGone)
	why := causeOf(err)
	c.link.retire()
	c.lp.dropped[why].Add(uint64(c.out.Release()))
	c.outSize.Store(0)
	c.gauge(0)
	c.blocked = false
	c.lp.closes[why].Add(1)
	if err != errLocalClose {
		r := c.ex()
		r.mu.Lock()
		r.err = err
		r.mu.Unlock()
	}
	c.wakeWriters()
	if t := c.tls.Load(); t != nil {
		t.retired(why)
	}
	c.wakeReader() // now; OnClose itself follows the second step
	c.lp.Drop(c)
}

// wakeReader wakes a parked reader.
func (c *Conn) wakeReader() {
	if c.clear(stParked) {
		c.unpark()
	}
}

// Unlink implements loop.Source and is the second step, made by the driver: the
// poller forgets the descriptor, the slot is given up, OnClose follows. The
// third, at the end of the batch, gives the owner's reference back.
func (c *Conn) Unlink() bool {
	if c.token != 0 {
		c.link.unwatch(c.lp)
		c.lp.Unlink(c.token)
	}
	c.lp.AtEnd(c.released)
	if c.post(stClose) {
		return c.start()
	}
	c.tellHangup(stEnded) // a callback that runs may be waiting for this very end
	return true
}

func (c *Conn) released() {
	c.link.release()
	c.lp.conns.Add(-1)
	c.lp.closedConns.Add(1)
	c.lp.engine.gone()
}

// alive reports whether the connection is not retired.
func (c *Conn) alive() bool { return !c.is(stGone) }

// reason returns what OnClose is told.
func (c *Conn) reason() error {
	r := c.rare.Load()
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// ended is reason as a cause: errLocalClose in place of nil.
func (c *Conn) ended() error {
	if err := c.reason(); err != nil {
		return err
	}
	return errLocalClose
}

// unsendable returns what keeps the connection from sending, as a cause.
func (c *Conn) unsendable() error {
	if r := c.rare.Load(); r != nil {
		if err := r.writeError(); err != nil {
			return err
		}
	}
	return c.ended()
}

// patience returns the tick at which a connection that is closing and whose peer
// takes nothing from now on is aborted.
func (c *Conn) patience() uint32 {
	d := c.lp.engine.opts.CloseTimeout
	return c.deadline(max(d, time.Duration(c.writeFor.Load())*loop.TickDuration))
}

// deadline returns the tick that is d away, never 0 or fired.
func (c *Conn) deadline(d time.Duration) uint32 {
	return max(c.lp.Tick(min(d, farthest)), fired+1)
}
