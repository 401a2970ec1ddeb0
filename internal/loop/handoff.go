package loop

import (
	"sync"
	"sync/atomic"
	"time"
)

// Enter says that the driver is about to run user code of the source named id.
// The driver passes the ticket it returns to Leave.
func (l *Loop) Enter(id uint64, src Source) (ticket uint64) {
	l.seq++
	l.curID.Store(id)
	l.cur = src
	ticket = l.seq<<1 | 1
	l.word.Store(ticket)
	l.watch.rouse()
	return ticket
}

// Leave says that the user code returned. It reports false if the driver was
// replaced meanwhile: the caller is then an ordinary goroutine, which must not
// touch the loop's state.
func (l *Loop) Leave(ticket uint64) bool {
	return l.word.CompareAndSwap(ticket, ticket-1)
}

// Inline reports whether user code of the source named id runs on the driver at
// this moment. If it says so, the code's end is still to come: the ID is looked at
// behind the word, for it outlasts its turn, and the word may be the next one's.
func (l *Loop) Inline(id uint64) bool {
	return l.word.Load()&1 == 1 && l.curID.Load() == id
}

// HandOff gives the loop to a new driver if user code of the source named id is
// what holds it, and reports whether it did. Library code calls it before it
// blocks, on any goroutine.
func (l *Loop) HandOff(id uint64) bool {
	w := l.word.Load()
	if w&1 == 0 || l.curID.Load() != id {
		return false
	}
	l.Resumed(id, "handing off") // the watchdog may come first
	// seq never repeats, so success means that id held the loop all along.
	if !l.word.CompareAndSwap(w, w+1) {
		return false
	}
	l.stats.handOffs.Add(1)
	l.succeed(w)
	l.Resumed(id, "handed off") // the next driver may come first
	return true
}

// succeed starts the driver that follows the one whose ticket was w.
func (l *Loop) succeed(w uint64) {
	l.seq = (w + 1) >> 1
	l.Go(0, "next driver", l.drive)
}

// Abandon is Leave for a driver whose goroutine is about to end
// (runtime.Goexit in user code): it starts a successor if there is none yet.
func (l *Loop) Abandon(ticket uint64) {
	if l.word.CompareAndSwap(ticket, ticket+1) {
		l.succeed(ticket)
	}
}

// The measure of waits that were not announced: this many noticed within the
// window, and the loop runs the next turns in goroutines.
const (
	noticedMax    = 4
	noticedWindow = int64(10 * time.Millisecond)
	spawnFor      = 2000
)

// notice replaces a driver whose user code held the loop for two ticks of the
// watchdog.
func (l *Loop) notice(w uint64) {
	if !l.word.CompareAndSwap(w, w+1) {
		return
	}
	l.stats.noticed.Add(1)
	now := l.clock()
	if now-l.missAt > noticedWindow {
		l.missed, l.missAt = 0, now
	}
	if l.missed++; l.missed >= noticedMax {
		l.spawn = spawnFor
	}
	src := l.cur
	l.succeed(w)
	src.Replaced()
}

// Spawn reports whether the next turn should run in a goroutine because turns
// blocked lately. Only the driver may call it.
func (l *Loop) Spawn() bool {
	if l.spawn == 0 {
		return false
	}
	l.spawn--
	l.stats.spawned.Add(1)
	return true
}

// CountSpawned counts a turn that was run in a goroutine for a reason of the
// source's own.
func (l *Loop) CountSpawned() { l.stats.spawned.Add(1) }

// Watchdog notices drivers that are held by user code. One serves all loops of
// an engine; it ticks only while there is user code to watch, so that a loop
// which wakes for a timer of its own costs nothing more.
type Watchdog struct {
	tick   time.Duration
	asleep atomic.Bool
	stay   atomic.Bool // turns ended beside the loops since the last look
	wakeup chan struct{}

	mu    sync.Mutex
	loops []*Loop
	seen  []uint64 // each loop's word at the last tick
	stop  chan struct{}
}

