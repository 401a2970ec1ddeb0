// Package loop is the event loop: it waits for readiness, dispatches it to
// sources, runs tasks and timers, and moves on without whoever blocks.
//
// A loop is a role, not a goroutine. Its state is touched only by its current
// driver. User code runs inline on the driver, between Enter and Leave; while
// it runs, the driver can be replaced (HandOff by library code that is about to
// block, the Watchdog for code that blocks unannounced). A replaced driver
// finds out at Leave, finishes its own source as an ordinary goroutine, and
// ends.
//
// The loop does not know what a socket is.
package loop

import (
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/d74363f0/strand/internal/poll"
)

// Source is what a loop dispatches to. Its methods are called by the driver;
// each reports whether the caller still drives the loop (Leave said so, or no
// user code ran).
type Source interface {
	Event(r poll.Ready) (driving bool) // the poller reported r
	Ahead(r poll.Ready) (ran bool)     // the same, and its turn comes soon: if ran, by Run
	Run() (driving bool)               // its turn, after Schedule
	Expire(now uint32) (driving bool)  // its timer, set with Arm, is due
	Unlink() (driving bool)            // after Drop: the slot is given up; end it
	Deferred()                         // what Defer put off is due
	Replaced()                         // its user code was taken off the loop by the watchdog
}

// Loop is one event loop.
type Loop struct {
	poller poll.Poller
	watch  *Watchdog
	log    *slog.Logger
	clock  func() int64 // monotonic nanoseconds
	sim    Sim          // nil but under simulation
	simID  uint64       // the loop's number in it

	// word is seq<<1|1 while user code runs inline and seq<<1 otherwise. To
	// replace the driver is to swap the former for a higher seq.
	word   atomic.Uint64
	curID  atomic.Uint64 // the ID of the source whose user code runs
	cur    Source        // the same; written before word, read after winning it
	seq    uint64        // the driver's
	asleep atomic.Bool   // the driver is, or is about to be, waiting
	nowT   atomic.Uint32 // the current tick, for anyone

	// The driver's.
	slots   slots
	wheel   wheel
	events  [256]poll.Event
	n, at   int               // events[at:n] are not dispatched yet
	early   [burstMost]Source // those of a group that have read ahead, by index of their event
	aheadTo int               // the events below are of groups that were offered to
	ready   []Source          // sources that want a turn in the next round
	round   []Source          // the round in progress, from roundAt
	roundAt int
	due     []int32
	late    []Source // sources whose Deferred is due
	lateAt  int      // the event behind that of the first of them
	flushed int64    // when they were last called, or the batch began
	began   int64    // when the batch was fetched
	quick   bool     // the last batch with events took little time for each
	burst   int      // for how many events Defer puts off; 0 for none: only while events are dispatched
	ends    []func() // deferred closes, run at the end of the batch
	yield   int64    // when the driver last let other goroutines run
	spawn   int      // sources to be run in goroutines before inline is tried again
	missed  int      // noticed waits since missedAt
	missAt  int64
	alarm   *time.Timer
	alarmT  uint32 // tick the alarm is set for; valid while alarmOn
	alarmO  bool

	mu      sync.Mutex
	tasks   []func()
	sched   []Source
	drops   []Source
	pending atomic.Bool // tasks, sched or drops are not empty
	closed  bool        // no more tasks: the loop ended
	done    chan struct{}
	stop    bool // the driver's

	stats counters
}

type counters struct {
	handOffs, noticed, spawned, turns atomic.Uint64
	lag                               Peak // longest batch, ns
}

// Stats are a loop's counts since it began.
type Stats struct {
	HandOffs uint64        // known waits: library code handed the loop over before it blocked
	Noticed  uint64        // unknown waits: the watchdog replaced the driver
	Spawned  uint64        // turns run in a goroutine because a wait was expected
	Turns    uint64        // batches
	Sources  int           // live slots, as of the last batch
	MaxBatch time.Duration // the longest of the last two windows: see Peak
}

// New returns a loop over poller that begins when Start is called. The loop
// owns the poller.
func New(poller poll.Poller, watch *Watchdog, log *slog.Logger, clock func() int64) *Loop {
	l := &Loop{poller: poller, watch: watch, log: log, clock: clock, done: make(chan struct{})}
	l.slots.free = none
	l.wheel.init()
	l.simulate()
	return l
}

// Start runs the loop on a goroutine of its own until Stop.
func (l *Loop) Start() {
	l.watch.add(l)
	l.Go(0, "first driver", l.drive)
}

// Stop ends the loop after the sources that are linked have been dropped; it
// returns at once. Done tells when.
func (l *Loop) Stop() { l.Post(func() { l.stop = true }) }

// Done is closed when the loop has ended.
func (l *Loop) Done() <-chan struct{} { return l.done }

// Stats returns the loop's counts.
func (l *Loop) Stats() Stats {
	return Stats{
		HandOffs: l.stats.handOffs.Load(),
		Noticed:  l.stats.noticed.Load(),
		Spawned:  l.stats.spawned.Load(),
		Turns:    l.stats.turns.Load(),
		MaxBatch: time.Duration(l.stats.lag.Load(l.Now())),
	}
}

