package websocket

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/d74363f0/strand/internal/ws"
)

// A connection has one timer. While it is open, that is the heartbeat, which
// also looks whether the lifetime has ended; afterwards it is the end of patience.

// beatLen is the length of a heartbeat's payload: the nanoseconds since epoch, veiled.
const beatLen = 8

// beatVeil makes it next to impossible that another payload of beatLen bytes, a
// counter of the application's, is taken for a heartbeat.
var beatVeil = rand.Uint64()

// epoch is what heartbeats count from, on the monotonic clock.
var epoch = time.Now()

// startTimer spreads the first heartbeats of connections that open together.
func (c *Conn) startTimer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.o.MaxLifetime; d > 0 {
		c.extraLocked().lifeEnd = time.Now().Add(d - d/10 + rand.N(d/5+1))
	}
	c.armLocked(true)
}

// armLocked sets the timer for the next heartbeat, or to the end of the lifetime.
func (c *Conn) armLocked(first bool) {
	if c.state.Load() != stateOpen {
		return
	}
	d := c.o.pingInterval()
	if first && d > 0 {
		d = d/2 + rand.N(d/2+1)
	}
	if c.x != nil && !c.x.lifeEnd.IsZero() {
		left := max(time.Until(c.x.lifeEnd), time.Millisecond)
		if d == 0 || left < d {
			d = left
		}
	}
	c.sc.SetTimer(d)
}

// tick is called when the timer fires.
func (c *Conn) tick() {
	if c.state.Load() != stateOpen {
		c.patienceEnded()
		return
	}
	if c.lifeEnded() {
		return
	}
	if c.pinged && !c.seen && !c.paused.Load() {
		h, ok := c.h.(TimeoutHandler)
		if !ok || !h.OnTimeout(c) {
			c.dead()
			return
		}
	}
	c.seen = false
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.deflate(); d != nil {
		d.rest()
	}
	if c.o.pingInterval() > 0 {
		c.pinged = c.beatLocked()
	}
	c.armLocked(false)
}

// beatLocked sends a heartbeat and reports whether it did: not if the peer
// leaves so much unread that it could not see it anyway, which is for the write
// timeout to judge.
func (c *Conn) beatLocked() bool {
	if c.state.Load() != stateOpen || c.sc.Buffered() > c.o.maxQueued() {
		return false
	}
	var b [beatLen]byte
	binary.BigEndian.PutUint64(b[:], uint64(time.Since(epoch))^beatVeil)
	return c.sendLocked(ws.Header{Fin: true, Op: ws.OpPing}, b[:]) == nil
}

// pong takes the payload of a pong: a round trip, or something for the handler.
func (c *Conn) pong(p []byte) {
	if c.pinged && len(p) == beatLen {
		rtt := time.Since(epoch) - time.Duration(binary.BigEndian.Uint64(p)^beatVeil)
		// Whatever the peer says, the time lies within what was possible.
		if rtt > 0 && rtt <= 2*c.o.pingInterval() {
			c.pinged = false
			c.rtt.Store(uint32(min(max(rtt.Microseconds(), 1), 1<<32-1)))
			return
		}
	}
	if h, ok := c.h.(PongHandler); ok {
		h.OnPong(c, append([]byte(nil), p...))
	}
}

// lifeEnded closes a connection that is old enough.
func (c *Conn) lifeEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.x == nil || c.x.lifeEnd.IsZero() || time.Until(c.x.lifeEnd) > time.Millisecond {
		return false
	}
	if c.state.Load() == stateOpen {
		_ = c.closeLocked(&CloseError{Code: GoingAway, Reason: "lifetime", Local: true})
	}
	return true
}

// dead ends a connection whose peer has gone. If somebody closed it while the
// handler was asked, the close has a timer of its own.
func (c *Conn) dead() {
	c.mu.Lock()
	if c.state.Load() != stateOpen {
		c.mu.Unlock()
		return
	}
	c.end = &CloseError{Code: Abnormal, Local: true, Cause: errDead}
	c.advanceLocked(stateEnding)
	c.mu.Unlock()
	_ = c.sc.Abort()
}

// early is by how much the timer may come before patience ends: a tick, and some.
const early = 20 * time.Millisecond

// patienceEnded ends a connection whose peer did not do its part of the close, unless the timer that fired was a
// heartbeat's, just before the close began, or only one to look at what the peer has acknowledged.
func (c *Conn) patienceEnded() {
	c.mu.Lock()
	_ = c.sc.Flush() // what this very turn answered to a key update does not wait for the peer
	if c.x != nil && c.patientStillLocked() {
		c.mu.Unlock()
		return
	}
	c.unansweredLocked(errCloseTimeout)
	c.advanceLocked(stateEnding)
	c.mu.Unlock()
	if c.sc.Buffered() > 0 {
		_ = c.sc.Abort()
		return
	}
	_ = c.sc.Close() // not a reset, which would take from a silent peer what it has not read yet
}

// patientStillLocked reports whether the peer of a connection that is not open any more has time left, and sets
// the timer to look again.
func (c *Conn) patientStillLocked() bool {
	x, d, now := c.x, c.o.closeTimeout(), time.Now()
	if acked := min(c.sc.BytesAcked(), x.last); acked > x.acked {
		x.acked = acked
		x.patience = now.Add(d)
	}
	left := x.patience.Sub(now)
	if left <= min(early, d/2) {
		if x.acked >= x.last || c.sc.Buffered() == 0 {
			return false
		}
		left = d // what has not reached the kernel is for the write timeout to judge
	}
	c.sc.SetTimer(look(d, left))
	return true
}
