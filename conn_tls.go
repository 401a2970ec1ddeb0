package strand

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// TLSOptions are the parameters of StartTLS that a tls.Config does not have. The
// zero TLSOptions are useful.
type TLSOptions struct {
	// Client makes us the client of the handshake.
	Client bool

	// HandshakeTimeout is the longest the handshake may take, from StartTLS on.
	// Zero: Options.HandshakeTimeout.
	HandshakeTimeout time.Duration

	// Done is called as a callback of the connection when the handshake has
	// succeeded, before the first OnReadable over TLS. It is not called on a
	// connection that NetConn was asked for.
	Done func(c *Conn)

	// Plain lets one port serve both: if the peer's first byte does not begin a
	// TLS handshake, the connection stays what it was, Plain is called as a
	// callback, and OnReadable follows. Without it such a peer is closed. It is not
	// called on a connection that NetConn was asked for meanwhile.
	Plain func(c *Conn)
}

// HandshakeError is the reason of a connection that was closed because its TLS
// handshake failed.
type HandshakeError struct{ Err error }

// Error says what failed.
func (e *HandshakeError) Error() string { return "strand: TLS handshake: " + e.Err.Error() }

// Unwrap returns the error of crypto/tls, or of the connection.
func (e *HandshakeError) Unwrap() error { return e.Err }

// ErrHandshakeTimeout is inside the HandshakeError of a peer that took too long.
var ErrHandshakeTimeout error = &timeoutError{"strand: TLS handshake timeout"}

var (
	errTLSTwice  = errors.New("strand: StartTLS: the connection speaks TLS already")
	errTLSConfig = errors.New("strand: StartTLS: no config")
	errTLSReneg  = errors.New("strand: StartTLS: renegotiation is not supported")

	// errTLSBegan sends a writer to the TLS layer that came while it waited.
	errTLSBegan = errors.New("strand: TLS began")

	// errTLSFlood ends a peer that has us answer control messages and does not
	// read the answers (hazard 120).
	errTLSFlood = errors.New("strand: TLS peer does not read what it asks for")
)

// StartTLS has the connection speak TLS from here on, as the server unless
// o.Client is set. It returns at once, and the handshake follows on a goroutine
// of its own; what is written meanwhile is kept and sent after it, and
// OnReadable is called when there is something to read behind it. What Unread
// gave back is read as the beginning of the handshake, so a peer cannot smuggle
// plain text past a STARTTLS command. If the handshake fails the connection is
// closed, and OnClose receives a *HandshakeError. o may be nil. Strand only.
func (c *Conn) StartTLS(config *tls.Config, o *TLSOptions) error {
	if config == nil {
		return errTLSConfig
	}
	hs := &handshake{parked: make(chan struct{}, 1), late: make(chan struct{}, 1), done: make(chan struct{}), gate: c.lp.engine.gate}
	if o != nil {
		hs.opts = *o
	}
	if c.tls.Load() != nil {
		return errTLSTwice
	}
	if hs.opts.Client && config.Renegotiation != tls.RenegotiateNever {
		return errTLSReneg // it would block inside a read
	}
	if c.eof {
		return c.readError()
	}
	t := &tlsLayer{c: c, drained: c.readDone, hold: true}
	if hs.opts.Client {
		t.tc = tls.Client(t, config)
	} else {
		t.tc = tls.Server(t, config)
	}
	if c.unread {
		r := c.reader()
		t.raw, r.unread, c.unread = r.unread, nil, false
	}
	t.hs.Store(hs)
	if err := t.install(hs); err != nil {
		return err
	}
	c.readDone = true // what there is, is ciphertext
	switch {
	case hs.opts.Client || len(t.raw) > 0:
		t.begin(false)
	case !t.drained:
		c.state.Or(stRead)
	}
	return nil
}

