package loop

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/d74363f0/strand/internal/poll"
)

func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen", what)
		}
	}
}

// watched starts a loop under a watchdog of its own, and waits until that sleeps.
func watched(t *testing.T) (*Loop, *Watchdog) {
	t.Helper()
	d := NewWatchdog()
	began := time.Now()
	l := New(poll.NewPortable(), d, slog.Default(), func() int64 { return int64(time.Since(began)) })
	d.Start()
	l.Start()
	t.Cleanup(func() {
		l.Stop()
		<-l.Done()
		d.Stop()
	})
	await(t, "the watchdog's sleep", d.asleep.Load)
	return l, d
}

// An engine without traffic wakes now and then, for timers and listeners. That
// must not keep the watchdog ticking (invariant I5); user code must.
func TestWatchdogSleepsWithoutUserCode(t *testing.T) {
	l, d := watched(t)
	for range 20 {
		ran := make(chan struct{})
		l.Post(func() { close(ran) })
		<-ran
		if !d.asleep.Load() {
			t.Fatal("a task woke the watchdog")
		}
	}
	awake := make(chan bool)
	l.Post(func() {
		ticket := l.Enter(1, nil)
		awake <- !d.asleep.Load()
		l.Leave(ticket)
	})
	if !<-awake {
		t.Fatal("the watchdog sleeps while user code runs")
	}
	await(t, "the watchdog's sleep again", d.asleep.Load)
}

// TestWatchdogStaysForTurnsAside: turns that end beside the loops keep the watchdog awake, not only wake it: between two of them
// it looks at every tick.
func TestWatchdogStaysForTurnsAside(t *testing.T) {
	l, d := watched(t)
	for range 100 {
		l.Rouse()
		roused := time.Now()
		time.Sleep(2 * time.Millisecond)
		slept := d.asleep.Load()
		if took := time.Since(roused); slept && took < drowsy*WatchTick/2 {
			t.Fatalf("the watchdog sleeps %v after a turn aside", took)
		}
	}
	await(t, "the watchdog's sleep again", d.asleep.Load)
}

// looked is a poller that says when the watchdog has it look.
type looked struct {
	*poll.Portable
	looks chan struct{}
}

func (p *looked) Look() error {
	select {
	case p.looks <- struct{}{}:
	default:
	}
	return nil
}

// TestLooksInOnASleepingLoop: the watchdog has the poller of a loop that sleeps look for events once turns end
// beside it, for the processors may be busy with those.
func TestLooksInOnASleepingLoop(t *testing.T) {
	p := &looked{poll.NewPortable(), make(chan struct{}, 1)}
	watch := NewWatchdog()
	watch.Start()
	defer watch.Stop()
	l := New(p, watch, slog.New(slog.NewTextHandler(io.Discard, nil)), func() int64 { return 0 })
	l.Start()
	defer func() {
		l.Stop()
		soon(t, l.Done(), "the loop's end")
	}()
	for !l.asleep.Load() || !watch.asleep.Load() {
		time.Sleep(time.Millisecond)
	}
	for len(p.looks) > 0 {
		<-p.looks
	}
	l.Rouse()
	soon(t, p.looks, "a look at the sleeping loop's poller")
}
