package websocket

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/ws"
)

// outgoing is a message on its way. What it refers to is lent, unless it is in
// the pending queue, which copies.
type outgoing struct {
	t    MessageType
	key  string    // of WriteKeyed
	p    []byte    // the payload; or
	prep *Prepared // the payload
	wait bool      // the writer waits for room: go by half the limit, whatever the policy
}

func (m *outgoing) size() int {
	if m.prep != nil {
		return len(m.prep.payload)
	}
	return len(m.p)
}

// WriteMessage sends a message, or queues it if the peer is slow; it never
// blocks. A Text must be UTF-8. p is the caller's again when it returns. Beyond
// Options.MaxQueued the queue policy decides; nothing is ever sent in part. One
// of more than 1 GiB is not sent: the error is strand.ErrTooLarge, or, if the
// message had to wait, it is dropped later.
func (c *Conn) WriteMessage(t MessageType, p []byte) error {
	return c.write(&outgoing{t: t, p: p})
}

// WriteKeyed is WriteMessage of a message that makes an earlier one of the same
// key, if that still waits, superfluous under the policy KeepLatest. It takes the
// place of that one, if it fits there, and so may overtake messages without a key,
// or of other keys, that were written between them.
func (c *Conn) WriteKeyed(key string, t MessageType, p []byte) error {
	return c.write(&outgoing{t: t, key: key, p: p})
}

// WritePrepared sends a prepared message. See WriteMessage.
func (c *Conn) WritePrepared(p *Prepared) error {
	return c.write(&outgoing{t: p.t, prep: p})
}

// Send is WriteMessage that waits until the peer has taken enough of what is
// queued, the connection has begun to close or ctx is done.
func (c *Conn) Send(ctx context.Context, t MessageType, p []byte) error {
	m := outgoing{t: t, p: p, wait: true}
	for {
		err := c.write(&m)
		if !errors.Is(err, ErrQueueFull) {
			return err
		}
		if err = c.waitRoom(ctx, true); err != nil {
			return err
		}
	}
}

// WaitWrite blocks until the queue is at most half full, the connection has
// begun to close or ctx is done. An open Writer alone does not keep it.
func (c *Conn) WaitWrite(ctx context.Context) error {
	for {
		if err := c.waitRoom(ctx, c.halfFull()); err != nil {
			return err
		}
		if !c.halfFull() {
			return nil
		}
	}
}

// halfFull reports whether our own queue is more than half full.
func (c *Conn) halfFull() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.x != nil && c.x.pending.bytes > c.o.maxQueued()/2
}

