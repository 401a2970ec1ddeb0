package loop

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// timers is a wheel over a slot table, with the slots' own sources left out.
type timers struct {
	slots slots
	wheel wheel
}

func newTimers() *timers {
	w := new(timers)
	w.slots.free = none
	w.wheel.init()
	return w
}

// advance moves the wheel to tick now and returns what fired, sorted.
func (w *timers) advance(now uint32) (fired []int32) {
	for {
		var done bool
		if fired, done = w.wheel.due(&w.slots, now, fired); done {
			slices.Sort(fired)
			return fired
		}
	}
}

func TestWheelFires(t *testing.T) {
	w := newTimers()
	for i := range int32(6) {
		w.slots.take(nil, 0)
		_ = i
	}
	w.wheel.arm(&w.slots, 0, 5)
	w.wheel.arm(&w.slots, 1, 5+buckets)   // the same bucket, a turn later
	w.wheel.arm(&w.slots, 2, 5+2*buckets) // and another
	w.wheel.arm(&w.slots, 3, 4)
	w.wheel.arm(&w.slots, 4, 5)
	w.wheel.disarm(&w.slots, 4)
	w.wheel.arm(&w.slots, 5, 3)
	w.wheel.arm(&w.slots, 5, 6) // moved
	for _, step := range []struct {
		now  uint32
		want []int32
	}{
		{3, nil}, {4, []int32{3}}, {5, []int32{0}}, {6, []int32{5}}, {5 + buckets - 1, nil}, {5 + buckets, []int32{1}},
		{6 + 2*buckets, []int32{2}}, {9000, nil},
	} {
		if got := w.advance(step.now); !slices.Equal(got, step.want) {
			t.Errorf("tick %d: %v fire, not %v", step.now, got, step.want)
		}
	}
	if w.wheel.count != 0 {
		t.Errorf("%d timers are armed at the end", w.wheel.count)
	}
}

func TestWheelPast(t *testing.T) { // hazard 150
	w := newTimers()
	w.slots.take(nil, 0)
	w.advance(1000)
	w.wheel.arm(&w.slots, 0, 990)
	if when, ok := w.wheel.next(); !ok || when != 1001 {
		t.Errorf("a timer in the past is due at %d, %v", when, ok)
	}
	if got := w.advance(1001); len(got) != 1 {
		t.Errorf("a timer in the past fires at the next tick: %v", got)
	}
}

// TestWheelAgainstModel arms, moves and disarms at random, sleeps for long and
// short, over the wrap of the ticks, and compares with a map.
func TestWheelAgainstModel(t *testing.T) { // hazards 149, 150, 151
	const seed = 3
	rng := rand.New(rand.NewPCG(seed, seed))
	for round := range 40 {
		w := newTimers()
		now := uint32(0) - uint32(rng.IntN(4*buckets)) // soon to wrap
		w.wheel.tick = now
		model := make(map[int32]uint32)
		for range 64 {
			w.slots.take(nil, 0)
		}
		for range 400 {
			i := int32(rng.IntN(64))
			switch rng.IntN(3) {
			case 0:
				when := now + uint32(rng.IntN(3*buckets))
				w.wheel.arm(&w.slots, i, when)
				if when == now {
					when++
				}
				model[i] = when
			case 1:
				w.wheel.disarm(&w.slots, i)
				delete(model, i)
			case 2:
				now += uint32(rng.IntN(1 << rng.IntN(11)))
				var want []int32
				for i, when := range model {
					if !Before(now, when) {
						want = append(want, i)
						delete(model, i)
					}
				}
				slices.Sort(want)
				if got := w.advance(now); !slices.Equal(got, want) {
					t.Fatalf("seed %d, round %d, tick %d: %v fire, not %v", seed, round, now, got, want)
				}
			}
			checkNext(t, w, model, now)
		}
	}
}

// checkNext wants next to be no later than the first timer, and no earlier than
// a bucket that is not empty.
func checkNext(t *testing.T, w *timers, model map[int32]uint32, now uint32) {
	t.Helper()
	when, ok := w.wheel.next()
	if ok != (len(model) > 0) {
		t.Fatalf("next says %v with %d timers", ok, len(model))
	}
	if !ok {
		return
	}
	bucket := false
	for _, at := range model {
		if Before(at, when) {
			t.Fatalf("next is %d and a timer is due at %d", when-now, at-now)
		}
		bucket = bucket || at%buckets == when%buckets
	}
	if !bucket {
		t.Fatalf("next is %d, and no timer is in its bucket", when-now)
	}
}
