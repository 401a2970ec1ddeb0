package strand

import (
	"sync/atomic"
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
	c.clear(stIdleT)
	c.rearm()
}

// SetWriteTimeout has TimeoutWrite happen when output has waited for d without the kernel
// taking a byte of it, and the peer has acknowledged nothing for at least half of that: over a
// net.Conn that is no socket, when Write of 64 KiB has not returned for d. A callback that
// waits in WaitWrite, WriteAll or SendFile returns ErrWriteTimeout from there first. 0
// switches it off; a time during which it was off does not count.
func (c *Conn) SetWriteTimeout(d time.Duration) {
	if c.writeFor.Load() == 0 {
		c.lastOut.Store(c.lp.Now()) // before the driver may judge by it
	}
	c.writeFor.Store(ticks(d))
	c.clear(stWriteT)
	c.rearm()
}

// fired, in place of a tick, is a timeout that has passed and of which nobody
// was told yet. It tells it from one that was set, or stopped, since: whatever
// is set replaces it, and whoever would tell of it finds it gone (hazard 150).
const fired = 1

// farthest is as far away as a tick can be told from one that has passed, with
// room to spare: 208 days.
const farthest = time.Duration(1<<30) * loop.TickDuration

// SetReadDeadline has TimeoutRead happen at t, whatever is read until then; a
// WaitRead that waits at that moment returns ErrReadTimeout in its place. The
// zero Time switches it off.
func (c *Conn) SetReadDeadline(t time.Time) {
	if t.IsZero() {
		c.readBy.Store(0)
		c.clear(stReadT)
		return
	}
	c.readBy.Store(c.deadline(time.Until(t)))
	c.clear(stReadT)
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
	return uint32((int64(min(d, farthest)) + loop.TickDuration - 1) / loop.TickDuration)
}

// due returns the earliest tick at which a timeout may have passed.
func (c *Conn) due() (when uint32, ok bool) {
	earliest := func(t uint32) {
		if !ok || loop.Before(t, when) {
			when, ok = t, true
		}
	}
	for _, t := range [...]uint32{c.readBy.Load(), c.timerAt.Load(), c.closeBy.Load()} {
		if t > fired {
			earliest(t)
		}
	}
	if d := c.idleFor.Load(); d != 0 {
		earliest(c.lastIO.Load() + d)
	}
	if d := c.writeFor.Load(); d != 0 && c.is(stFull) {
		if !c.is(stLooked) {
			d -= d / 2
		}
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
	if bits == 0 {
		return true
	}
	if c.post(bits) {
		return c.start()
	}
	if bits&stReadT != 0 { // the callback that runs may be what waits
		c.lateRead()
	}
	if bits&stWriteT != 0 {
		c.mu.Lock()
		c.wakeWriters()
		c.mu.Unlock()
	}
	return true
}

// expired returns the events of the timeouts that have passed.
func (c *Conn) expired(now uint32) (bits uint32) {
	passed := func(at *atomic.Uint32) bool {
		t := at.Load()
		return t > fired && !loop.Before(now, t) && at.CompareAndSwap(t, fired)
	}
	if passed(&c.closeBy) && !c.reads(0) {
		c.abort(ErrWriteTimeout)
		return 0
	}
	if passed(&c.readBy) {
		bits |= stReadT
	}
	if passed(&c.timerAt) {
		bits |= stTimerT
	}
	if d := c.writeFor.Load(); d != 0 && c.is(stFull) {
		bits |= c.stuck(now, d)
	}
	if d := c.idleFor.Load(); d != 0 && !loop.Before(now, c.lastIO.Load()+d) {
		c.lastIO.Store(now)
		if !c.is(stBusy) {
			bits |= stIdleT
		}
	}
	return bits
}

// stuck returns stWriteT if output has waited for d and its peer has acknowledged nothing since there
// was a look, half of d ago.
func (c *Conn) stuck(now, d uint32) (bits uint32) {
	last := c.lastOut.Load()
	switch {
	case !loop.Before(now, last+d):
		if !c.reads(d) {
			c.lastOut.Store(now)
			c.clear(stLooked)
			return stWriteT
		}
	case !c.is(stLooked) && !loop.Before(now, last+d-d/2):
		c.mu.Lock()
		if c.blocked {
			c.look()
		}
		c.mu.Unlock()
	}
	return 0
}

// notIdle takes a turn that began at the tick began out of the time without a byte:
// its handler may have been the one to keep the peer waiting.
func (c *Conn) notIdle(began uint32) {
	now := c.lp.Now()
	if now == began || c.idleFor.Load() == 0 {
		return
	}
	last := c.lastIO.Load()
	next := last + (now - began)
	if loop.Before(now, next) {
		next = now
	}
	c.lastIO.CompareAndSwap(last, next) // or a byte has moved since
}

// stillDue reports whether the timeout of bit, which passed some time ago, was
// not set anew, stopped or overtaken since: the callback before may have taken
// long.
func (c *Conn) stillDue(bit uint32) bool {
	switch bit {
	case stReadT:
		return c.readBy.CompareAndSwap(fired, 0)
	case stTimerT:
		return c.timerAt.CompareAndSwap(fired, 0)
	case stWriteT:
		return c.is(stFull) && c.writeFor.Load() != 0
	}
	return true
}

// timeouts runs the callbacks of the timeouts that have passed.
func (c *Conn) timeouts() {
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
		if !c.take(t.bit) || !c.alive() || !c.stillDue(t.bit) {
			continue
		}
		h, ok := c.handler.(TimeoutHandler)
		keep := ok && h.OnTimeout(c, t.what)
		if !keep && t.err != nil {
			c.abort(t.err)
		}
	}
}