// Now returns the current tick. It lags by no more than the batch in progress:
// while the driver sleeps nobody moves nowT on, and the clock is asked.
func (l *Loop) Now() uint32 {
	if l.asleep.Load() {
		return uint32(l.clock() >> tickShift)
	}
	return l.nowT.Load()
}

// Tick returns the first tick that is at least d away.
func (l *Loop) Tick(d time.Duration) uint32 {
	return uint32((l.clock() + int64(max(d, 0)) + TickDuration - 1) >> tickShift)
}

// Post has f run by the driver, soon. f must not run user code. It reports
// false, and f never runs, when the loop has ended. Any goroutine may call it.
func (l *Loop) Post(f func()) bool {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	l.tasks = append(l.tasks, f)
	l.mu.Unlock()
	l.nudge()
	return true
}

// Schedule has s.Run called by the driver, soon. Any goroutine may call it.
func (l *Loop) Schedule(s Source) bool { return l.postTo(&l.sched, s) }

// Drop has s.Unlink called by the driver, soon. Any goroutine may call it.
func (l *Loop) Drop(s Source) bool { return l.postTo(&l.drops, s) }

func (l *Loop) postTo(list *[]Source, s Source) bool {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	*list = append(*list, s)
	l.mu.Unlock()
	l.nudge()
	return true
}

// nudge makes the driver look at what was posted. The driver sets asleep and
// then looks at pending; we set pending and then look at asleep: one sees the
// other.
func (l *Loop) nudge() {
	l.pending.Store(true)
	if l.asleep.Load() {
		l.wake()
	}
}

// wake holds mu so that the poller is not closed under it.
func (l *Loop) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if err := l.poller.Wake(); err != nil {
		l.fail("wake", err)
	}
}

// Again puts s at the end of the ready list: the fair way to go on later. Only
// the driver may call it.
func (l *Loop) Again(s Source) { l.ready = append(l.ready, s) }

// Link gives s a slot and returns its token. Only the driver may call it, as
// for all methods below.
func (l *Loop) Link(s Source) uint64 { return l.slots.take(s, l.nowT.Load()) }

// Since returns the tick at which the source of token was linked; a token that is
// stale has 0.
func (l *Loop) Since(token uint64) uint32 {
	if i, src := l.slots.find(token); src != nil {
		return l.slots.at(i).since
	}
	return 0
}

// Watch has the poller report fd under token.
func (l *Loop) Watch(fd int, token uint64) error { return l.poller.Add(fd, token) }

// Unwatch undoes Watch.
func (l *Loop) Unwatch(fd int) error { return l.poller.Delete(fd) }

// Unlink gives the slot of token up: its timer is off and events that still
// name it are dropped. A token that is stale already does nothing.
func (l *Loop) Unlink(token uint64) {
	if i, src := l.slots.find(token); src != nil {
		l.wheel.disarm(&l.slots, i)
		l.slots.give(i)
	}
}

// AtEnd has f run when no event of the present batch is left: what f closes
// cannot be named by one. f must not run user code.
func (l *Loop) AtEnd(f func()) { l.ends = append(l.ends, f) }

// Arm sets the timer of token's source to tick when; it replaces the one
// before.
func (l *Loop) Arm(token uint64, when uint32) {
	if i, src := l.slots.find(token); src != nil {
		l.wheel.arm(&l.slots, i, when)
	}
}

// fail ends the process's illusion that this loop is alive: a poller that
// returns EBADF or EINVAL is a broken invariant (hazard 148).
func (l *Loop) fail(what string, err error) {
	panic(fmt.Sprintf("strand: event loop: %s: %v", what, err))
}

// yieldEvery is how long a driver that always finds events keeps the processor
// before it lets other goroutines run.
const yieldEvery = int64(100 * time.Microsecond)

// drive is the driver: it goes on where the one before was replaced.
func (l *Loop) drive() {
	l.flush() // the one before may have been replaced with some put off
	for l.step() {
	}
}

// step goes through what is left of the batch, then the ready list, the tasks
// and the timers, ends the batch and fetches the next. It reports false when
// the caller no longer drives the loop.
func (l *Loop) step() bool {
	if !l.dispatch() || !l.posted() || !l.turns() || !l.expire() {
		return false
	}
	l.endBatch()
	if l.stop && l.slots.live == 0 && len(l.ready) == 0 && l.end() {
		return false
	}
	l.fetch()
	return true
}

func (l *Loop) dispatch() bool {
	for l.at < l.n {
		if len(l.late) > 0 {
			l.flushInTime()
		}
		if l.at == l.aheadTo && l.burst >= burstMost {
			l.readAhead()
		}
		ev := l.events[l.at]
		early := &l.early[l.at%burstMost]
		l.at++
		if src := *early; src != nil {
			*early = nil
			if !src.Run() {
				return false
			}
			continue
		}
		if _, src := l.slots.find(ev.Token); src != nil && !src.Event(ev.Ready) {
			return false
		}
	}
	l.flush()
	l.burst = 0
	return true
}

