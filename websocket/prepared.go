package websocket

import (
	"sync/atomic"

	"github.com/d74363f0/strand/internal/ws"
)

// Prepared is a message that is framed, and compressed, once for any number of
// connections, whose queues share it without a copy each. It may be used from
// any goroutine, also at once.
type Prepared struct {
	t       MessageType
	plain   string // the frame as a server sends it
	payload string // the end of plain
	// The compressed frames, by window bits less eight, made when first needed.
	// They refer to no earlier message.
	deflated [8]atomic.Pointer[string]
}

// Prepare makes a prepared message with a copy of p. A Text must be UTF-8.
func Prepare(t MessageType, p []byte) *Prepared {
	b := make([]byte, 0, ws.HeaderLen(int64(len(p)), false)+len(p))
	b = ws.AppendHeader(b, ws.Header{Fin: true, Op: ws.Opcode(t), Length: int64(len(p))})
	n := len(b)
	plain := string(append(b, p...))
	return &Prepared{t: t, plain: plain, payload: plain[n:]}
}

// deflate returns the frame that is compressed for a window.
func (p *Prepared) deflate(bits, level int) string {
	slot := &p.deflated[bits-8]
	if s := slot.Load(); s != nil {
		return *s
	}
	z := takeDeflater(bits, level)
	defer z.release()
	out := z.compress([]byte(p.payload), nil)
	b := make([]byte, 0, ws.MaxHeader+len(out))
	b = ws.AppendHeader(b, ws.Header{Fin: true, RSV1: true, Op: ws.Opcode(p.t), Length: int64(len(out))})
	s := string(append(b, out...))
	slot.Store(&s)
	return s
}

// sendPreparedLocked gives the transport a reference to the shared frame. A
// client masks, so it has nothing to share.
func (c *Conn) sendPreparedLocked(p *Prepared) error {
	d := c.deflate()
	if d != nil && len(p.payload) < c.o.Compression.threshold() {
		d = nil
	}
	if c.client {
		h := ws.Header{Fin: true, Op: ws.Opcode(p.t)}
		if d != nil {
			return c.sendDeflatedLocked(d, h, []byte(p.payload))
		}
		return c.sendLocked(h, []byte(p.payload))
	}
	if d == nil {
		return c.sendStringLocked(p.plain)
	}
	if err := c.sendStringLocked(p.deflate(d.outBits, c.o.Compression.level())); err != nil {
		return err
	}
	d.sentPrepared(p.payload)
	return nil
}
