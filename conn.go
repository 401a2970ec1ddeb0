package strand

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/d74363f0/strand/internal/buf"
	"github.com/d74363f0/strand/internal/check"
	"github.com/d74363f0/strand/internal/loop"
)

// Conn is one connection. Its methods are safe for any goroutine unless they
// say "strand only": those are called from a callback of this connection, or
// from code a callback waits for. A Conn is garbage after its end like any
// other value, and every method that reads or writes then returns an error that
// is net.ErrClosed.
type Conn struct {
	id  uint64
	lp  *shard
	lsn *Listener // nil if it was not accepted

	handler Handler // the strand's; written under mu too
	link    link
	peer    peerAddr

	state   atomic.Uint32
	outSize atomic.Int32 // bytes accepted and not taken by the kernel; written under mu
	outLow  uint32       // mu: counted with rare.outHigh (conn_count.go)
	token   uint64       // the loop's; names it to the poller
	rare    atomic.Pointer[rare]
	tls     atomic.Pointer[tlsLayer] // nil for a plain connection

	mu        sync.Mutex // guards the output: docs/locks.md
	out       buf.Queue  // mu
	maxQueued int32      // mu
	gauged    int32      // mu: how much of the output the loop's gauge counts
	phase     phase      // mu
	blocked   bool       // mu: the kernel takes no more until it says writable
	fin       finState   // mu
	wdrained  bool       // mu: output was blocked since the last OnDrained

	// The strand's.
	readDone bool // the last read took everything there was
	eof      bool // the end of the input, or an error, has been read
	unread   bool // reader.unread is not empty
	news     bool // Read has taken stRead, in whichever callback
	budget   int32
	inLow    atomic.Uint32 // counted with rare.inHigh; the strand adds, anyone looks

	// Timeouts in ticks of the loop; 0 is off. Any goroutine stores them, the
	// driver looks.
	idleFor, writeFor        atomic.Uint32
	readBy, timerAt, closeBy atomic.Uint32
	lastIO, lastOut          atomic.Uint32
	armed                    atomic.Uint32 // the tick the loop's timer is set for
}

// rare is what few connections need. It is made on first use and stays.
type rare struct {
	parked chan struct{} // capacity 1: wakes the parked reader
	addrs  *addrs        // set before the connection is shared; nil if the link knows

	mu      sync.Mutex
	drain   chan struct{} // mu: closed when WaitWrite may go on; nil if nobody waits
	inHigh  uint32        // mu: how many 4 GiB were read
	outHigh uint32        // Conn.mu: how many 4 GiB the kernel took
	acked   uint32        // Conn.mu: how much of Conn.outLow the peer had acknowledged at the last look
	refused int32         // Conn.mu: the size of the largest write refused since WaitWrite returned
	posts   []func(*Conn) // mu
	err     error         // mu: why the connection ended
	werr    error         // mu: why nothing more can be written
	reader  *reader       // the strand's, like what is in it: see Conn.reader
}

// reader is what few who read need.
type reader struct {
	unread []byte
	err    error    // what ended the input, if not io.EOF
	view   net.Conn // NetConn's, of which there is one: it serialises those who read
}

// addrs are the addresses of an adopted socket, which has lost them, or of a peer
// with a zone. Either may be nil.
type addrs struct{ local, remote net.Addr }

// phase is how far the end of a connection has come. Guarded by Conn.mu.
type phase uint8

const (
	open    phase = iota
	closing       // Close was called; what is queued is still sent
	closed        // retired: no call reaches the descriptor any more
)

// finState is how far CloseWrite has come. Guarded by Conn.mu.
type finState uint8

const (
	finNone   finState = iota
	finWanted          // after what is queued
	finSent
)

func newConn(lp *shard, h Handler) *Conn {
	c := &Conn{id: lastID.Add(1), lp: lp, handler: h, maxQueued: int32(min(lp.engine.opts.MaxQueued, maxQueue))}
	if check.Enabled {
		lp.engine.homing.add(c)
	}
	return c
}

// maxQueue is the largest limit of the output in bytes: it is counted in 32 bits, and TLS adds up to
// two percent to what was counted.
const maxQueue = 1<<31 - 1<<26

// lastID makes IDs that never repeat in a process.
var lastID atomic.Uint64

// ex returns the rare part, made if need be.
func (c *Conn) ex() *rare {
	if r := c.rare.Load(); r != nil {
		return r
	}
	r := &rare{parked: make(chan struct{}, 1)}
	if c.rare.CompareAndSwap(nil, r) {
		return r
	}
	return c.rare.Load()
}

// reader returns the part of rare that is the strand's, made if need be.
func (c *Conn) reader() *reader {
	r := c.ex()
	if r.reader == nil {
		r.reader = new(reader)
	}
	return r.reader
}

// ID returns the connection's number, which no other connection of the process
// ever has.
func (c *Conn) ID() uint64 { return c.id }

// Engine returns the engine the connection belongs to.
func (c *Conn) Engine() *Engine { return c.lp.engine }

// Handler returns the present Handler. Strand only.
func (c *Conn) Handler() Handler { return c.handler }

// SetHandler replaces the Handler: a change of protocol. The new one's OnOpen
// is not called; if input is pending its OnReadable follows. Strand only.
func (c *Conn) SetHandler(h Handler) {
	c.setHandler(h)
	if c.unread || !c.readDone {
		c.state.Or(stRead)
	}
}

func (c *Conn) setHandler(h Handler) {
	c.mu.Lock() // for onHangup, which reads it outside the strand
	c.handler = h
	c.mu.Unlock()
	if _, ok := h.(buf.AheadReader); ok {
		c.state.Or(stEager)
	} else if c.is(stEager) {
		c.clear(stEager | stAhead)
	}
}

// LocalAddr returns our address. It is made anew for each call, so that an
// idle connection keeps none.
func (c *Conn) LocalAddr() net.Addr {
	if r := c.rare.Load(); r != nil && r.addrs != nil && r.addrs.local != nil {
		return r.addrs.local
	}
	if a := c.link.local(); a != nil {
		return a
	}
	if c.lsn != nil { // closed: the best that is still known
		return c.lsn.Addr()
	}
	return &net.TCPAddr{}
}

// RemoteAddr returns the peer's address, also after the end. It is made anew
// for each call, so that an idle connection keeps none.
func (c *Conn) RemoteAddr() net.Addr {
	if r := c.rare.Load(); r != nil && r.addrs != nil && r.addrs.remote != nil {
		return r.addrs.remote
	}
	return c.link.remote(c.peer.addr())
}

// Post has f run as a callback of the strand, after what is running. It returns
// net.ErrClosed, and f never runs, once the connection is closed. On a connection that NetConn
// was called on f must not read, since that is the net.Conn's.
func (c *Conn) Post(f func(*Conn)) error {
	r := c.ex()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == closed {
		return errClosed
	}
	r.mu.Lock()
	r.posts = append(r.posts, f)
	r.mu.Unlock()
	c.signal(stPost) // under mu, so that OnClose cannot come before it
	return nil
}

// Uptime returns the time since the connection's engine began. It is as of the
// present batch of the connection's loop, which is some 20 milliseconds ago at the
// most, and costs next to nothing: for what is not worth a look at the clock.
func (c *Conn) Uptime() time.Duration {
	return time.Duration(c.lp.Now()) * loop.TickDuration
}