// waitRoom blocks until the transport takes more, and gives it what waits; if
// behind is set, it first waits for the end of an open Writer, behind which our
// own queue waits. It may be called on the strand, where OnDrained cannot come meanwhile.
func (c *Conn) waitRoom(ctx context.Context, behind bool) error {
	c.mu.Lock()
	var ended chan struct{}
	if behind && c.x != nil && c.x.streaming {
		if c.x.streamEnd == nil {
			c.x.streamEnd = make(chan struct{})
		}
		ended = c.x.streamEnd
	}
	c.mu.Unlock()
	if ended != nil {
		select {
		case <-ended:
		case <-ctx.Done():
			return ctx.Err()
		}
		if c.state.Load() != stateOpen {
			return ErrClosed
		}
	}
	if err := c.waitOpen(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// By the measure of WaitWrite, so that each turn here makes progress.
	for c.x != nil && len(c.x.pending.list) > 0 && !c.x.streaming &&
		c.state.Load() == stateOpen && c.sc.Buffered() <= c.o.transportLimit()/2 {
		if err := c.sendNextLocked(); err != nil {
			return err
		}
	}
	return nil
}

// waitOpen waits for room in the transport, and no longer than the connection is open: behind a close
// nothing more is accepted, and a callback that waits keeps the peer's answer from being seen.
func (c *Conn) waitOpen(ctx context.Context) error {
	c.mu.Lock()
	if c.state.Load() != stateOpen {
		c.mu.Unlock()
		return ErrClosed
	}
	x := c.extraLocked()
	if x.unwait == nil {
		x.waiting, x.unwait = context.WithCancel(context.Background())
	}
	waiting := x.waiting
	c.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(waiting, cancel)()
	err := c.sc.WaitWrite(ctx)
	c.mu.Lock() // a close in progress lifts the transport's limit, which looks like room
	defer c.mu.Unlock()
	if c.state.Load() != stateOpen {
		return ErrClosed
	}
	return closedError(err)
}

// closedError makes what the transport says after its end what we say.
func closedError(err error) error {
	if err == nil || errors.Is(err, strand.ErrTooLarge) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return ErrClosed
}

// Ping sends a ping with a payload of at most 125 bytes. It fails with
// ErrQueueFull rather than wait behind a full queue.
func (c *Conn) Ping(payload []byte) error {
	if len(payload) > ws.MaxControl {
		return ErrControlTooLong
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Load() != stateOpen {
		return ErrClosed
	}
	if c.sc.Buffered() > c.o.maxQueued() {
		return ErrQueueFull
	}
	return c.sendLocked(ws.Header{Fin: true, Op: ws.OpPing}, payload)
}

// pongsAtOnce is how many bytes may wait for the peer before pongs do too, of
// which only the latest is then kept (RFC 6455 section 5.5.3; hazard 98).
const pongsAtOnce = 64 << 10

// answerPing sends the pong for a ping.
func (c *Conn) answerPing(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Load() != stateOpen {
		return
	}
	if c.sc.Buffered() > pongsAtOnce {
		_ = c.sc.Flush()
	}
	if c.sc.Buffered() > pongsAtOnce {
		x := c.extraLocked()
		x.pong = append(make([]byte, 0, len(p)), p...)
		return
	}
	if c.x != nil {
		c.x.pong = nil // an older one that still waited
	}
	_ = c.sendLocked(ws.Header{Fin: true, Op: ws.OpPong}, p)
}

// write sends a message, or does with it what the policy says.
func (c *Conn) write(m *outgoing) error {
	if m.t != Text && m.t != Binary {
		return ErrMessageType
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Load() != stateOpen {
		return ErrClosed
	}
	if c.x != nil && (c.x.streaming || len(c.x.pending.list) > 0) {
		return c.enqueueLocked(m)
	}
	if !c.roomLocked(m) {
		// What this callback wrote may only wait for the callback to end.
		_ = c.sc.Flush()
		if !c.roomLocked(m) {
			return c.overflowLocked(m)
		}
	}
	return c.sendMessageLocked(m)
}

// roomLocked reports whether a message may be given to the transport now.
func (c *Conn) roomLocked(m *outgoing) bool {
	b := c.sc.Buffered()
	limit := c.o.transportLimit()
	switch {
	case b == 0:
		return true
	case m.wait:
		return b <= limit/2
	case c.o.Queue == DropOldest || c.o.Queue == KeepLatest:
		limit /= 2
	}
	return m.size()+ws.MaxHeader <= limit-b
}

// sendMessageLocked frames a message and gives it to the transport.
func (c *Conn) sendMessageLocked(m *outgoing) error {
	if m.prep != nil {
		return c.sendPreparedLocked(m.prep)
	}
	h := ws.Header{Fin: true, Op: ws.Opcode(m.t)}
	if d := c.deflate(); d != nil && len(m.p) >= c.o.Compression.threshold() {
		return c.sendDeflatedLocked(d, h, m.p)
	}
	return c.sendLocked(h, m.p)
}

// sendLocked gives one frame to the transport, whatever the limit: that has been
// checked, or the frame is exempt. h needs neither length nor mask.
func (c *Conn) sendLocked(h ws.Header, p []byte) error {
	h.Length = int64(len(p))
	if c.client {
		return c.sendMaskedLocked(h, p)
	}
	// In c, since what the transport is given escapes; long headers move away.
	head := ws.AppendHeader(c.hdr[:0], h)
	_, err := c.sc.Writev(head, p)
	if err == strand.ErrQueueFull {
		c.liftLimit()
		_, err = c.sc.Writev(head, p)
		c.restoreLimit()
	}
	return closedError(err)
}

// sendMaskedLocked is sendLocked for a client. The caller's bytes stay as they
// are: what is masked is a copy.
func (c *Conn) sendMaskedLocked(h ws.Header, p []byte) error {
	// The key must be unpredictable to the application's peer (RFC 6455 section
	// 10.3): this generator is ChaCha8, seeded by the system.
	h.Masked, h.Key = true, rand.Uint32()
	n := ws.HeaderLen(h.Length, true)
	b := ws.AppendHeader(make([]byte, 0, n+len(p)), h)[:n+len(p)]
	ws.MaskTo(h.Key, b[n:], p, 0)
	_, err := c.sc.Write(b)
	if err == strand.ErrQueueFull {
		c.liftLimit()
		_, err = c.sc.Write(b)
		c.restoreLimit()
	}
	return closedError(err)
}

// sendStringLocked is sendLocked for a frame that is shared.
func (c *Conn) sendStringLocked(frame string) error {
	_, err := c.sc.WriteString(frame)
	if err == strand.ErrQueueFull {
		c.liftLimit()
		_, err = c.sc.WriteString(frame)
		c.restoreLimit()
	}
	return closedError(err)
}

// All frames pass under mu, which is what makes it safe to lift the transport's
// limit for one of them.
func (c *Conn) liftLimit()    { c.sc.SetMaxQueued(math.MaxInt) }
func (c *Conn) restoreLimit() { c.sc.SetMaxQueued(c.o.transportLimit()) }
