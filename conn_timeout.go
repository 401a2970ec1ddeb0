package strand

import (
	"time"

	"github.com/d74363f0/strand/internal/loop"
)

// The timeouts of a connection share one timer of its loop, which is set for
// the earliest. To push one back costs a store: a timer that fires early looks
// again. Timeouts are coarse, about 17 ms.

// SetIdleTimeout has TimeoutIdle happen after d without a byte in or out. Time
// during which a callback runs is not counted. 0 switches it off.
func (c *Conn) SetIdleTimeout(d time.Duration) {
	c.lastIO.Store(c.lp.Now())
	c.idleFor.Store(ticks(d))
	c.rearm()
}

// SetWriteTimeout has TimeoutWrite happen when output has waited for d without
// the peer taking a byte of it. 0 switches it off.
func (c *Conn) SetWriteTimeout(d time.Duration) {
	c.writeFor.Store(ticks(d))
	c.rearm()
}

// SetReadDeadline has TimeoutRead happen at t, whatever is read until then; a
// WaitRead that waits at that moment returns ErrReadTimeout in its place. The
// zero Time switches it off.
func (c *Conn) SetReadDeadline(t time.Time) {
	c.clear(stReadT)
	if t.IsZero() {
		c.readBy.Store(0)
		return
	}
	c.readBy.Store(c.deadline(time.Until(t)))
	c.rearm()
}

// SetTimer has TimeoutTimer happen once, after d. It replaces the one before; 0
// stops it.
func (c *Conn) SetTimer(d time.Duration) {
	if d <= 0 {
		c.timerAt.Store(0)
		return
	}
	c.timerAt.Store(c.deadline(d))
	c.rearm()
}

func ticks(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(min((int64(d)+loop.TickDuration-1)/loop.TickDuration, 1<<30))
}

// due returns the earliest tick at which a timeout may have passed.
func (c *Conn) due() (when uint32, ok bool) {
	earliest := func(t uint32) {
		if !ok || loop.Before(t, when) {
			when, ok = t, true
		}
	}
	for _, t := range [...]uint32{c.readBy.Load(), c.timerAt.Load(), c.closeBy.Load()} {
		if t != 0 {
			earliest(t)
		}
	}
	if d := c.idleFor.Load(); d != 0 {
		earliest(c.lastIO.Load() + d)
	}
	if d := c.writeFor.Load(); d != 0 && c.is(stFull) {
		earliest(c.lastOut.Load() + d)
	}
	return when, ok
}

// rearm has the driver set the timer if it is not set early enough.
func (c *Conn) rearm() {
	when, ok := c.due()
	if !ok {
		return
	}
	if a := c.armed.Load(); a != 0 && !loop.Before(when, a) {
		return
	}
	c.lp.Post(c.arm)
}

// arm is run by the driver.
func (c *Conn) arm() {
	when, ok := c.due()
	if !ok {
		return
	}
	if when == 0 {
		when = 1
	}
	if a := c.armed.Load(); a != 0 && !loop.Before(when, a) {
		return
	}
	c.armed.Store(when)
	c.lp.Arm(c.token, when)
}

// Expire implements loop.Source.
func (c *Conn) Expire(now uint32) bool {
	c.armed.Store(0)
	bits := c.expired(now)
	c.arm()
	if bits != 0 && c.post(bits) {
		return c.start()
	}
	return true
}

// expired returns the events of the timeouts that have passed.
func (c *Conn) expired(now uint32) (bits uint32) {
	passed := func(t uint32) bool { return t != 0 && !loop.Before(now, t) }
	if passed(c.closeBy.Load()) {
		c.closeBy.Store(0)
		c.abort(ErrWriteTimeout)
		return 0
	}
	if passed(c.readBy.Load()) {
		c.readBy.Store(0)
		bits |= stReadT
	}
	if passed(c.timerAt.Load()) {
		c.timerAt.Store(0)
		bits |= stTimerT
	}
	if d := c.writeFor.Load(); d != 0 && c.is(stFull) && !loop.Before(now, c.lastOut.Load()+d) {
		c.lastOut.Store(now)
		bits |= stWriteT
	}
	if d := c.idleFor.Load(); d != 0 && !loop.Before(now, c.lastIO.Load()+d) {
		c.lastIO.Store(now)
		if !c.is(stBusy) {
			bits |= stIdleT
		}
	}
	return bits
}

// timeouts runs the callbacks of the timeouts in ev.
func (c *Conn) timeouts(ev uint32) {
	for _, t := range [...]struct {
		bit  uint32
		what Timeout
		err  error
	}{
		{stTimerT, TimeoutTimer, nil},
		{stReadT, TimeoutRead, ErrReadTimeout},
		{stWriteT, TimeoutWrite, ErrWriteTimeout},
		{stIdleT, TimeoutIdle, ErrIdleTimeout},
	} {
		if ev&t.bit == 0 || !c.alive() {
			continue
		}
		h, ok := c.handler.(TimeoutHandler)
		keep := ok && h.OnTimeout(c, t.what)
		if !keep && t.err != nil {
			c.abort(t.err)
		}
	}
}
