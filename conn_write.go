package strand

import (
	"context"
	"errors"
	"syscall"

	"github.com/d74363f0/strand/internal/buf"
	"github.com/d74363f0/strand/internal/sock"
)

// What is written while a callback of the connection runs inline on the loop is
// gathered and sent in one system call when the callback returns, hands the
// loop over or is found blocking: the cork. It needs no flag that could be
// forgotten; the loop's own word says whether the callback still runs.
const (
	// corkMax is the most that is gathered, in bytes.
	corkMax = 64 << 10
	// directMin is the size from which copying a write to gather it costs more
	// than a system call of its own may.
	directMin = 16 << 10
	// maxWrite is the most one Write accepts, in bytes, whatever waits.
	maxWrite = 1 << 30
)

// Write queues p and sends as much as the peer takes; what it does not take is
// copied, so p is the caller's again on return. It never blocks. All of p is
// accepted, or nothing of it: with ErrQueueFull if the queue has reached its
// limit, ErrTooLarge, an error that is net.ErrClosed, or what an earlier write
// failed with, a *net.OpError.
func (c *Conn) Write(p []byte) (int, error) {
	if t := c.tls.Load(); t != nil {
		return t.send(p, nil, "")
	}
	c.mu.Lock()
	err := c.admit(len(p))
	if err == nil {
		if len(p) > 0 {
			c.send(p, nil, "")
		}
		c.mu.Unlock()
		return len(p), nil
	}
	c.mu.Unlock()
	if err == errTLSBegan {
		return c.Write(p)
	}
	return 0, err
}

// Writev is Write for several slices that belong together: no other writer's
// bytes come between them.
func (c *Conn) Writev(bufs ...[]byte) (int, error) {
	n := 0
	for _, p := range bufs {
		n += len(p)
	}
	if n == 0 {
		return 0, nil
	}
	if t := c.tls.Load(); t != nil {
		return t.send(nil, bufs, "")
	}
	c.mu.Lock()
	if err := c.admit(n); err != nil {
		c.mu.Unlock()
		if err == errTLSBegan {
			return c.Writev(bufs...)
		}
		return 0, err
	}
	c.send(nil, bufs, "")
	c.mu.Unlock()
	return n, nil
}

// WriteString is Write for a string, which may be queued without a copy: one
// string can wait in any number of connections.
func (c *Conn) WriteString(s string) (int, error) { return c.WritevString(nil, s) }

// WritevString is Writev for a head that is copied and a string that may be
// queued without a copy.
func (c *Conn) WritevString(head []byte, s string) (int, error) {
	n := len(head) + len(s)
	if n == 0 {
		return 0, nil
	}
	if t := c.tls.Load(); t != nil {
		return t.send(head, nil, s)
	}
	c.mu.Lock()
	if err := c.admit(n); err != nil {
		c.mu.Unlock()
		if err == errTLSBegan {
			return c.WritevString(head, s)
		}
		return 0, err
	}
	c.send(head, nil, s)
	c.mu.Unlock()
	return n, nil
}

// admit reports whether n more bytes may be queued as they are. mu is held.
func (c *Conn) admit(n int) error {
	if c.tls.Load() != nil {
		return errTLSBegan
	}
	return c.room(n)
}

// room is admit for bytes that are, or will be, encrypted. mu is held.
func (c *Conn) room(n int) error {
	if c.phase != open || c.fin != finNone {
		return errClosed
	}
	if n > maxWrite {
		return ErrTooLarge
	}
	queued := int(c.outSize.Load())
	if queued == 0 || queued+n <= int(c.maxQueued) {
		if r := c.rare.Load(); r != nil {
			return r.writeError()
		}
		return nil
	}
	if !c.blocked && c.link.std == nil {
		// What is queued only waits for its callback to end.
		c.flush()
		if queued = int(c.outSize.Load()); queued == 0 {
			return c.room(n)
		}
	}
	r := c.ex()
	r.refused = max(r.refused, int32(n))
	c.peak() // a full queue that nobody reads does not change any more, and must not be forgotten
	return ErrQueueFull
}

// roomy reports whether a writer need not wait: half of the limit is free, and
// what was refused fits, for its writer would try in vain before. mu is held.
func (c *Conn) roomy() bool {
	most := int(c.maxQueued) / 2
	if r := c.rare.Load(); r != nil && r.refused > 0 {
		most = min(most, max(0, int(c.maxQueued)-int(r.refused)))
	}
	return int(c.outSize.Load()) <= most
}

func (r *rare) writeError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.werr
}

// smallString is the size up to which a string is copied into a Block rather
// than queued by itself, bytes.
const smallString = 512

