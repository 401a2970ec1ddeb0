package websocket

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/d74363f0/strand"
)

// Conn is one WebSocket connection. Its methods may be called from any
// goroutine, also after the connection closed. It is kept small, because a
// server may have a million idle ones: what is rare is behind a pointer.
type Conn struct {
	sc  *strand.Conn // set before the handler's first call
	h   Handler
	o   *Options    // shared, never modified
	neg *negotiated // what the handshake agreed, or nil for nothing
	in  *inbound    // the message being received; nil between messages; strand only

	mu  sync.Mutex  // guards what is written to sc, the changes of state, x and end
	x   *extra      // nil until something rare happens
	end *CloseError // why the connection ends, once that is decided

	state  atomic.Uint32 // a state; changed under mu, in closing.go
	rtt    atomic.Uint32 // microseconds, of the last heartbeat; zero for unknown
	paused atomic.Bool   // between PauseRead and ResumeRead; changed under mu, with sc
	client bool          // we mask, the peer does not
	kind   handlerKind   // what else h is
	hdr    [4]byte       // the header being written; guarded by mu
	seen   bool          // something was received since the last heartbeat; strand only
	pinged bool          // a heartbeat is unanswered; strand only
}

// negotiated is what the opening handshake agreed.
type negotiated struct {
	protocol string
	deflate  *deflateState // nil for no compression
}

// extra is what only some connections need. The Conn's mu guards it.
type extra struct {
	pending   queue           // messages not yet given to sc
	pong      []byte          // the payload of a pong that waits for room; nil for none
	streaming bool            // a Writer is open
	streamEnd chan struct{}   // closed when it no longer is; nil if nobody waits
	drops     Drops           // what the queue policy did
	lifeEnd   time.Time       // when MaxLifetime ends; zero for never
	last      uint64          // what Conn.BytesAcked is when the peer has all that was queued at the close
	acked     uint64          // what it was when last looked at, no more than last
	patience  time.Time       // when a connection that is not open any more is ended; zero for never
	unwait    func()          // ends waiting; nil if nobody ever waited
	waiting   context.Context // until the connection is not open any more: see waitOpen
	onClosed  []func()        // called when the connection has ended
}

// endStream notes that no Writer is open any more.
func (x *extra) endStream() {
	x.streaming = false
	if x.streamEnd != nil {
		close(x.streamEnd)
		x.streamEnd = nil
	}
}

func newConn(h Handler, o *Options, neg *negotiated, client bool) *Conn {
	return &Conn{h: h, o: o, neg: neg, client: client, kind: kindOf(h)}
}

// handlerKind says how a Handler takes messages.
type handlerKind uint8

const (
	wholeMessages handlerKind = iota
	inPieces                  // a FrameHandler
	intoBuffers               // a BufferHandler, and no FrameHandler
)

func kindOf(h Handler) handlerKind {
	switch h.(type) {
	case FrameHandler:
		return inPieces
	case BufferHandler:
		return intoBuffers
	}
	return wholeMessages
}

// extraLocked returns x, making it if need be.
func (c *Conn) extraLocked() *extra {
	if c.x == nil {
		c.x = new(extra)
	}
	return c.x
}

func (c *Conn) deflate() *deflateState {
	if c.neg == nil {
		return nil
	}
	return c.neg.deflate
}

// Subprotocol returns the application protocol that was agreed, or "".
func (c *Conn) Subprotocol() string {
	if c.neg == nil {
		return ""
	}
	return c.neg.protocol
}

// Compressed reports whether permessage-deflate was agreed.
func (c *Conn) Compressed() bool { return c.deflate() != nil }

// RTT returns the round-trip time that the last heartbeat measured, or zero.
func (c *Conn) RTT() time.Duration { return time.Duration(c.rtt.Load()) * time.Microsecond }

// ID returns the number of the connection, which is never used again.
func (c *Conn) ID() uint64 { return c.sc.ID() }

// LocalAddr returns the local address.
func (c *Conn) LocalAddr() net.Addr { return c.sc.LocalAddr() }

// RemoteAddr returns the peer's address.
func (c *Conn) RemoteAddr() net.Addr { return c.sc.RemoteAddr() }

// TLS returns the state of the TLS connection, or nil if there is none.
func (c *Conn) TLS() *tls.ConnectionState { return c.sc.TLS() }

// Buffered returns how many bytes wait for the peer to read.
func (c *Conn) Buffered() int {
	n := c.sc.Buffered()
	c.mu.Lock()
	if c.x != nil {
		n += c.x.pending.bytes
	}
	c.mu.Unlock()
	return n
}

// PauseRead stops reading, and with it the callbacks but OnClose, until
// ResumeRead. Messages already read are still delivered. The heartbeat does not
// judge a peer that is not being read. Once the connection closes, or has begun
// to, PauseRead does nothing: what the peer still says must be read.
func (c *Conn) PauseRead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Load() != stateOpen {
		return
	}
	c.paused.Store(true)
	c.sc.PauseRead()
}

// ResumeRead ends PauseRead.
func (c *Conn) ResumeRead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resumeLocked()
}

// resumeLocked clears the flag first: with what the transport then has delivered,
// the handler may pause again.
func (c *Conn) resumeLocked() {
	c.paused.Store(false)
	c.sc.ResumeRead()
}

// Post has f called on the connection's strand, between callbacks. It returns
// an error, and never calls f, if the connection has closed.
func (c *Conn) Post(f func(c *Conn)) error {
	return c.sc.Post(func(*strand.Conn) {
		done := false
		defer c.guard(&done)
		f(c)
		done = true
	})
}

// OnClosed has f called when the connection has ended, just before the handler's
// OnClose, or at once if that is past. It is for those who keep lists of connections.
func (c *Conn) OnClosed(f func()) {
	c.mu.Lock()
	if c.state.Load() != stateClosed {
		x := c.extraLocked()
		x.onClosed = append(x.onClosed, f)
		f = nil
	}
	c.mu.Unlock()
	if f != nil {
		f()
	}
}
