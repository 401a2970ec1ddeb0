package strand

import (
	"errors"
	"io"

	"github.com/d74363f0/strand/internal/buf"
)

// sealMin is how much is gathered before it is encrypted: a record's worth, in
// bytes.
const sealMin = 16 << 10

// send is the Write methods of a connection that speaks TLS. Room is asked for
// before anything is encrypted: a record cannot be taken back.
func (t *tlsLayer) send(head []byte, bufs [][]byte, s string) (int, error) {
	n := len(head) + len(s)
	for _, p := range bufs {
		n += len(p)
	}
	t.wmu.Lock()
	defer t.wmu.Unlock()
	c := t.c
	c.mu.Lock()
	if c.tls.Load() != t {
		defer c.mu.Unlock()
		return t.sendPlain(n, head, bufs, s)
	}
	ready := t.ready()
	err := c.room(n)
	if err == nil && !ready {
		err = t.roomHeld(n)
	}
	var hs *handshake
	switch {
	case err != nil || n == 0:
	case ready:
		t.gather, t.hold = true, true
	default:
		if hs = t.hs.Load(); hs != nil { // which does not change under wmu
			hs.heldSize.Add(int32(n)) // under mu: whoever retires the connection counts them
		}
	}
	c.mu.Unlock()
	if err != nil || n == 0 {
		return 0, err
	}
	if !ready {
		if hs == nil {
			return 0, errClosed
		}
		hs.hold(n, head, bufs, s)
		return n, nil
	}
	err = t.seal(n, head, bufs, s)
	t.written()
	switch {
	case err == buf.ErrExhausted:
		return 0, err // before the first record
	case err != nil: // the queue takes every record until the end
		if r := c.rare.Load(); r != nil && r.writeError() != nil {
			err = r.writeError()
			return 0, err
		}
		return 0, errClosed
	}
	return n, nil
}

// roomHeld reports whether n more bytes may wait for the end of the handshake.
// Conn.mu is held.
func (t *tlsLayer) roomHeld(n int) error {
	held := t.held()
	if held == 0 || held+n <= int(t.c.maxQueued) {
		return nil
	}
	if hs := t.hs.Load(); hs != nil {
		hs.full = true
	}
	return ErrQueueFull
}

// sendPlain is for a writer that waited while the layer was taken away. Conn.mu
// is held.
func (t *tlsLayer) sendPlain(n int, head []byte, bufs [][]byte, s string) (int, error) {
	if err := t.c.room(n); err != nil || n == 0 {
		return 0, err
	}
	t.c.send(head, bufs, s)
	return n, nil
}

// seal encrypts the pieces. wmu is held.
func (t *tlsLayer) seal(n int, head []byte, bufs [][]byte, s string) error {
	// All goes through a Block, also what could be encrypted where it lies: what
	// is passed to crypto/tls would escape, and with it the argument of every
	// Write of a plain connection, too.
	b, err := buf.TryTake(t.c.id, min(n, sealMin))
	if err != nil {
		return err
	}
	defer b.Release()
	err = t.gatherInto(b, head)
	for _, p := range bufs {
		if err == nil {
			err = t.gatherInto(b, p)
		}
	}
	if err == nil {
		err = t.gatherInto(b, buf.BytesOf(s)) // crypto/tls only reads it
	}
	if err == nil && b.Len() > 0 {
		_, err = t.tc.Write(b.Data())
	}
	return err
}

// gatherInto appends p to b, and encrypts what b cannot hold.
func (t *tlsLayer) gatherInto(b *buf.Block, p []byte) error {
	for len(p) > 0 {
		k := b.Append(p)
		p = p[k:]
		if len(b.Tail()) > 0 {
			continue
		}
		_, err := t.tc.Write(b.Data())
		b.Reset()
		if err != nil {
			return err
		}
	}
	return nil
}

// written ends a run of records: they are sent, or wait for the cork. wmu is
// held.
func (t *tlsLayer) written() {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	t.gather, t.hold = false, false
	switch {
	case c.phase == closed:
	case c.outSize.Load() == 0:
		c.emptied() // hold kept it from noticing
	default:
		t.sendQueued()
	}
}

// held returns how many bytes wait for the end of the handshake.
func (t *tlsLayer) held() int {
	if hs := t.hs.Load(); hs != nil {
		return int(hs.heldSize.Load())
	}
	return 0
}

// lockWrites keeps writers out until the function it returns is called, and has
// close_notify sent before what the caller closes. During the handshake its
// goroutine does that. On a plain connection it does nothing.
func (c *Conn) lockWrites() (unlock func()) {
	t := c.tls.Load()
	if t == nil {
		return func() {}
	}
	t.wmu.Lock()
	if t.ready() {
		_ = t.tc.CloseWrite() // it queues: SetWriteDeadline and Write do not block
	}
	return t.wmu.Unlock
}

// holds reports whether the end of the queue is not the end of the output. mu is
// held.
func (c *Conn) holds() bool {
	t := c.tls.Load()
	if t == nil {
		return false
	}
	if c.phase == closing && !t.gather && t.held() == 0 {
		return false // a handshake that nobody waits for
	}
	return t.hold
}

// tlsHolds is holds for CloseWrite: a handshake goes on. mu is held.
func (c *Conn) tlsHolds() bool {
	t := c.tls.Load()
	return t != nil && t.hold
}

// holding returns the handshake that output waits for, if some was refused. mu
// is held.
func (c *Conn) holding() *handshake {
	t := c.tls.Load()
	if t == nil {
		return nil
	}
	hs := t.hs.Load()
	if hs == nil || !hs.full {
		return nil
	}
	t.begin(true)
	return hs
}

// retired ends a handshake, and with it what waits for its end. Conn.mu is held.
func (t *tlsLayer) retired(why cause) {
	if hs := t.hs.Load(); hs != nil {
		t.c.lp.dropped[why].Add(uint64(hs.heldSize.Swap(0)))
		hs.end()
	}
}

// endInput ends a connection whose input ended with err and that nobody closed.
func (c *Conn) endInput(err error) {
	if c.tls.Load() != nil && !errors.Is(err, io.EOF) {
		c.closeFor(err) // the peer is told by an alert
		return
	}
	c.abort(err)
}
