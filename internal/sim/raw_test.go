//go:build linux && !strand_std

package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/d74363f0/strand"
)

// The ways in which a raw handler echoes.
const (
	inline    = iota // all within OnReadable
	blocking         // waits for input and for room within one OnReadable
	detached         // a goroutine with the blocking view
	posting          // goroutines post the writes
	unreading        // gives half of what it read back
	slow             // holds its callback, so that the watchdog notices
	elsewhere        // another goroutine writes
	styles
)

// The ways in which a raw handler ends its connection, after some bytes.
const (
	byPeer   = iota // it does not
	byClose         // Close, which sends what is queued
	byCloses        // from three goroutines at once
	byAbort
	byPanic
	byGoexit
	byFin // CloseWrite
	endings
)

// raw is a client of the echo handlers.
type raw struct {
	id, style, ending int
	total             int // bytes to be sent
	echo              int // bytes that come back
	sent, got         int
	fin               bool // the server ends its direction behind the echo
	flood             bool // much more than one turn may read, and little of it comes back
}

func newRaw(w *world, c *client) *raw {
	r := &raw{id: c.id, style: w.rng.IntN(styles), total: w.rng.IntN(1 << (2 + w.rng.IntN(12)))}
	r.echo = r.total
	if r.ending = w.rng.IntN(2 * endings); r.ending >= endings || r.style == detached {
		r.ending = byPeer
	}
	if r.ending != byPeer {
		r.echo = w.rng.IntN(r.total + 1)
	}
	if r.flood = w.rng.IntN(100) == 0; r.flood {
		r.style, r.ending, r.total, r.echo = inline, byFin, 1<<20+w.rng.IntN(1<<20), 1+w.rng.IntN(100)
	}
	r.fin = r.ending == byFin && r.total > 0 && r.style != posting && r.style != elsewhere
	c.halfOpen = w.rng.IntN(2) == 0
	return r
}

func (r *raw) more(*client) []byte {
	if r.sent == r.total {
		return nil
	}
	n := r.total - r.sent
	if !r.flood {
		n = min(n, 8<<10)
	}
	p := pattern(uint64(r.id), r.sent, n)
	r.sent += n
	return p
}

func (r *raw) take(_ *client, p []byte) error {
	if r.got+len(p) > r.echo {
		return fmt.Errorf("%d bytes came back of %d", r.got+len(p), r.echo)
	}
	if err := compare(p, uint64(r.id), r.got); err != nil {
		return err
	}
	r.got += len(p)
	return nil
}

func (r *raw) satisfied(c *client) bool {
	return r.got == r.echo && (!r.fin || c.f.shut || c.f.closed)
}

func (r *raw) endOK(*client) bool { return false }
func (r *raw) sentAll() bool      { return r.sent == r.total }
func (r *raw) idle(*client) bool  { return r.sent == r.total }

// echoer is the server's side.
type echoer struct {
	w  *world
	cl *client
	r  *raw

	rng     *rand.Rand // the strand's
	echoed  int        // bytes written or to be written; the strand's
	pending []byte     // refused by a full queue; the strand's
	cleared bool       // the read deadline was taken back; the strand's
	over    bool       // the input has ended, or we have; the strand's

	mu      sync.Mutex
	busy    bool   // mu: a callback runs
	opened  bool   // mu
	closed  bool   // mu
	queue   []byte // mu: for the goroutine that writes
	writing bool   // mu: it runs
	last    bool   // mu: it closes when the queue is empty
}

// accept makes the handler of a connection to the raw listener.
func (w *world) accept(c *strand.Conn) strand.Handler {
	cl := w.clients[c.RemoteAddr().(*net.TCPAddr).Port-1]
	return &echoer{w: w, cl: cl, r: cl.p.(*raw), rng: rand.New(rand.NewPCG(w.seed, uint64(cl.id)))}
}

// enter notes the beginning of a callback; the result ends it.
func (e *echoer) enter(what string) (leave func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.busy:
		e.w.fail("%v: %s while another callback runs", e.cl, what)
	case e.closed:
		e.w.fail("%v: %s after OnClose", e.cl, what)
	case !e.opened && what != "OnOpen":
		e.w.fail("%v: %s before OnOpen", e.cl, what)
	}
	e.busy = true
	return func() {
		e.mu.Lock()
		e.busy = false
		e.mu.Unlock()
	}
}

func (e *echoer) OnOpen(c *strand.Conn) {
	defer e.enter("OnOpen")()
	e.mu.Lock()
	e.opened = true
	e.mu.Unlock()
	e.w.mu.Lock()
	e.cl.opens++
	e.w.mu.Unlock()
	if e.w.hasty {
		c.SetIdleTimeout(e.w.soon())
		c.SetWriteTimeout(e.w.soon())
		c.SetReadDeadline(time.Now().Add(e.w.soon()))
		c.SetTimer(e.w.soon())
	}
	if e.r.style == detached {
		nc := c.NetConn()
		if e.w.hasty {
			_ = nc.SetDeadline(time.Now().Add(e.w.soon()))
		}
		go e.detached(c.ID(), nc)
	}
}

