package strand

// What a connection counts: bytes in and out as its socket, or the net.Conn it
// was made of, moves them. An idle connection pays 8 bytes for it, 32 bits each
// way; every full 4 GiB is carried to the rare part.

// came counts n bytes that were read. Whoever reads the link calls it: the
// strand, or a handshake in its place.
func (c *Conn) came(n int) {
	c.lp.in.Add(uint64(n))
	c.touch()
	low := c.inLow.Load()
	if low+uint32(n) >= low {
		c.inLow.Add(uint32(n))
		return
	}
	r := c.ex()
	r.mu.Lock() // so that BytesIn sees both or neither
	r.inHigh++
	c.inLow.Add(uint32(n))
	r.mu.Unlock()
}

// BytesIn returns how many bytes have come: see ConnInfo.
func (c *Conn) BytesIn() uint64 {
	low := c.inLow.Load()
	r := c.rare.Load()
	if r == nil { // looked at behind low: nothing was carried before
		return uint64(low)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return uint64(r.inHigh)<<32 | uint64(c.inLow.Load())
}

// sent counts n bytes that the kernel took. mu is held.
func (c *Conn) sent(n int) {
	if n == 0 {
		return
	}
	c.lp.out.Add(uint64(n))
	if c.outLow += uint32(n); c.outLow < uint32(n) {
		c.ex().outHigh++
	}
	if c.is(stWriteT | stLooked) {
		c.clear(stWriteT | stLooked) // overtaken
	}
	c.touch()
	if now := c.lp.Now(); c.lastOut.Load() != now {
		c.lastOut.Store(now)
	}
	if c.phase == closing {
		c.closeBy.Store(c.patience()) // a peer that reads slowly has its time
	}
}

// look notes how much the peer has acknowledged, and reports whether that is more than at the
// look before. The kernel takes more only when a third of its send buffer, which may be a MiB,
// is free again: a peer that reads slowly makes progress long before. mu is held.
func (c *Conn) look() (moved bool) {
	r := c.ex()
	acked := c.outLow - uint32(c.link.unacked())
	moved = acked != r.acked
	r.acked = acked
	c.state.Or(stLooked)
	return moved
}

// reads reports whether the peer of a connection whose output waits has acknowledged something
// since the look before, and gives it its time anew if so; half of d, if nobody has looked since
// the kernel took something. d is 0 for closeBy, behind which there is always a look.
func (c *Conn) reads(d uint32) bool {
	if c.link.std != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.blocked { // overtaken, or a write has failed, or it is not the peer that a close waits for
		c.lastOut.Store(c.lp.Now()) // or the timer would be due again at once
		return d != 0
	}
	first := d != 0 && !c.is(stLooked)
	if moved := c.look(); !moved && !first {
		return false
	}
	now := c.lp.Now()
	if first {
		now -= d / 2
	}
	c.lastOut.Store(now)
	if c.phase == closing && !first {
		c.closeBy.Store(c.patience())
	}
	return true
}

// BytesOut returns how many bytes the kernel took: see ConnInfo.
func (c *Conn) BytesOut() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.taken()
}

// BytesAcked returns how many of the bytes out the peer has acknowledged, which costs a system
// call: its kernel has them, though it may not have read them. For a Unix socket it is an
// estimate of what the peer has read; for a connection that has ended, and one over a net.Conn
// that is no socket of the kernel's, it is BytesOut.
func (c *Conn) BytesAcked() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.taken()
	return n - min(n, uint64(c.link.unacked()))
}

// taken is BytesOut with mu held.
func (c *Conn) taken() uint64 {
	n := uint64(c.outLow)
	if r := c.rare.Load(); r != nil {
		n |= uint64(r.outHigh) << 32
	}
	return n
}

// touch notes that bytes moved.
func (c *Conn) touch() {
	if now := c.lp.Now(); c.lastIO.Load() != now {
		c.lastIO.Store(now)
	}
}

// drop counts n bytes that were accepted and will not be sent, because of why.
func (c *Conn) drop(n int, why error) {
	if n > 0 {
		c.lp.dropped[causeOf(why)].Add(uint64(n))
	}
}

// gauge brings the loop's count of bytes that wait for peers up to date: n are
// this connection's. mu is held.
func (c *Conn) gauge(n int) {
	if n == int(c.gauged) {
		return
	}
	c.lp.queued.Add(int64(n) - int64(c.gauged))
	c.gauged = int32(n)
	c.peak()
}

// peak notes what waits, for the maxima in Stats. mu is held.
func (c *Conn) peak() {
	if c.gauged > 0 {
		now := c.lp.Now()
		c.lp.maxQueued.See(int64(c.gauged), now)
		c.lp.maxBlocks.See(int64(c.blocks()), now)
	}
}

// blocks returns how many Blocks the output holds. mu is held.
func (c *Conn) blocks() int {
	n := c.out.Blocks()
	if c.link.std != nil {
		n += c.link.std.blocks
	}
	return n
}
