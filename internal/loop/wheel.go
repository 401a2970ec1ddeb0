package loop

import "math/bits"

// Timers are coarse: one tick is 2^24 ns, about 16.8 ms. Ticks are 32 bits and
// compared by their difference, so they may wrap (after 834 days).
const tickShift = 24

// TickDuration is the resolution of the loop's timers in nanoseconds.
const TickDuration = 1 << tickShift

// buckets is the size of the wheel; a timer further away than a whole turn
// stays in its bucket for another.
const buckets = 512

// wheel is a hashed timing wheel over the slot table. It is the driver's.
type wheel struct {
	heads [buckets]int32
	full  [buckets / 64]uint64 // a bit for each bucket that is not empty
	tick  uint32               // every bucket up to this tick has been looked at
	count int
}

func (w *wheel) init() {
	for i := range w.heads {
		w.heads[i] = none
	}
}

// Before reports whether tick a comes before tick b.
func Before(a, b uint32) bool { return int32(a-b) < 0 }

// arm sets the timer of slot i to tick when, or moves it there.
func (w *wheel) arm(t *slots, i int32, when uint32) {
	w.disarm(t, i)
	if !Before(w.tick, when) { // past, or now: the next tick is the soonest
		when = w.tick + 1
	}
	s := t.at(i)
	b := when % buckets
	s.when, s.armed, s.prev, s.next = when, true, none, w.heads[b]
	if s.next != none {
		t.at(s.next).prev = i
	}
	w.heads[b] = i
	w.full[b/64] |= 1 << (b % 64)
	w.count++
}

func (w *wheel) disarm(t *slots, i int32) {
	s := t.at(i)
	if !s.armed {
		return
	}
	b := s.when % buckets
	if s.prev == none {
		w.heads[b] = s.next
	} else {
		t.at(s.prev).next = s.next
	}
	if s.next != none {
		t.at(s.next).prev = s.prev
	}
	if w.heads[b] == none {
		w.full[b/64] &^= 1 << (b % 64)
	}
	s.armed, s.next, s.prev = false, none, none
	w.count--
}

// due moves the wheel one bucket towards now and appends the slots whose timers
// are due to out, disarmed. It reports whether the wheel has reached now.
func (w *wheel) due(t *slots, now uint32, out []int32) ([]int32, bool) {
	if !Before(w.tick, now) {
		return out, true
	}
	if w.count == 0 {
		w.tick = now
		return out, true
	}
	if now-w.tick > buckets { // after a long sleep one turn visits every bucket
		w.tick = now - buckets
	}
	w.tick++
	for i := w.heads[w.tick%buckets]; i != none; {
		next := t.at(i).next
		if !Before(w.tick, t.at(i).when) || !Before(now, t.at(i).when) {
			w.disarm(t, i)
			out = append(out, i)
		}
		i = next
	}
	return out, w.tick == now
}

// next returns the first tick at which a bucket is not empty; ok is false if
// no timer is armed.
func (w *wheel) next() (uint32, bool) {
	if w.count == 0 {
		return 0, false
	}
	from := w.tick + 1
	for d := uint32(0); d < buckets; {
		b := (from + d) % buckets
		word := w.full[b/64] >> (b % 64)
		if word != 0 {
			return from + d + uint32(bits.TrailingZeros64(word)), true
		}
		d += 64 - b%64
	}
	return from, true
}