// OnTimeout keeps the connection now and then, and sets what has passed anew.
func (e *echoer) OnTimeout(c *strand.Conn, t strand.Timeout) (keep bool) {
	defer e.enter("OnTimeout")()
	if !e.w.hasty || t == strand.TimeoutRead && e.cleared {
		e.w.fail("%v: %v timeout, and none was set", e.cl, t)
	}
	switch t {
	case strand.TimeoutRead:
		c.SetReadDeadline(time.Now().Add(e.w.soon()))
	case strand.TimeoutTimer:
		c.SetTimer(e.w.soon())
	}
	return e.rng.IntN(3) > 0
}

func (e *echoer) OnClose(c *strand.Conn, err error) {
	leave := e.enter("OnClose")
	leave()
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.w.mu.Lock()
	e.cl.closes++
	if err != nil && !errors.Is(err, io.EOF) && !e.cl.spoiled && e.r.ending != byPanic && e.r.ending != byGoexit {
		e.w.failLocked("%v: OnClose(%v) and the client did nothing wrong", e.cl, err)
	}
	e.w.mu.Unlock()
	foreign := []byte("a byte of a connection that has closed")
	_, werr := c.Write(foreign)
	_, rerr := c.Read(make([]byte, 16))
	if !errors.Is(werr, net.ErrClosed) || !errors.Is(c.Post(func(*strand.Conn) {}), net.ErrClosed) || rerr == nil {
		e.w.fail("%v: use after OnClose is not refused: write %v, read %v", e.cl, werr, rerr)
	}
}

func (e *echoer) OnReadable(c *strand.Conn) {
	defer e.enter("OnReadable")()
	if errors.Is(c.Flush(), net.ErrClosed) {
		e.w.fail("%v: OnReadable of a connection that is closed", e.cl)
	}
	if e.w.hasty && !e.cleared && e.rng.IntN(2) == 0 {
		e.cleared = true
		c.SetReadDeadline(time.Time{})
	}
	if e.over {
		e.closeBehind(c) // the peer has hung up before all was written
		return
	}
	if e.pending != nil {
		e.retry(c) // reading is paused: the peer has hung up
		return
	}
	p := make([]byte, 1+e.rng.IntN(5000))
	for e.pending == nil && !e.over {
		n, err := c.Read(p)
		if err == strand.ErrWouldBlock && e.r.style == blocking {
			if err := c.WaitRead(context.Background()); err != nil {
				e.ended(c, err)
				return
			}
			continue
		}
		if err == strand.ErrWouldBlock {
			return
		}
		if err != nil {
			e.ended(c, err)
			return
		}
		if e.r.style == unreading && n > 1 && e.rng.IntN(2) == 0 {
			c.Unread(p[n/2 : n])
			n /= 2
		}
		if e.r.style == slow && e.rng.IntN(3) == 0 {
			e.w.Turn(c.ID(), "slow handler")
		}
		e.put(c, p[:n])
		clear(p) // what was lent is ours again
	}
}

// put echoes p, or what is left to be echoed, and ends the connection if that
// is due.
func (e *echoer) put(c *strand.Conn, p []byte) {
	if e.r.ending != byPeer {
		p = p[:min(len(p), e.r.echo-e.echoed)]
	}
	e.echoed += len(p)
	switch e.r.style {
	case posting, elsewhere:
		e.defers(c, p)
	case blocking:
		e.write(c, p)
	default:
		if _, err := c.Write(p); err == strand.ErrQueueFull {
			e.pending = append([]byte(nil), p...)
			c.PauseRead()
		}
	}
	if e.r.ending != byPeer && e.echoed == e.r.echo && e.pending == nil {
		e.end(c)
	}
}

// write writes p and waits for room.
func (e *echoer) write(c *strand.Conn, p []byte) {
	for {
		if _, err := c.Write(p); err != strand.ErrQueueFull {
			return
		}
		if c.WaitWrite(context.Background()) != nil {
			_ = c.Abort() // what is not written is missing
			return
		}
	}
}

// defers leaves p to a goroutine.
func (e *echoer) defers(c *strand.Conn, p []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue = append(e.queue, p...)
	if e.writing {
		return
	}
	e.writing = true
	go e.writer(c)
}

