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
	if c.is(stWriteT) {
		c.clear(stWriteT) // overtaken
	}
	c.touch()
	if now := c.lp.Now(); c.lastOut.Load() != now {
		c.lastOut.Store(now)
		if c.phase == closing {
			c.closeBy.Store(c.patience()) // a peer that reads slowly has its time
		}
	}
}

// BytesOut returns how many bytes the kernel took: see ConnInfo.
func (c *Conn) BytesOut() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.taken()
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
