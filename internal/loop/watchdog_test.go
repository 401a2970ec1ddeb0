package loop

import (
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

// An engine without traffic wakes now and then, for timers and listeners. That
// must not keep the watchdog ticking (invariant I5); user code must.
func TestWatchdogSleepsWithoutUserCode(t *testing.T) {
	d := NewWatchdog()
	began := time.Now()
	l := New(poll.NewPortable(), d, slog.Default(), func() int64 { return int64(time.Since(began)) })
	d.Start()
	l.Start()
	defer func() {
		l.Stop()
		<-l.Done()
		d.Stop()
	}()
	await(t, "the watchdog's sleep", d.asleep.Load)
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
