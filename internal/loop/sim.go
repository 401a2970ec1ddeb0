package loop

import (
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/d74363f0/strand/internal/check"
	"github.com/d74363f0/strand/internal/poll"
)

// Sim is what a simulation decides in place of the machine (internal/sim): which
// goroutine goes on, when the watchdog looks, and what is ready. A loop that was
// not made under Simulate knows of it by one nil pointer, which is looked at
// only where a goroutine begins or has waited.
type Sim interface {
	// Turn blocks until the simulation lets the calling goroutine go on. id names
	// the source it belongs to, what the reason it waits.
	Turn(id uint64, what string)
	// Poller returns the poller of the next loop.
	Poller() poll.Poller
	// Watchdog hands over the watchdog's look, which no goroutine then calls.
	Watchdog(look func())
}

// simulating makes engines under simulation one at a time; simulation is read
// while it is held, by whatever build calls.
var (
	simulating sync.Mutex
	simulation atomic.Pointer[Sim]
	simLoops   uint64 // loops made by the present build
)

// Simulate calls build; loops and watchdogs made meanwhile belong to s.
func Simulate(s Sim, build func()) {
	simulating.Lock()
	defer simulating.Unlock()
	simulation.Store(&s)
	simLoops = 0
	defer simulation.Store(nil)
	build()
}

func simulated() Sim {
	if s := simulation.Load(); s != nil {
		return *s
	}
	return nil
}

// simulate makes l a loop of the simulation, if there is one. The loops of one
// engine are told apart by numbers that no source has.
func (l *Loop) simulate() {
	if l.sim = simulated(); l.sim != nil {
		simLoops++
		l.simID = ^simLoops
	}
}

// OpenPoller returns the poller of a new loop: the platform's.
func OpenPoller() (poll.Poller, error) {
	if s := simulated(); s != nil {
		return s.Poller(), nil
	}
	return poll.Open()
}

// Go runs f on a goroutine of its own, on behalf of the source named id, or of
// the loop itself if that is 0.
func (l *Loop) Go(id uint64, what string, f func()) {
	if check.Enabled {
		f = faulting(f)
	}
	if l.sim == nil {
		go f()
		return
	}
	if id == 0 {
		id = l.simID
	}
	go func() {
		l.sim.Turn(id, what)
		f()
	}()
}

// faulting makes a touch of memory that was taken away a panic that names the
// address, in place of the end of the process without a word about whose it was.
func faulting(f func()) func() {
	return func() {
		debug.SetPanicOnFault(true)
		f()
	}
}

// Resumed is called by a goroutine of the source named id that is no driver (any
// more), where others may come first: after a wait, for one.
func (l *Loop) Resumed(id uint64, what string) {
	if l.sim != nil {
		l.sim.Turn(id, what)
	}
}
