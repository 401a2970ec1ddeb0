//go:build linux && !strand_std

package sim

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/buf"
	"github.com/d74363f0/strand/internal/loop"
	"github.com/d74363f0/strand/internal/poll"
)

// faults are the probabilities of what can go wrong; each seed draws its own.
type faults struct {
	eintr, short, enobufs, accept, close, add float64
	hold, late, spurious, stale               float64
	reset, look, clock, memory                float64
}

// turn is a goroutine that waits to go on.
type turn struct {
	id   uint64
	what string
	ch   chan struct{}
}

// world is one run.
type world struct {
	seed  uint64
	rng   *rand.Rand
	f     faults
	k     *kernel
	eng   *strand.Engine
	polls []*poller
	look  func()
	base  int64 // Blocks in use before

	mu      sync.Mutex // guards everything that goroutines of the library touch
	waiting []*turn
	hasty   bool // timeouts are short, and excuse what is missing
	calm    bool // no more faults, and everybody has their turn
	failure string

	atLeast int // clients; 0 lets the seed decide
	clients []*client
	accepts chan *file // http connections, to the server's Accept
	srv     *webServer

	steps   int
	trace   hashTrace
	verbose io.Writer
}

// hashTrace is the trace as one number, to compare runs, and its last lines.
type hashTrace struct {
	sum  uint64
	last [40]string
	n    int
}

func newWorld(seed uint64, verbose io.Writer) *world {
	w := &world{seed: seed, rng: rand.New(rand.NewPCG(seed, 0x5eed)), verbose: verbose, accepts: make(chan *file, 4096)}
	w.k = newKernel(w)
	w.draw()
	return w
}

// draw decides which faults this run has, and how often.
func (w *world) draw() {
	some := func(max float64) float64 {
		if w.rng.IntN(2) == 0 {
			return 0
		}
		return w.rng.Float64() * max
	}
	w.f = faults{
		eintr: some(0.3), short: some(1), enobufs: some(0.01), accept: some(0.3), close: some(0.5), add: some(0.05),
		hold: some(0.3), late: some(0.5), spurious: some(0.2), stale: some(0.8),
		reset: some(0.3), look: some(0.1), clock: some(0.02), memory: some(0.02),
	}
	if w.hasty = w.rng.IntN(6) == 0; w.hasty {
		w.f.clock = 0.05 + w.rng.Float64()*0.2
	}
}

// chance draws; nothing goes wrong in calm. mu is held.
func (w *world) chance(p float64) bool {
	return p > 0 && !w.calm && w.rng.Float64() < p
}

// log adds a line to the trace. mu is held.
func (w *world) log(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	t := &w.trace
	h := fnv.New64a()
	_, _ = io.WriteString(h, line)
	t.sum = t.sum*31 + h.Sum64()
	t.last[t.n%len(t.last)] = line
	t.n++
	if w.verbose != nil {
		fmt.Fprintf(w.verbose, "%5d %s\n", w.steps, line)
	}
}

// fail notes the first thing that is wrong; the run ends with it.
func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failLocked(format, args...)
}

func (w *world) failLocked(format string, args ...any) {
	if w.failure == "" {
		w.failure = fmt.Sprintf(format, args...) + "\n" + string(debug.Stack())
	}
}

// report prints a failure and ends the process: a world that is broken cannot
// be taken down in order.
func (w *world) report() {
	var b strings.Builder
	fmt.Fprintf(&b, "sim: seed %d fails after %d steps: %s\n\nthe last lines of the trace:\n", w.seed, w.steps, w.failure)
	for i := max(0, w.trace.n-len(w.trace.last)); i < w.trace.n; i++ {
		fmt.Fprintf(&b, "\t%s\n", w.trace.last[i%len(w.trace.last)])
	}
	b.WriteString("clients:\n")
	shown := 0
	for _, c := range w.clients {
		if c.f != nil && (len(w.clients) <= crowd || !c.gone && !c.ended) && shown < crowd {
			shown++
			fmt.Fprintf(&b, "\t%s\n", c.state())
		}
	}
	how := fmt.Sprintf("TestSim$ -sim.seed=%d", w.seed)
	if w.atLeast > 0 {
		how = fmt.Sprintf("TestSimCrowd -sim.from=%d", w.seed)
	}
	fmt.Fprintf(&b, "\nto see it whole:\n\tgo test ./internal/sim -v -sim.v -run %s\n", how)
	fmt.Fprint(os.Stderr, b.String())
	os.Exit(1)
}