// writer writes the queue: as posts, or from its own goroutine.
func (e *echoer) writer(c *strand.Conn) {
	e.w.Turn(c.ID(), "writing goroutine")
	for {
		e.mu.Lock()
		p := e.queue
		e.queue = nil
		if len(p) == 0 {
			e.writing = false
			last := e.last
			e.mu.Unlock()
			if last {
				e.closeBehind(c)
			}
			return
		}
		e.mu.Unlock()
		if e.r.style == elsewhere {
			e.write(c, p)
			continue
		}
		if c.Post(func(c *strand.Conn) { e.write(c, p) }) != nil {
			continue
		}
		e.w.Turn(c.ID(), "posting goroutine")
	}
}

// ended is the end of the input.
func (e *echoer) ended(c *strand.Conn, err error) {
	e.over = true
	e.w.mu.Lock()
	if err != io.EOF && !e.cl.spoiled && e.r.ending == byPeer {
		e.w.failLocked("%v: read: %v, and the client did nothing wrong", e.cl, err)
	}
	e.w.mu.Unlock()
	e.closeLast(c)
}

// closeLast closes behind what other goroutines still write.
func (e *echoer) closeLast(c *strand.Conn) {
	e.mu.Lock()
	e.last = true
	writing := e.writing
	e.mu.Unlock()
	if writing {
		c.PauseRead() // nobody reads any more
		return
	}
	e.closeBehind(c)
}

// closeBehind closes behind what was posted.
func (e *echoer) closeBehind(c *strand.Conn) {
	if e.r.style == posting {
		_ = c.Post(func(c *strand.Conn) { _ = c.Close() })
		return
	}
	_ = c.Close()
}

// end ends the connection from our side, in its way.
func (e *echoer) end(c *strand.Conn) {
	e.over = e.r.ending != byFin
	switch e.r.ending {
	case byClose:
		e.closeLast(c)
	case byCloses:
		for range 3 {
			go func() {
				e.w.Turn(c.ID(), "closing goroutine")
				_ = c.Close()
				_ = c.Abort()
			}()
		}
		e.excuse()
	case byAbort:
		e.excuse()
		_ = c.Abort()
	case byPanic:
		e.excuse()
		panic("deliberate")
	case byGoexit:
		e.excuse()
		runtime.Goexit()
	case byFin:
		e.r.ending = byPeer
		e.mu.Lock()
		if !e.writing && e.r.style != posting {
			_ = c.CloseWrite()
		}
		e.mu.Unlock()
		e.discard(c)
	}
}

// discard reads on after our end of the stream.
func (e *echoer) discard(c *strand.Conn) {
	e.over = true
	c.SetHandler(&discarder{e})
}

// excuse says that the client may lose bytes from now on.
func (e *echoer) excuse() {
	e.w.mu.Lock()
	e.cl.spoiled = true
	e.w.mu.Unlock()
}

func (e *echoer) OnDrained(c *strand.Conn) {
	defer e.enter("OnDrained")()
	if e.pending != nil {
		e.retry(c)
	}
}

// retry writes what a full queue refused.
func (e *echoer) retry(c *strand.Conn) {
	_, err := c.Write(e.pending)
	if err == strand.ErrQueueFull {
		return
	}
	e.pending = nil
	if err != nil {
		_ = c.Abort()
		return
	}
	if e.r.ending != byPeer && e.echoed == e.r.echo {
		e.end(c)
	}
	c.ResumeRead()
}

// detached echoes through the blocking view, in a goroutine of its own.
func (e *echoer) detached(id uint64, nc net.Conn) {
	e.w.Turn(id, "detached goroutine")
	p := make([]byte, 3000)
	for {
		n, err := nc.Read(p)
		if n > 0 {
			if _, werr := nc.Write(p[:n]); werr != nil {
				err = werr
			}
		}
		if err != nil {
			break
		}
	}
	_ = nc.Close()
	if _, err := nc.Write([]byte("late")); !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) {
		e.w.fail("%v: a write after Close: %v", e.cl, err)
	}
}

// discarder is the handler of a connection whose output has ended.
type discarder struct{ *echoer }

func (d *discarder) OnReadable(c *strand.Conn) {
	defer d.enter("OnReadable")()
	p := make([]byte, 1+d.rng.IntN(100))
	if d.r.flood {
		p = make([]byte, 32<<10)
	}
	for total := 0; ; {
		n, err := c.Read(p)
		if total += n; total > 700<<10 {
			d.w.fail("%v: one turn reads %d bytes, and all others wait", d.cl, total) // hazard 74
		}
		if err == strand.ErrWouldBlock {
			return
		}
		if err != nil {
			d.closeLast(c)
			return
		}
	}
}

func (r *raw) String() string {
	return fmt.Sprintf("style %d, ending %d, sent %d of %d, received %d of %d", r.style, r.ending, r.sent, r.total, r.got, r.echo)
}
