package strand

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/d74363f0/strand/internal/buf"
	"github.com/d74363f0/strand/internal/poll"
)

// readBudget is how many bytes one OnReadable reads at the most before other
// connections of the loop have a turn (hazard 74).
const readBudget = 512 << 10

// A connection whose turn blocked without saying so has its next slowTurns
// turns run in a goroutine; a turn shorter than slowAfter counts one down.
const slowAfter = 500 * time.Microsecond

// Event implements loop.Source.
func (c *Conn) Event(r poll.Ready) bool {
	if r&poll.Writable != 0 && c.is(stFull) {
		c.writable()
	}
	var bits uint32
	if r&poll.Readable != 0 {
		bits |= stRead
	}
	if r&poll.Hangup != 0 {
		bits |= stHup | stRead
	}
	if r&poll.Dead != 0 {
		bits |= stDead | stRead
	}
	if bits == 0 {
		return true
	}
	if c.post(bits) {
		return c.start()
	}
	if bits&stHup != 0 {
		c.tellHangup(stTold)
	}
	return true
}

// tellHangup tells a handler that is running that the peer has gone, which told is for, or
// that the connection has ended.
func (c *Conn) tellHangup(told uint32) {
	if c.hangupHandler() == nil {
		return
	}
	for {
		s := c.state.Load()
		if s&told != 0 || s&stBusy == 0 || s&stClosed != 0 {
			return
		}
		if c.state.CompareAndSwap(s, s|told) {
			break
		}
	}
	c.lp.Go(c.id, "hang-up", c.onHangup)
}

// hangupHandler returns the handler if it wants to know of a hang-up.
func (c *Conn) hangupHandler() HangupHandler {
	c.mu.Lock() // SetHandler may run at this moment
	defer c.mu.Unlock()
	h, _ := c.handler.(HangupHandler)
	return h
}

// Run implements loop.Source: the strand is held already.
func (c *Conn) Run() bool { return c.start() }

// Replaced implements loop.Source: a callback was found blocking. What it wrote
// goes out now, and its next turns run in goroutines.
func (c *Conn) Replaced() {
	c.slowed()
	c.uncork()
}

// start runs the strand, which the caller holds: inline, or in a goroutine if
// it is expected to block.
func (c *Conn) start() bool {
	if c.is(stSlow) {
		c.lp.CountSpawned()
		c.lp.Go(c.id, "aside", c.runAside)
		return true
	}
	if c.lp.Spawn() {
		c.lp.Go(c.id, "aside", c.runAside)
		return true
	}
	return c.runInline()
}

// runInline is a turn on the loop.
func (c *Conn) runInline() bool {
	ticket := c.lp.Enter(c.id, c)
	c.turn(ticket)
	driving := c.lp.Leave(ticket)
	if !driving || c.outSize.Load() != 0 && !c.lp.Defer(c) {
		c.uncork()
	}
	if c.rest() {
		return driving
	}
	if driving {
		c.lp.Again(c)
		return true
	}
	c.schedule()
	return false
}

// runAside is a turn in a goroutine of its own.
func (c *Conn) runAside() {
	deepen()
	began := c.lp.engine.clock()
	c.turn(0)
	if took := c.lp.engine.clock() - began; took > int64(slowAfter) {
		c.slowed()
	} else {
		c.quick()
	}
	c.finishAside()
}

// deepen has a new goroutine's stack, of 2 KiB, grow to the next size now, while there is next to nothing
// on it that has to be moved: a turn of http1 needs that much in any case.
//
//go:noinline
func deepen() {
	var room [1200]byte
	deepened(&room)
}

//go:noinline
func deepened(*[1200]byte) {}

func (c *Conn) finishAside() {
	c.lp.Rouse()
	c.uncork()
	if !c.rest() {
		c.schedule()
	}
}

// schedule has the strand, which is held, run on the loop. A callback can
// outlive its engine; what is left then, OnClose, needs no loop.
func (c *Conn) schedule() {
	if !c.lp.Schedule(c) {
		c.lp.Go(c.id, "aside", c.runAside)
	}
}

// turn runs the callbacks of the events that wait. A panic ends this
// connection and nothing else; so does runtime.Goexit (see exited), which also
// ends this goroutine, so that the loop needs another (hazard 147).
func (c *Conn) turn(ticket uint64) {
	finished := false
	defer func() {
		if finished {
			return
		}
		if v := recover(); v != nil {
			c.panicked(v)
			return
		}
		c.exited()
		if ticket != 0 {
			c.lp.Abandon(ticket)
		}
		c.lp.Go(c.id, "finish", c.finishAside)
	}()
	began := c.lp.Now()
	c.callbacks()
	c.notIdle(began)
	finished = true
}

