package loop

import (
	"sync/atomic"
	"time"
)

// PeakWindow is the shortest time for which a Peak remembers; the longest is
// twice that.
const PeakWindow = 10 * time.Second

const peakTicks = uint32(PeakWindow / TickDuration)

// peakMax is the largest value a Peak tells from larger ones: 2^40-1.
const peakMax = 1<<40 - 1

// Peak is the maximum of a figure in the present window of time and the one
// before. To read it does not reset it, so any number of readers see the same.
// The zero Peak has seen nothing. It is safe for concurrent use, and has no
// lock: each of the two words holds a window's number above its maximum, and a
// window's word is the one the window before the last had.
type Peak struct{ words [2]atomic.Uint64 }

// See takes note of v, which is not negative, at tick now.
func (p *Peak) See(v int64, now uint32) {
	window := now / peakTicks
	word := &p.words[window&1]
	seen := uint64(window)<<40 | uint64(min(v, peakMax))
	for {
		old := word.Load()
		if uint32(old>>40) == window && old >= seen || word.CompareAndSwap(old, seen) {
			return
		}
	}
}

// Load returns the maximum at tick now.
func (p *Peak) Load(now uint32) int64 {
	window := now / peakTicks
	most := uint64(0)
	for i := range p.words {
		w := p.words[i].Load()
		// A writer may be a window ahead of the caller's now.
		if of := uint32(w >> 40); window-of <= 1 || of-window == 1 {
			most = max(most, w&peakMax)
		}
	}
	return int64(most)
}