// send queues head, bufs and s in this order and sends what may be sent now.
// mu is held.
func (c *Conn) send(head []byte, bufs [][]byte, s string) {
	if c.link.std == nil && !c.blocked && c.sendDirect(head, bufs, s) {
		return
	}
	before := c.out.Len()
	err := c.out.Append(c.id, head)
	for _, p := range bufs {
		if err == nil {
			err = c.out.Append(c.id, p)
		}
	}
	if len(s) > smallString {
		c.out.PushString(s)
	} else if err == nil && s != "" {
		var small [smallString]byte
		err = c.out.Append(c.id, small[:copy(small[:], s)])
	}
	if err != nil {
		c.violated(err)
		return
	}
	c.settle(c.out.Len() - before)
}

// settle counts n bytes that were queued and sends unless the cork is in. mu is
// held.
func (c *Conn) settle(n int) {
	c.outSize.Add(int32(n))
	if c.link.std != nil {
		c.link.std.kick()
		return
	}
	if c.blocked {
		c.gauge(int(c.outSize.Load()))
		return
	}
	if c.out.Len() < corkMax && c.lp.Inline(c.id) {
		return
	}
	c.flush()
}

// sendDirect gives the pieces to the kernel behind what is queued, without
// copying them, if that is worth a system call now. It reports whether nothing
// is left to be queued. What the kernel does not take is queued here. mu is
// held.
func (c *Conn) sendDirect(head []byte, bufs [][]byte, s string) bool {
	total := len(head) + len(s)
	for _, p := range bufs {
		total += len(p)
	}
	if total < directMin && c.lp.Inline(c.id) {
		return false
	}
	if c.out.Len() > sock.Piece/2 || len(bufs) > 6 {
		return false // many small pieces: gather them first
	}
	var before [8][]byte
	queued, err := c.peek(before[:0])
	if err != nil {
		c.violated(err)
		return true
	}
	if len(queued) == len(before) {
		return false // there may be more of them
	}
	// Stored by index into an array of this frame, for append and stores through
	// a slice would have the caller's memory escape.
	var pieces [16][]byte
	k := copy(pieces[:], queued)
	pieces[k] = head
	for i, p := range bufs {
		pieces[k+1+i] = p
	}
	k += 1 + len(bufs)
	pieces[k] = buf.BytesOf(s)
	n, err := c.link.writev(pieces[:k+1])
	if err != nil && err != syscall.EAGAIN {
		c.writeFailed(err, total)
		return true
	}
	c.sent(n)
	taken := min(n, c.out.Len())
	c.out.Consume(taken)
	return c.queueRest(n-taken, head, bufs, s)
}

// peek is Peek with nothing asked of an empty queue. mu is held.
func (c *Conn) peek(dst [][]byte) ([][]byte, error) {
	if c.out.Len() == 0 {
		return dst, nil
	}
	return c.out.Peek(c.id, dst, sock.Piece)
}

// queueRest queues what is left of the pieces after the kernel took n bytes of
// them. mu is held.
func (c *Conn) queueRest(n int, head []byte, bufs [][]byte, s string) bool {
	var err error
	rest := func(p []byte) {
		k := min(n, len(p))
		n -= k
		if err == nil {
			err = c.out.Append(c.id, p[k:])
		}
	}
	rest(head)
	for _, p := range bufs {
		rest(p)
	}
	s = s[min(n, len(s)):]
	if len(s) > 0 {
		c.out.PushString(s)
	}
	if err != nil {
		c.violated(err)
		return true
	}
	c.outSize.Store(int32(c.out.Len()))
	if c.out.Len() > 0 {
		c.flush() // until the kernel says EAGAIN: only then does it report an edge
	}
	return true
}

// flush sends what is queued until the kernel takes no more. mu is held.
func (c *Conn) flush() {
	for c.out.Len() > 0 {
		var arr [16][]byte
		pieces, err := c.out.Peek(c.id, arr[:0], sock.Piece)
		if err != nil {
			c.violated(err)
			return
		}
		n, err := c.link.writev(pieces)
		if err == syscall.EAGAIN && c.state.Or(stFull)&stFull == 0 {
			continue // an edge before the bit was set went unseen: ask once more
		}
		if err == syscall.EAGAIN {
			c.outSize.Store(int32(c.out.Len()))
			c.stall()
			return
		}
		if err != nil {
			c.writeFailed(err, 0)
			return
		}
		c.out.Consume(n)
		c.sent(n)
	}
	c.outSize.Store(0)
	if c.is(stFull) { // seldom, and to clear a bit costs more than to look
		c.clear(stFull | stLooked)
	}
	c.emptied()
}

// stall notes that the kernel takes no more until it says writable. mu is held.
func (c *Conn) stall() {
	if c.phase == closing {
		c.look()
	}
	if !c.blocked {
		c.blocked, c.wdrained = true, true
		c.lastOut.Store(c.lp.Now())
		if c.writeFor.Load() != 0 {
			c.rearm()
		}
	}
	c.gauge(int(c.outSize.Load()))
	c.wakeWriters()
}