// exited aborts the connection whose callback called runtime.Goexit, unless a
// deferred function of the handler has ended it already, behind what is queued,
// or it is a net.Conn's, whose holder ends it.
func (c *Conn) exited() {
	if c.is(stOwned) {
		return
	}
	if !c.ending() {
		c.abort(fmt.Errorf("%w: runtime.Goexit in a callback", ErrPanic))
		return
	}
	if c.news { // the callback did not come back to callbacks
		c.settleInput()
	}
}

func (c *Conn) panicked(v any) {
	buf.Fault(v)
	c.lp.engine.opts.Logger.Error("strand: a callback panicked; its connection is aborted",
		"conn", c.id, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	err, ok := v.(error)
	if !ok {
		err = fmt.Errorf("%v", v)
	}
	c.abort(fmt.Errorf("%w: %w", ErrPanic, err))
}

// callbacks takes each event only when its turn has come: what a callback before
// it reads, waits for, or switches off finds the event where it belongs.
func (c *Conn) callbacks() {
	if c.take(stOpen) {
		c.handler.OnOpen(c)
	}
	if c.take(stPost) {
		c.runPosts()
	}
	if ok, from := c.takeFrom(stRead); ok && c.alive() {
		c.readable(from&stAhead != 0)
	}
	if c.take(stDrained) && c.alive() {
		c.handler.OnDrained(c)
	}
	if c.is(stTimeouts) {
		c.timeouts()
	}
	// Behind NetConn the strand's fields are the net.Conn's reader's.
	if !c.is(stOwned) && c.news {
		c.settleInput()
	}
	if c.is(stClose) && runnable(c.state.Load())&(stOpen|stPost) != 0 {
		return // it came since we looked, and before the end: another turn
	}
	if c.take(stClose) {
		c.state.Or(stClosed)
		c.handler.OnClose(c, c.reason())
	}
}

// runPosts runs what was posted. Behind one that panics, or ends its goroutine, another turn
// runs the rest.
func (c *Conn) runPosts() {
	done := false
	var posts []func(*Conn)
	defer func() {
		if done {
			return
		}
		r := c.ex()
		r.mu.Lock()
		r.posts = append(posts, r.posts...)
		r.mu.Unlock()
		c.state.Or(stPost)
	}()
	if t := c.tls.Load(); t != nil {
		t.announce()
	}
	if r := c.rare.Load(); r != nil {
		r.mu.Lock()
		posts, r.posts = r.posts, nil
		r.mu.Unlock()
	}
	for len(posts) > 0 {
		f := posts[0]
		posts = posts[1:]
		f(c)
	}
	done = true
}

// readable runs OnReadable, for an event that the handler has read ahead or not.
func (c *Conn) readable(ahead bool) {
	if t := c.tls.Load(); t != nil && t.intercept() {
		return
	}
	if !ahead {
		c.readDone = false
		c.budget = readBudget
	}
	c.news = true
	c.handler.OnReadable(c)
}

// Ahead implements loop.Source. The strand is held from here until Run: who comes between finds
// the connection busy, as in a callback, and a further event takes stAhead away. No user
// code runs, so there is no ticket and nothing is recovered: a panic here is a fault of our own.
func (c *Conn) Ahead(r poll.Ready) bool {
	if r&^poll.Writable != poll.Readable || c.state.Load() != stEager || c.tls.Load() != nil || c.link.std != nil {
		return false
	}
	if !c.state.CompareAndSwap(stEager, stEager|stBusy|stRead|stAhead) {
		return false
	}
	c.readDone = false
	c.budget = readBudget
	if h, ok := c.handler.(buf.AheadReader); ok {
		h.ReadAhead(buf.Ours{})
	}
	return true
}

// settleInput sees to what the callbacks of a turn left: unread input is
// offered again, and a connection that is dead is ended once it has been read to
// its end.
func (c *Conn) settleInput() {
	c.news = false
	if c.is(stOwned) || !c.alive() {
		return
	}
	if c.eof && !c.unread {
		if err := c.readError(); err != nil && (!errors.Is(err, io.EOF) || c.is(stDead)) {
			c.endInput(err)
		}
		return
	}
	if (!c.readDone || c.unread) && !c.is(stPaused) && c.opened() {
		c.state.Or(stRead)
		return
	}
	if r := c.rare.Load(); r != nil && c.is(stDead) {
		if err := r.writeError(); err != nil { // all input is read, and nothing can be sent
			c.abort(err)
		}
	}
}

// opened reports whether Close has not been called: what a handler leaves
// unread behind its Close is not offered again while the output is still sent.
func (c *Conn) opened() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase == open
}

// ending reports whether Close or CloseWrite has been called.
func (c *Conn) ending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase != open || c.fin != finNone
}

func (c *Conn) onHangup() {
	defer func() {
		if v := recover(); v != nil {
			c.panicked(v)
		}
	}()
	if h := c.hangupHandler(); h != nil {
		h.OnHangup(c)
	}
}

// Deferred implements loop.Source: what callbacks that have returned gathered goes
// out now.
func (c *Conn) Deferred() { c.uncork() }