// Turn implements loop.Sim.
func (w *world) Turn(id uint64, what string) {
	t := &turn{id, what, make(chan struct{})}
	w.mu.Lock()
	w.waiting = append(w.waiting, t)
	w.mu.Unlock()
	<-t.ch
}

// Poller implements loop.Sim.
func (w *world) Poller() poll.Poller {
	p := &poller{w: w, num: len(w.polls)}
	w.polls = append(w.polls, p)
	return p
}

// Watchdog implements loop.Sim.
func (w *world) Watchdog(look func()) { w.look = look }

var _ loop.Sim = (*world)(nil)

// Write takes the library's log: what is not expected is a failure.
func (w *world) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("deliberate")) || bytes.Contains(p, []byte("Goexit")) ||
		bytes.Contains(p, []byte("accept failed")) || bytes.Contains(p, []byte(buf.ErrExhausted.Error())) {
		return len(p), nil
	}
	w.fail("the library logs: %s", p)
	return len(p), nil
}

// start makes the engine.
func (w *world) start() {
	w.base = buf.InUse()
	o := strand.Options{
		Loops:     1 + w.rng.IntN(3),
		MaxQueued: 1 << (10 + w.rng.IntN(8)),
		Logger:    slog.New(slog.NewTextHandler(w, nil)),
		OnViolation: func(v strand.Violation) {
			w.fail("isolation violation on connection %d: %s", v.Conn, v.Where)
		},
	}
	loop.Simulate(w, func() {
		var err error
		if w.eng, err = strand.New(o); err != nil {
			panic(err)
		}
	})
	if _, err := w.eng.AdoptListener(w.listener(), w.accept); err != nil {
		panic(err)
	}
	w.srv = newWebServer(w)
}

// soon is a timeout for a hasty run. Only one goroutine goes on at a time, so
// that all may draw.
func (w *world) soon() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(20+w.rng.IntN(400)) * time.Millisecond
}

// option is something that can happen next.
type option struct {
	weight int
	do     func()
}

// options returns what can happen next, in an order that depends on the seed
// alone. mu is held.
func (w *world) options() []option {
	var out []option
	slices.SortStableFunc(w.waiting, func(a, b *turn) int {
		return cmp.Or(strings.Compare(a.what, b.what), cmp.Compare(a.id, b.id)) // what each id numbers depends on what
	})
	for i := range w.waiting {
		out = append(out, option{6, func() {
			t := w.waiting[i]
			w.waiting = slices.Delete(w.waiting, i, i+1)
			w.log("turn: %s", t.what)
			close(t.ch)
		}})
	}
	for _, p := range w.polls {
		if p.ready() {
			out = append(out, option{8, p.grant})
		}
	}
	if w.calm && len(out) > 0 {
		return out[:1] // everybody has their turn before the clients go on
	}
	first := 0
	if n := len(w.clients); n > crowd {
		first = w.rng.IntN(n)
	}
	found := 0
	for i := range w.clients {
		if c := w.clients[(first+i)%len(w.clients)]; c.active() {
			out = append(out, option{4, c.act})
			if found++; found == crowd {
				break
			}
		}
	}
	return out
}

// crowd is how many clients are asked at each step what they could do; of more
// than that, some.
const crowd = 64

// step lets one thing happen, and reports whether there was one.
func (w *world) step() bool {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps++
	if w.failure != "" {
		w.report()
	}
	if w.chance(w.f.look) && w.look != nil {
		w.log("the watchdog looks")
		w.mu.Unlock()
		w.look()
		w.mu.Lock()
		return true
	}
	if w.chance(w.f.clock) {
		w.pass(time.Duration(1+w.rng.IntN(60)) * time.Millisecond)
		return true
	}
	opts := w.options()
	if len(opts) == 0 {
		return false
	}
	total := 0
	for _, o := range opts {
		total += o.weight
	}
	n := w.rng.IntN(total)
	for _, o := range opts {
		if n -= o.weight; n < 0 {
			o.do()
			break
		}
	}
	return true
}