// emptied does what waits for the queue to be empty. mu is held.
func (c *Conn) emptied() {
	c.blocked = false
	c.gauge(0)
	c.wakeWriters()
	if c.holds() {
		return
	}
	if c.fin == finWanted {
		c.fin = finSent
		_ = c.link.shutdownWrite()
	}
	if c.phase == closing {
		c.retire(errLocalClose)
		return
	}
	if c.wdrained {
		c.wdrained = false
		c.signal(stDrained)
	}
}

// writeLate reports whether the write timeout passed while a callback ran, which
// it will be told of afterwards. mu is held.
func (c *Conn) writeLate() bool {
	return c.blocked && c.is(stWriteT) && c.writeFor.Load() != 0
}

// wakeWriters lets WaitWrite go on. mu is held.
func (c *Conn) wakeWriters() {
	r := c.rare.Load()
	if r == nil || c.phase == open && c.fin == finNone && !c.roomy() && !c.writeLate() {
		return
	}
	r.mu.Lock()
	if r.drain != nil {
		close(r.drain)
		r.drain = nil
	}
	r.mu.Unlock()
}

// writable is called by the driver: the kernel takes output again.
func (c *Conn) writable() {
	c.mu.Lock()
	c.clear(stFull | stLooked)
	if c.blocked && c.phase != closed {
		c.blocked = false
		c.flush()
	}
	c.mu.Unlock()
}

// uncork sends what was gathered while a callback ran.
func (c *Conn) uncork() {
	if c.outSize.Load() == 0 {
		return
	}
	c.mu.Lock()
	if !c.blocked && c.phase != closed && c.link.std == nil {
		c.flush()
	}
	c.mu.Unlock()
}

// Flush sends what was gathered since the callback began, without waiting for
// its end. It returns the error that keeps the connection from sending.
func (c *Conn) Flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == closed {
		return errClosed
	}
	if !c.blocked && c.link.std == nil {
		c.flush()
	}
	if r := c.rare.Load(); r != nil {
		return r.writeError()
	}
	return nil
}

// writeFailed notes that nothing can be sent any more and drops what is queued,
// and lost bytes that were accepted and are not. The input is still read to its end; then the connection is closed with what
// ended it (a hang-up must not eat unread input). mu is held.
func (c *Conn) writeFailed(err error, lost int) {
	if errors.Is(err, sock.ErrRetired) {
		return
	}
	if c.link.std == nil {
		err = c.opError("write", err)
	}
	r := c.ex()
	r.mu.Lock()
	if r.werr == nil {
		r.werr = err
	}
	r.mu.Unlock()
	c.drop(c.out.Release()+lost, err)
	c.outSize.Store(0)
	c.gauge(0)
	c.blocked = false
	if c.phase == closing {
		c.retire(err)
		return
	}
	c.wakeWriters()
	c.signal(stRead | stDead | stHup)
}

// WaitWrite blocks until half of the queue's limit is free again and a write
// that was refused fits, ctx is done, or nothing can be written any more. The event loop goes on meanwhile.
func (c *Conn) WaitWrite(ctx context.Context) error {
	return c.waitWrite(ctx.Done(), ctx.Err)
}

func (c *Conn) waitWrite(done <-chan struct{}, why func() error) error {
	for {
		wait, err := c.writeGate()
		if wait == nil {
			return err
		}
		c.handOff()
		select {
		case <-wait:
			c.lp.Resumed(c.id, "writer")
		case <-done:
			c.lp.Resumed(c.id, "writer, done")
			return why()
		}
	}
}

// writeGate returns a channel that is closed when a writer may look again, or
// nil if it need not wait.
func (c *Conn) writeGate() (<-chan struct{}, error) {
	r := c.ex()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != open || c.fin != finNone {
		return nil, errClosed
	}
	if !c.blocked && c.link.std == nil && c.out.Len() > 0 {
		c.flush()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.werr != nil {
		return nil, r.werr
	}
	if hs := c.holding(); hs != nil {
		return hs.done, nil
	}
	if c.roomy() {
		r.refused = 0
		return nil, nil
	}
	if c.writeLate() {
		return nil, ErrWriteTimeout
	}
	if r.drain == nil {
		r.drain = make(chan struct{})
	}
	return r.drain, nil
}

// Buffered returns the number of bytes that were accepted and not yet taken by
// the kernel.
func (c *Conn) Buffered() int {
	n := int(c.outSize.Load())
	if t := c.tls.Load(); t != nil {
		n += t.held()
	}
	return n
}

// SetMaxQueued replaces Options.MaxQueued for this connection, in bytes.
func (c *Conn) SetMaxQueued(n int) {
	c.mu.Lock()
	c.maxQueued = int32(max(1, min(n, maxQueue)))
	c.wakeWriters()
	c.mu.Unlock()
}

// violated aborts the connection: memory of another one stood in its queue. Not
// a byte of it was sent. mu is held.
func (c *Conn) violated(err error) {
	if errors.Is(err, buf.ErrOwner) {
		c.lp.engine.violation(c.id)
		err = ErrIsolation
	}
	c.link.reset() // a part of a write may have gone out: its end must not look like a whole
	c.retire(err)
}
