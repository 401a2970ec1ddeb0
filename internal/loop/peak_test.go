package loop

import (
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/d74363f0/strand/internal/poll"
)

func TestPeakForgets(t *testing.T) {
	var p Peak
	const w = peakTicks
	steps := []struct {
		now   uint32
		see   int64 // -1: nothing
		wants int64
	}{
		{0, -1, 0},
		{5, 7, 7}, {6, 3, 7}, {6, -1, 7}, {6, -1, 7}, // reading resets nothing
		{w, -1, 7}, {w + 1, 5, 7}, {2*w - 1, -1, 7},
		{2 * w, -1, 5}, {2*w + 1, 2, 5},
		{3 * w, -1, 2}, {4 * w, -1, 0},
		{9 * w, 9, 9}, {10*w + 1, -1, 9}, {11 * w, -1, 0}, // nothing was seen between
		{20 * w, peakMax + 5, peakMax},
		{20*w - 1, -1, peakMax}, // a reader whose tick is a little old
	}
	for i, s := range steps {
		if s.see >= 0 {
			p.See(s.see, s.now)
		}
		if got := p.Load(s.now); got != s.wants {
			t.Errorf("step %d, tick %d: %d, want %d", i, s.now, got, s.wants)
		}
	}
}

func TestPeakConcurrently(t *testing.T) {
	var p Peak
	var wg sync.WaitGroup
	for i := range 4 {
		rng := rand.New(rand.NewPCG(7, uint64(i)))
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 10_000 {
				p.See(rng.Int64N(1000), 50)
				if p.Load(50) > 5000 {
					t.Error("a maximum that nobody saw")
				}
			}
			p.See(int64(2000+i), 50)
		}()
	}
	wg.Wait()
	if got := p.Load(50); got != 2003 {
		t.Errorf("%d", got)
	}
}

// TestNowWhileAsleep: a sleeping driver does not move its tick on, and a time that
// others take from it must not be old for that.
func TestNowWhileAsleep(t *testing.T) {
	began := time.Now()
	clock := func() int64 { return int64(time.Since(began)) }
	l := New(poll.NewPortable(), NewWatchdog(), slog.New(slog.NewTextHandler(io.Discard, nil)), clock)
	l.Start()
	defer func() {
		l.Stop()
		soon(t, l.Done(), "the loop's end")
	}()
	for !l.asleep.Load() {
		time.Sleep(time.Millisecond)
	}
	before := l.nowT.Load()
	time.Sleep(5 * TickDuration)
	if l.nowT.Load() != before {
		t.Fatal("the loop did not sleep")
	}
	if now := l.Now(); now < before+4 {
		t.Errorf("tick %d after five from %d", now, before)
	}
}