// WatchTick is how often the watchdog looks. A call it meets on two ticks is
// taken off the loop, so a wait is noticed within one to two ticks.
const WatchTick = 250 * time.Microsecond

// drowsy is how many ticks without user code on any loop end the watchdog's
// own vigil.
const drowsy = 40

// NewWatchdog returns a watchdog that watches from its first loop until Stop.
func NewWatchdog() *Watchdog {
	return &Watchdog{tick: WatchTick, wakeup: make(chan struct{}, 1), stop: make(chan struct{})}
}

// Start runs the watchdog on a goroutine of its own.
func (d *Watchdog) Start() {
	if s := simulated(); s != nil {
		s.Watchdog(func() { d.look() })
		return
	}
	go d.watch()
}

// Stop ends it.
func (d *Watchdog) Stop() { close(d.stop) }

func (d *Watchdog) add(l *Loop) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.loops = append(d.loops, l)
	d.seen = append(d.seen, 0)
}

func (d *Watchdog) remove(l *Loop) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, x := range d.loops {
		if x == l {
			d.loops = append(d.loops[:i:i], d.loops[i+1:]...)
			d.seen = append(d.seen[:i:i], d.seen[i+1:]...)
			return
		}
	}
}

// rouse wakes a watchdog that sleeps; a driver about to run user code calls it.
func (d *Watchdog) rouse() {
	if !d.asleep.Load() {
		return
	}
	if d.asleep.CompareAndSwap(true, false) {
		select {
		case d.wakeup <- struct{}{}:
		default:
		}
	}
}

func (d *Watchdog) watch() {
	idle := 0
	for {
		if idle < drowsy {
			time.Sleep(d.tick)
		} else {
			d.asleep.Store(true)
			if d.held() == 0 && !d.stay.Load() { // looked at after asleep was set, as rouse is called after a loop's word, or stay, was
				select {
				case <-d.wakeup:
				case <-d.stop:
					return
				}
			}
			d.asleep.Store(false)
			idle = 0
		}
		select {
		case <-d.stop:
			return
		default:
		}
		if d.look() == 0 && !d.stay.Swap(false) {
			idle++
		} else {
			idle = 0
		}
	}
}

// Rouse has the watchdog look after the loops for a while: those whose callbacks run
// beside them, in goroutines that may keep every processor busy.
func (l *Loop) Rouse() {
	if !l.watch.stay.Load() { // many say so between two looks
		l.watch.stay.Store(true)
	}
	l.watch.rouse()
}

// lookIn wakes a driver that sleeps on events. Go's poller, in which it waits, is
// looked at by processors that have nothing else to run, and otherwise every 10 ms:
// handlers that keep them busy would have new requests wait for that long.
func (l *Loop) lookIn() {
	if !l.asleep.Load() {
		return
	}
	l.mu.Lock() // so that the poller is not closed under it
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if err := l.poller.Look(); err != nil {
		l.fail("look", err)
	}
}

// held returns how many loops run user code.
func (d *Watchdog) held() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, l := range d.loops {
		if l.word.Load()&1 == 1 {
			n++
		}
	}
	return n
}

// look compares each loop with the tick before and returns how many run user
// code, or did since.
func (d *Watchdog) look() int {
	d.mu.Lock()
	loops, seen := d.loops, d.seen
	n := 0
	type holder struct {
		loop *Loop
		word uint64
	}
	var held []holder
	for i, l := range loops {
		w := l.word.Load()
		if w&1 == 1 || w != seen[i] {
			n++
		}
		if w&1 == 1 && w == seen[i] {
			held = append(held, holder{l, w})
		}
		seen[i] = w
	}
	d.mu.Unlock()
	for _, l := range loops { // never changed in place
		l.lookIn()
	}
	for _, h := range held {
		h.loop.notice(h.word)
	}
	return n
}
