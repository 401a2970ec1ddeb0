package strand

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/d74363f0/strand/internal/check"
	"github.com/d74363f0/strand/internal/loop"
)

// Engine owns event loops and the connections on them. One engine is enough
// for a process.
type Engine struct {
	opts   Options
	shards []*shard
	watch  *loop.Watchdog
	gate   *gate // of TLS handshakes
	start  time.Time

	conns      atomic.Int64 // open connections
	violations atomic.Uint64

	homing  homing // the debug build's
	ballast ballast

	acceptErrors atomic.Uint64
	acceptLogged atomic.Int64 // when the last accept error was logged

	mu        sync.Mutex
	closed    bool                   // mu: no new connections or listeners
	listeners map[*Listener]struct{} // mu
	empty     chan struct{}          // mu: closed when conns reaches 0; nil if nobody waits
	ended     chan struct{}          // closed when the loops have ended
	endOnce   sync.Once
}

// shard is a loop with the counts of its connections, on cache lines of their
// own.
type shard struct {
	*loop.Loop
	engine *Engine
	_      [64]byte

	conns       atomic.Int64 // open connections of this loop
	in, out     atomic.Uint64
	dropped     [causes]atomic.Uint64      // bytes that were accepted and never sent
	drops       [dropReasons]atomic.Uint64 // messages of protocols
	accepted    atomic.Uint64
	closedConns atomic.Uint64
	closes      [causes]atomic.Uint64
	queued      atomic.Int64 // bytes that wait for peers that do not read
	maxQueued   loop.Peak    // the most of them for one peer
	maxBlocks   loop.Peak    // the most Blocks that one connection's output held
	_           [64]byte
}

// New returns an engine whose loops run until Shutdown or Close.
func New(o Options) (*Engine, error) {
	e := &Engine{
		opts:      o.withDefaults(),
		watch:     loop.NewWatchdog(),
		gate:      newGate(o.withDefaults().MaxHandshakes),
		start:     time.Now(),
		listeners: make(map[*Listener]struct{}),
		ended:     make(chan struct{}),
	}
	if err := e.ballast.take(e.opts.Ballast); err != nil {
		return nil, err
	}
	for range e.opts.Loops {
		p, err := loop.OpenPoller()
		if err != nil {
			for _, s := range e.shards {
				s.Start() // a loop closes its poller when it ends
				s.Stop()
			}
			return nil, err
		}
		s := &shard{engine: e}
		s.Loop = loop.New(p, e.watch, e.opts.Logger, e.clock)
		e.shards = append(e.shards, s)
	}
	e.watch.Start()
	for _, s := range e.shards {
		s.Start()
	}
	return e, nil
}

var defaultEngine = sync.OnceValue(func() *Engine {
	e, err := New(Options{})
	if err != nil {
		panic("strand: the default engine: " + err.Error())
	}
	return e
})

// Default returns the engine of the process, which is started on first use
// with zero Options and never ends. It panics if the process has no descriptor
// left for it.
func Default() *Engine { return defaultEngine() }

// clock returns nanoseconds of a clock that no jump of the wall clock moves
// (hazard 151).
func (e *Engine) clock() int64 { return int64(time.Since(e.start)) }

// pick returns the loop with the fewest connections.
func (e *Engine) pick() *shard {
	best := e.shards[0]
	for _, s := range e.shards[1:] {
		if s.conns.Load() < best.conns.Load() {
			best = s
		}
	}
	return best
}

// enter counts a new connection of s, unless the engine is closed or full.
func (e *Engine) enter(s *shard) error {
	n := e.conns.Add(1)
	if max := e.opts.MaxConns; max > 0 && n > int64(max) {
		e.gone()
		return ErrTooManyConns
	}
	if e.isClosed() {
		e.gone()
		return ErrEngineClosed
	}
	s.conns.Add(1)
	return nil
}

func (e *Engine) isClosed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed
}

// gone uncounts a connection.
func (e *Engine) gone() {
	if e.conns.Add(-1) > 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.empty != nil && e.conns.Load() == 0 {
		close(e.empty)
		e.empty = nil
	}
}

// attach gives a connection, already counted, to its loop. It is run by the
// driver; the callbacks follow on the ready list.
func (c *Conn) attach() {
	lp := c.lp
	c.token = lp.Link(c)
	c.lastIO.Store(lp.Now())
	if c.alive() {
		if err := c.link.watch(lp, c.token); err != nil {
			c.abort(err)
		}
	}
	if c.link.std != nil && c.alive() {
		go c.link.std.pump()
	}
	c.arm()
	if lp.engine.isClosed() {
		_ = c.Close() // it was on its way here while the connections were told to end
	}
	bits := stOpen
	if c.tls.Load() != nil {
		bits |= stRead // the session may hold plain text already
	}
	if c.post(bits) {
		lp.Again(c)
	}
}

