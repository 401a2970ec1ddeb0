package websocket

import (
	"context"

	"github.com/d74363f0/strand/internal/ws"
)

// Writer sends one message of unknown size, each Write as a fragment. It is for
// one goroutine at a time.
type Writer struct {
	c     *Conn
	ctx   context.Context
	op    ws.Opcode // of the next frame
	ended bool
}

// streamPiece is the longest fragment that a Writer makes.
const streamPiece = 32 << 10

// Writer begins a message that is sent in fragments, uncompressed. Its Write
// waits until the peer has taken enough of what is queued; ctx bounds the
// waits. Other messages written meanwhile wait, within Options.MaxQueued, until
// the Writer is closed; control frames do not. There is one Writer at a time, and
// it must be closed, or the connection: another is refused with ErrStreaming. While
// messages wait in the queue, it is ErrQueueFull.
func (c *Conn) Writer(ctx context.Context, t MessageType) (*Writer, error) {
	if t != Text && t != Binary {
		return nil, ErrMessageType
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Load() != stateOpen {
		return nil, ErrClosed
	}
	x := c.extraLocked()
	if x.streaming {
		return nil, ErrStreaming
	}
	if len(x.pending.list) > 0 {
		return nil, ErrQueueFull
	}
	x.streaming = true
	return &Writer{c: c, ctx: ctx, op: ws.Opcode(t)}, nil
}

// Write sends p as one fragment, or several if it is long.
func (w *Writer) Write(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		piece := p[sent:min(len(p), sent+streamPiece)]
		if err := w.frame(piece, false); err != nil {
			return sent, err
		}
		sent += len(piece)
	}
	return sent, nil
}

// Close ends the message. A second Close is harmless.
func (w *Writer) Close() error {
	if w.ended {
		return nil
	}
	return w.frame(nil, true)
}

// frame sends one fragment when there is room for it.
func (w *Writer) frame(p []byte, fin bool) error {
	if w.ended {
		return ErrClosed
	}
	for {
		ok, err := w.try(p, fin)
		if ok || err != nil {
			return err
		}
		if err = w.c.waitOpen(w.ctx); err != nil {
			return err
		}
	}
}

func (w *Writer) try(p []byte, fin bool) (bool, error) {
	c := w.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Load() != stateOpen {
		return false, ErrClosed
	}
	if !fin && c.sc.Buffered() > c.o.transportLimit()/2 {
		return false, nil
	}
	if err := c.sendLocked(ws.Header{Fin: fin, Op: w.op}, p); err != nil {
		// The transport has gone: nobody must wait for this message's end.
		w.ended = true
		c.x.endStream()
		return false, err
	}
	w.op = ws.OpContinuation
	if fin {
		w.ended = true
		c.x.endStream()
		c.pumpLocked()
	}
	return true, nil
}