// install makes t the connection's layer.
func (t *tlsLayer) install(hs *handshake) error {
	c := t.c
	timeout := hs.opts.HandshakeTimeout
	if timeout <= 0 {
		timeout = c.lp.engine.opts.HandshakeTimeout
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != open || c.fin != finNone {
		return errClosed
	}
	hs.timer = time.AfterFunc(timeout, func() { c.abort(&HandshakeError{ErrHandshakeTimeout}) })
	c.tls.Store(t)
	return nil
}

// tlsLayer stands between a connection and its link once it speaks TLS. The
// records are those of crypto/tls, which reads and writes the layer itself
// (tls_wire.go): blocking on a goroutine until the handshake is over
// (tls_handshake.go), never afterwards.
type tlsLayer struct {
	c     *Conn
	tc    *tls.Conn
	plain net.Conn // before Adopt: see TLSWire
	hs    atomic.Pointer[handshake]
	state atomic.Uint32

	// The handshake's while it runs, then the strand's.
	drained bool        // the last read took all there was
	raw     []byte      // was read before TLS began
	done    func(*Conn) // TLSOptions.Done, when it is to be called

	// wmu keeps writers in order: what is encrypted first is queued first. It is
	// taken before the locks of crypto/tls, and those before Conn.mu; nobody
	// calls crypto/tls with Conn.mu held.
	wmu sync.Mutex

	hold    bool  // Conn.mu: an empty queue is not the end of the output
	gather  bool  // Conn.mu: more records follow at once
	control int32 // Conn.mu: bytes of control messages queued for a peer that does not read
}

// The states of a tlsLayer.
const (
	tlsWaiting uint32 = iota // for the peer's first byte
	tlsShaking               // the handshake's goroutine runs
	tlsReady
	tlsPlain    // the peer speaks no TLS: the strand takes the layer away
	tlsStripped // and does so now
	tlsFailed
)

func (t *tlsLayer) ready() bool { return t.state.Load() == tlsReady }

// tlsNotReady returns the layer if there is one whose handshake is not over.
func (c *Conn) tlsNotReady() *tlsLayer {
	if t := c.tls.Load(); t != nil && !t.ready() {
		return t
	}
	return nil
}

// TLS returns the state of the TLS session, or nil for a connection that is
// plain or whose handshake is not over.
func (c *Conn) TLS() *tls.ConnectionState {
	if t := c.tls.Load(); t != nil {
		if !t.ready() {
			return nil
		}
		state := t.tc.ConnectionState()
		return &state
	}
	if c.link.std == nil {
		return nil
	}
	return c.link.std.tlsState()
}

// read is Conn.Read of a connection that speaks TLS.
func (t *tlsLayer) read(p []byte) (int, error) {
	c := t.c
	if !t.ready() {
		return 0, t.notReady()
	}
	if c.unread {
		return c.readUnread(p)
	}
	if c.eof {
		return 0, c.readError()
	}
	if c.readDone && !c.is(stRead) {
		if !c.alive() { // or who reads and waits in turn would do so for ever
			return 0, errClosed
		}
		return 0, ErrWouldBlock
	}
	if len(p) == 0 {
		if !c.alive() {
			return 0, errClosed
		}
		return 0, nil
	}
	c.news = true // the turn looks at what is left
	n, err := t.tc.Read(p)
	switch {
	case err == nil:
		c.readDone = false // crypto/tls may hold more; only errTLSAgain says that it does not
		return n, nil
	case err == errTLSAgain:
		c.readDone = t.drained && len(t.raw) == 0
		err = ErrWouldBlock
	default:
		c.eof = true
		c.reader().err = err
		if !c.alive() {
			err = errClosed
		}
	}
	if n > 0 {
		return n, nil // the error stays
	}
	return 0, err
}

// notReady returns what a read before the end of the handshake returns.
func (t *tlsLayer) notReady() error {
	switch {
	case !t.c.alive():
		return errClosed
	case t.state.Load() == tlsFailed:
		if err := t.c.reason(); err != nil {
			return err
		}
	}
	return ErrWouldBlock
}

// closeFor is Close for a reason: what is queued, an alert perhaps, is sent
// first.
func (c *Conn) closeFor(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == closed {
		return
	}
	if t := c.tls.Load(); t != nil {
		t.hold = false
	}
	if c.outSize.Load() == 0 {
		c.retire(err)
		return
	}
	r := c.ex()
	r.mu.Lock()
	r.err = err
	r.mu.Unlock()
	if c.phase == open {
		c.phase = closing
		c.wakeWriters()
		c.closeBy.Store(c.patience())
		c.rearm()
	}
	if !c.blocked && c.link.std == nil {
		c.flush()
	}
}
