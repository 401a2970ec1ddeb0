package strand

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/d74363f0/strand/internal/sock"
)

// errTLSAgain is what crypto/tls reads when there is nothing to read now. It is
// a net.Error whose Temporary is true, so the session stays usable and keeps
// the part of a record it has (TestTLSIsResumable pins this).
var errTLSAgain error = &againError{}

type againError struct{}

func (*againError) Error() string   { return "strand: no ciphertext now" }
func (*againError) Timeout() bool   { return false }
func (*againError) Temporary() bool { return true }

// maxControl is how many bytes of answers to control messages are queued for a
// peer that does not read.
const maxControl = 64 << 10

// Read is crypto/tls reading records: it blocks during the handshake and says
// errTLSAgain afterwards.
func (t *tlsLayer) Read(p []byte) (int, error) {
	if t.plain != nil {
		return t.plain.Read(p)
	}
	if hs := t.hs.Load(); hs != nil {
		return t.readBlocking(hs, p)
	}
	if t.c.budget <= 0 {
		return 0, errTLSAgain // drained is false: the rest is offered in another turn
	}
	n, err := t.readLink(p)
	t.c.budget -= int32(n)
	return n, err
}

// readLink reads what is there, or returns errTLSAgain.
func (t *tlsLayer) readLink(p []byte) (int, error) {
	if len(t.raw) > 0 {
		n := copy(p, t.raw)
		if t.raw = t.raw[n:]; len(t.raw) == 0 {
			t.raw = nil
		}
		return n, nil
	}
	c := t.c
	if t.drained {
		if !c.clear(stRead) {
			return 0, errTLSAgain
		}
		t.drained = false
	}
	n, err := c.link.read(p)
	switch {
	case n > 0:
		t.drained = n < len(p) && n < sock.Piece && !c.is(stHup|stDead)
		c.came(n)
		return n, nil
	case err == syscall.EAGAIN:
		t.drained = true
		return 0, errTLSAgain
	case err == nil || err == io.EOF:
		return 0, io.EOF
	case errors.Is(err, sock.ErrRetired):
		return 0, errClosed
	}
	return 0, c.opError("read", err)
}

// Write is crypto/tls writing records: it queues them and never blocks. A
// writer has asked for room before it encrypted (send); what comes unasked are
// alerts, answers to KeyUpdate and the handshake.
func (t *tlsLayer) Write(rec []byte) (int, error) {
	if t.plain != nil {
		return t.plain.Write(rec)
	}
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == closed {
		return 0, errClosed
	}
	if c.fin != finNone && t.ready() {
		// The answer to a KeyUpdate, for which there is no way any more. An error would have
		// crypto/tls keep the old key for reading, and lose what the peer still sends.
		return len(rec), nil
	}
	if r := c.rare.Load(); r != nil {
		if err := r.writeError(); err != nil {
			return 0, err
		}
	}
	if !c.blocked {
		t.control = 0
	} else if !t.gather {
		if t.control += int32(len(rec)); t.control > maxControl {
			c.link.reset()
			c.retire(errTLSFlood)
			return 0, errClosed
		}
	}
	if err := c.out.Append(c.id, rec); err != nil {
		c.violated(err)
		return 0, errClosed
	}
	c.outSize.Add(int32(len(rec)))
	t.sendQueued()
	return len(rec), nil
}

// sendQueued sends what is queued, unless it is worth waiting for more. Conn.mu
// is held.
func (t *tlsLayer) sendQueued() {
	c := t.c
	if c.link.std != nil {
		c.link.std.kick()
		return
	}
	if c.blocked || c.out.Len() < corkMax && (t.gather || c.lp.Inline(c.id)) {
		return
	}
	c.flush()
}

// Close is never called by us; crypto/tls calls it when a handshake's context
// ends.
func (t *tlsLayer) Close() error {
	if t.plain != nil {
		return t.plain.Close()
	}
	return t.c.Abort()
}

// LocalAddr returns our address.
func (t *tlsLayer) LocalAddr() net.Addr {
	if t.plain != nil {
		return t.plain.LocalAddr()
	}
	return t.c.LocalAddr()
}

// RemoteAddr returns the peer's address.
func (t *tlsLayer) RemoteAddr() net.Addr {
	if t.plain != nil {
		return t.plain.RemoteAddr()
	}
	return t.c.RemoteAddr()
}

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (t *tlsLayer) SetDeadline(at time.Time) error {
	if t.plain != nil {
		return t.plain.SetDeadline(at)
	}
	return nil
}

// SetReadDeadline does nothing on a connection of an engine: reads do not block
// but in the handshake, which has a timeout of its own.
func (t *tlsLayer) SetReadDeadline(at time.Time) error {
	if t.plain != nil {
		return t.plain.SetReadDeadline(at)
	}
	return nil
}

// SetWriteDeadline does nothing on a connection of an engine: writes do not
// block. crypto/tls calls it around its close_notify.
func (t *tlsLayer) SetWriteDeadline(at time.Time) error {
	if t.plain != nil {
		return t.plain.SetWriteDeadline(at)
	}
	return nil
}

// TLSWire returns nc in a wrapping that makes no difference until Adopt is given
// a *tls.Conn over it whose handshake is complete: that one goes onto the event
// loop, where a *tls.Conn over any other net.Conn costs two goroutines. It
// serves a client that makes a handshake of its own, with a context or through a
// proxy, before there is an engine's connection.
func TLSWire(nc net.Conn) net.Conn { return &tlsLayer{plain: nc} }

// takeTLS recognises a *tls.Conn over a TLSWire. It returns what the wire was
// laid over, and makes the session the connection's.
func (c *Conn) takeTLS(nc net.Conn) net.Conn {
	tc, ok := nc.(*tls.Conn)
	if !ok || !tc.ConnectionState().HandshakeComplete {
		return nc
	}
	t, ok := tc.NetConn().(*tlsLayer)
	if !ok || t.plain == nil {
		return nc
	}
	inner := t.plain
	t.plain, t.c, t.tc = nil, c, tc
	t.state.Store(tlsReady)
	c.tls.Store(t)
	return inner
}
