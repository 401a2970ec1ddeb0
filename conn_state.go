package strand

// A connection's state is one atomic word: the events that wait for the strand,
// a few lasting facts, and the busy bit. Whoever sets the busy bit holds the
// strand: it alone runs callbacks and reads the socket. Everybody else only
// sets bits. The transitions are all in this file.
const (
	// The strand is held.
	stBusy uint32 = 1 << iota

	// Events that wait for a callback. They are taken in this order.
	stOpen
	stPost
	stRead
	stDrained
	stIdleT
	stReadT
	stWriteT
	stTimerT
	stClose

	// Lasting facts.
	stHup     // the peer hung up: FIN or worse
	stDead    // both directions ended, or an error
	stPaused  // PauseRead
	stFull    // the kernel takes no more output until it says writable
	stParked  // a goroutine waits for input in waitRead
	stOwned   // NetConn: no callback but OnClose
	stGone    // retired: phase is closed
	stClosed  // OnClose has been called
	stTold    // OnHangup has been called
	stShaking // a TLS handshake reads the link: no OnReadable

	stEager // the handler is a buf.AheadReader
	stAhead // stRead's event has been read for the handler: see Ahead

	stEnded  // OnHangup has been called for an end on this side
	stLooked // while stFull: what the peer has acknowledged was looked at since the kernel took something
)

// The bits above are a number: how many turns are to be run in a goroutine,
// because the last ones blocked. A turn that blocked without saying so makes it
// slowTurns; whoever holds the strand counts it down.
const (
	slowOne   uint32 = 1 << 27
	slowTurns        = 31
	stSlow           = slowTurns * slowOne
)

const (
	stTimeouts = stIdleT | stReadT | stWriteT | stTimerT
	stEvents   = stOpen | stPost | stRead | stDrained | stTimeouts | stClose
)

// runnable returns the events of s that have a callback to run now. A hang-up
// overrides PauseRead, so that a handler that waits for a dead peer to read
// learns of it (hazard 137).
func runnable(s uint32) uint32 {
	switch {
	case s&stClosed != 0:
		return 0
	case s&stOwned != 0:
		return s & (stPost | stClose)
	case s&stShaking != 0:
		return s & stEvents &^ stRead
	case s&stPaused != 0 && s&stDead == 0:
		return s & stEvents &^ stRead
	}
	return s & stEvents
}

// post sets bits and wakes a parked reader if they concern it. It reports
// whether the caller now holds the strand and must see to it that it runs.
func (c *Conn) post(bits uint32) (claimed bool) {
	for {
		s := c.state.Load()
		n := s | bits
		if bits&stRead != 0 {
			n &^= stAhead // there is more to read than what was read ahead
		}
		claimed = s&stBusy == 0 && runnable(n) != 0
		if claimed {
			n |= stBusy
		}
		wake := s&stParked != 0 && bits&(stRead|stReadT|stClose) != 0
		if wake {
			n &^= stParked
		}
		if n == s {
			return false
		}
		if c.state.CompareAndSwap(s, n) {
			if wake {
				c.unpark()
			}
			return claimed
		}
	}
}

// signal is post for any goroutine: a claimed strand runs on the loop.
func (c *Conn) signal(bits uint32) {
	if c.post(bits) {
		c.schedule()
	}
}

// take takes an event, and reports whether it is there and can run now. The
// caller holds the strand.
func (c *Conn) take(event uint32) bool {
	ok, _ := c.takeFrom(event)
	return ok
}

// takeFrom is take that also returns the word the event was taken from. With stRead
// goes stAhead.
func (c *Conn) takeFrom(event uint32) (bool, uint32) {
	for {
		s := c.state.Load()
		if runnable(s)&event == 0 {
			return false, s
		}
		n := s &^ event
		if event == stRead {
			n &^= stAhead
		}
		if c.state.CompareAndSwap(s, n) {
			return true, s
		}
	}
}

// rest lets go of the strand, unless an event came meanwhile; it reports
// whether it did.
func (c *Conn) rest() bool {
	for {
		s := c.state.Load()
		if runnable(s) != 0 {
			return false
		}
		if c.state.CompareAndSwap(s, s&^stBusy) {
			return true
		}
	}
}

// park announces a reader that waits. It fails if one of the bits in news is set:
// the reader has cleared stRead before it read, so a bit that is set now is
// something to read, or to know. A hang-up is no news by itself: it comes with
// stRead, and a reader that has found nothing behind it would turn in circles.
func (c *Conn) park(news uint32) bool {
	for {
		s := c.state.Load()
		if s&news != 0 {
			return false
		}
		if c.state.CompareAndSwap(s, s|stParked) {
			return true
		}
	}
}

// clear clears bits and reports whether any of them was set.
func (c *Conn) clear(bits uint32) bool { return c.state.And(^bits)&bits != 0 }

// slowed has the next turns run in goroutines. Any goroutine may call it.
func (c *Conn) slowed() { c.state.Or(stSlow) }

// quick counts down a turn that did not block. The caller holds the strand, so
// nobody else counts down.
func (c *Conn) quick() {
	if c.is(stSlow) {
		c.state.Add(^(slowOne - 1)) // less one
	}
}

// is reports whether any of bits is set.
func (c *Conn) is(bits uint32) bool { return c.state.Load()&bits != 0 }