// posted takes what other goroutines posted. Tasks and schedules only make
// entries of the driver's lists; drops may run user code, so they are taken one
// at a time and a successor finds the rest.
func (l *Loop) posted() bool {
	for l.pending.Load() {
		tasks, drop := l.takePosted()
		for _, f := range tasks {
			f()
		}
		if drop != nil && !drop.Unlink() {
			return false
		}
	}
	return true
}

func (l *Loop) takePosted() (tasks []func(), drop Source) {
	l.mu.Lock()
	defer l.mu.Unlock()
	tasks, l.tasks = l.tasks, nil
	l.ready = append(l.ready, l.sched...)
	clear(l.sched)
	l.sched = l.sched[:0]
	if len(l.drops) > 0 {
		drop = l.drops[0]
		l.drops[0] = nil
		l.drops = l.drops[1:]
	}
	if len(l.drops) == 0 {
		l.drops = nil
		l.pending.Store(false)
	}
	return tasks, drop
}

// turns runs the sources that were ready when the round began; what they make
// ready waits for the next round, behind the events.
func (l *Loop) turns() bool {
	if len(l.round) == 0 {
		l.round, l.ready = l.ready, l.round[:0]
		l.roundAt = 0
	}
	for l.roundAt < len(l.round) {
		src := l.round[l.roundAt]
		l.round[l.roundAt] = nil
		l.roundAt++
		if !src.Run() {
			return false
		}
	}
	l.round = l.round[:0]
	return true
}

func (l *Loop) expire() bool {
	now := l.nowT.Load()
	for {
		for len(l.due) > 0 {
			i := l.due[len(l.due)-1]
			l.due = l.due[:len(l.due)-1]
			if s := l.slots.at(i); s.live && !s.armed && !s.src.Expire(now) {
				return false
			}
		}
		var done bool
		if l.due, done = l.wheel.due(&l.slots, now, l.due); done && len(l.due) == 0 {
			return true
		}
	}
}

func (l *Loop) endBatch() {
	for i, f := range l.ends {
		f()
		l.ends[i] = nil
	}
	l.ends = l.ends[:0]
	if cap(l.ends) > 4096 {
		l.ends = nil
	}
	l.stats.turns.Add(1)
}

// fetch waits for the next batch, or only asks for it if there is work.
func (l *Loop) fetch() {
	before := l.clock()
	if busy := before - l.yield; busy > yieldEvery {
		l.stats.lag.See(busy, uint32(before>>tickShift))
		runtime.Gosched()
		l.yield = before
	}
	block := l.mayBlock(before)
	n, err := l.poller.Wait(l.events[:], block)
	if err != nil {
		l.fail("wait", err)
	}
	l.burst = l.burstSize(n, before)
	l.n, l.at, l.aheadTo = n, 0, 0
	if block {
		before = l.clock()
		l.yield = before
	}
	l.began, l.flushed = before, before
	l.nowT.Store(uint32(before >> tickShift))
	if block {
		l.asleep.Store(false) // nowT is true again: see Now
	}
}

// mayBlock reports whether there is nothing to do but wait. It has then
// announced that the driver sleeps, before it looked at what was posted. clock is
// the time now.
func (l *Loop) mayBlock(clock int64) bool {
	if len(l.ready) > 0 {
		return false
	}
	l.asleep.Store(true)
	if l.pending.Load() || l.stop {
		l.asleep.Store(false)
		return false
	}
	l.setAlarm(clock)
	return true
}

// setAlarm makes sure that the next timer wakes a driver that waits. An alarm
// that is set already counts only if it has not rung by the clock: nowT lags
// behind, and the last Wait may have swallowed the alarm.
func (l *Loop) setAlarm(clock int64) {
	when, ok := l.wheel.next()
	now := uint32(clock >> tickShift)
	if !ok || l.alarmO && !Before(when, l.alarmT) && Before(now, l.alarmT) {
		return
	}
	l.alarmT, l.alarmO = when, true
	d := time.Duration(int64(int32(when-now))<<tickShift - clock&(TickDuration-1))
	if l.alarm == nil {
		l.alarm = time.AfterFunc(d, l.wake)
		return
	}
	l.alarm.Reset(d)
}

// end refuses further posts and closes the poller, unless something was posted
// since.
func (l *Loop) end() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.tasks)+len(l.sched)+len(l.drops) > 0 {
		return false
	}
	l.closed = true
	l.watch.remove(l)
	if l.alarm != nil {
		l.alarm.Stop()
	}
	if err := l.poller.Close(); err != nil {
		l.log.Error("strand: closing the poller", "err", err)
	}
	close(l.done)
	return true
}

// Each calls f for every linked source. Only the driver may call it; f must not
// run user code.
func (l *Loop) Each(f func(Source)) { l.slots.each(f) }