// pass moves the clock. mu is held, but not meanwhile.
func (w *world) pass(d time.Duration) {
	w.log("the clock moves by %v", d)
	w.mu.Unlock()
	time.Sleep(d)
	synctest.Wait()
	w.mu.Lock()
}

// storm lets things go wrong until every client has ended, or patience has.
func (w *world) storm(limit int) {
	for range limit {
		if !w.step() {
			if w.done() {
				return
			}
			w.mu.Lock()
			w.pass(20 * time.Millisecond)
			w.mu.Unlock()
		}
	}
}

// rest is how many steps a world that nobody feeds may take to come to rest.
const rest = 200000

// settle plays fair until nothing is left to do. It returns false if that does
// not happen: something spins.
func (w *world) settle() {
	w.mu.Lock()
	w.calm = true
	w.mu.Unlock()
	for range rest {
		if !w.step() {
			return
		}
	}
	w.fail("the loops do not come to rest")
	w.report()
}

// settleFor is settle with time for those that wait for some: the pause after a
// failed accept, a lingering close.
func (w *world) settleFor(d time.Duration) {
	for end := time.Now().Add(d); ; {
		w.settle()
		if w.done() || !time.Now().Before(end) {
			return
		}
		w.mu.Lock()
		w.pass(250 * time.Millisecond)
		w.mu.Unlock()
	}
}

// done reports whether every client has got what it came for.
func (w *world) done() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !slices.ContainsFunc(w.clients, func(c *client) bool { return !c.over() })
}

// run is one run from beginning to end.
func (w *world) run() {
	w.start()
	defer w.failMemory(w.f.memory)()
	n := 1 + w.rng.IntN(5)
	if w.rng.IntN(16) == 0 {
		n += w.rng.IntN(40) // a crowd, now and then
	}
	n = max(n, w.atLeast)
	for i := range n {
		w.clients = append(w.clients, newClient(w, i+1))
	}
	limit := 100 + w.rng.IntN(1000)
	if w.rng.IntN(4) == 0 {
		limit = w.rng.IntN(100) // calm comes while much is half done
	}
	w.storm(limit + 50*w.atLeast)
	w.settle()
	w.checkIdle()
	w.finish()
}

// checkIdle asks, in a world at rest, that a connection without work holds
// nothing.
func (w *world) checkIdle() {
	w.mu.Lock()
	idle := !slices.ContainsFunc(w.clients, func(c *client) bool { return c.f != nil && !c.f.closed && !c.quiet() })
	w.mu.Unlock()
	if idle {
		if n := buf.InUse() - w.base; n != 0 {
			w.fail("%d Blocks are in use while every connection is idle", n)
			w.report()
		}
	}
}

// finish ends every client and then the engine, and looks what is left.
func (w *world) finish() {
	w.settleFor(4 * time.Second)
	w.mu.Lock()
	for _, c := range w.clients {
		c.judge()
		c.leave()
	}
	w.mu.Unlock()
	w.settleFor(time.Minute)
	w.mu.Lock()
	for _, c := range w.clients {
		c.judgeEnd()
	}
	if n := w.k.alive(); n > 0 {
		w.failLocked("%d descriptors are open after every client has gone", n)
	}
	if s := w.eng.Stats(); s.Conns != 0 || s.Violations != 0 {
		w.failLocked("the engine still counts %d connections, %d violations", s.Conns, s.Violations)
	}
	if n := buf.InUse() - w.base; n != 0 {
		w.failLocked("%d Blocks are in use after every client has gone", n)
	}
	w.log("the end")
	w.mu.Unlock()
	w.shutdown()
}

// shutdown ends the server and the engine; every goroutine must end with them,
// or the bubble complains.
func (w *world) shutdown() {
	w.srv.stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = w.eng.Close()
	}()
	for range rest {
		if w.step() {
			continue
		}
		select {
		case <-ended:
			w.mu.Lock()
			defer w.mu.Unlock()
			for num, f := range w.k.files {
				if f != nil {
					w.failLocked("descriptor %d is open after the engine's end", num)
				}
			}
			if w.failure != "" {
				w.report()
			}
			return
		default:
			w.mu.Lock()
			w.pass(20 * time.Millisecond)
			w.mu.Unlock()
		}
	}
	w.fail("the engine does not end; %d goroutines", runtime.NumGoroutine())
	w.report()
}