// Adopt hands nc, which the caller must not use any more, to the engine. A
// *net.TCPConn or *net.UnixConn goes onto the event loop; any other net.Conn
// is served by two goroutines of its own. OnOpen of h follows. On an error nc
// is closed.
func (e *Engine) Adopt(nc net.Conn, h Handler) (*Conn, error) {
	return e.adopt(nc, h, e.pick(), nil)
}

func (e *Engine) adopt(nc net.Conn, h Handler, lp *shard, lsn *Listener) (*Conn, error) {
	if err := e.enter(lp); err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	c := newConn(lp, h)
	c.lsn = lsn
	nc = c.takeTLS(nc)
	taken, err := c.takeFD(nc)
	if err != nil {
		lp.conns.Add(-1)
		e.gone()
		return nil, errors.Join(err, nc.Close())
	}
	if !taken {
		c.link.std = newStdLink(nc, c)
	}
	lp.Post(c.attach)
	return c, nil
}

// Dial connects to addr and returns the connection; OnOpen of h is its first
// callback. It waits for the connection without holding a thread, and honours
// ctx. Names are resolved, and addresses raced, as net.Dialer does.
func (e *Engine) Dial(ctx context.Context, network, addr string, h Handler) (*Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return e.Adopt(nc, h)
}

// Shutdown stops accepting, closes every connection (what is queued is sent),
// waits for their end, and ends the loops; the OnClose of one whose callback is
// still running then follows that callback. When ctx is done first, the rest
// is aborted and the context's error returned. A protocol with more to say at
// the end says it before: http1.Server.Shutdown, for one.
func (e *Engine) Shutdown(ctx context.Context) error {
	e.refuse()
	e.each(func(c *Conn) { _ = c.Close() })
	err := e.waitEmpty(ctx)
	if err != nil {
		e.each(func(c *Conn) { _ = c.Abort() })
		_ = e.waitEmpty(context.Background())
	}
	e.end()
	return err
}

// Close is Shutdown that aborts every connection at once.
func (e *Engine) Close() error {
	e.refuse()
	e.each(func(c *Conn) { _ = c.Abort() })
	_ = e.waitEmpty(context.Background())
	e.end()
	return nil
}

func (e *Engine) refuse() {
	e.mu.Lock()
	e.closed = true
	var ls []*Listener
	for l := range e.listeners {
		ls = append(ls, l)
	}
	e.mu.Unlock()
	for _, l := range ls {
		_ = l.Close()
		<-l.Done()
	}
}

// each calls f for every connection, on the loops.
func (e *Engine) each(f func(*Conn)) {
	var wg sync.WaitGroup
	for _, s := range e.shards {
		wg.Add(1)
		visit := func() {
			defer wg.Done()
			s.Each(func(src loop.Source) {
				if c, ok := src.(*Conn); ok {
					f(c)
				}
			})
		}
		if !s.Post(visit) {
			wg.Done()
		}
	}
	wg.Wait()
}

func (e *Engine) waitEmpty(ctx context.Context) error {
	e.mu.Lock()
	if e.conns.Load() == 0 {
		e.mu.Unlock()
		return nil
	}
	if e.empty == nil {
		e.empty = make(chan struct{})
	}
	empty := e.empty
	e.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end stops the loops and waits for them.
func (e *Engine) end() {
	e.endOnce.Do(func() {
		for _, s := range e.shards {
			s.Stop()
		}
		for _, s := range e.shards {
			<-s.Done()
		}
		e.watch.Stop()
		e.ballast.drop()
		if check.Enabled {
			e.homing.check()
		}
		close(e.ended)
	})
	<-e.ended
}

// violation counts and reports memory of another connection in the queue of
// connection id.
func (e *Engine) violation(id uint64) {
	e.violations.Add(1)
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	where := ""
	for {
		f, more := frames.Next()
		where += f.Function + " "
		if !more {
			break
		}
	}
	e.opts.Logger.Error("strand: isolation violation: nothing was sent, the connection is aborted", "conn", id, "where", where)
	if e.opts.OnViolation != nil {
		go e.opts.OnViolation(Violation{Conn: id, Where: where})
	}
}
