package load

import "math/bits"

const (
	subBits    = 7
	subBuckets = 1 << subBits
)

// Hist counts durations in nanoseconds in log-linear buckets no wider than one
// part in 128 of the value.
type Hist struct {
	counts [64 * subBuckets]uint64
	n      uint64
	max    int64
}

// Add counts one duration of ns nanoseconds.
func (h *Hist) Add(ns int64) {
	if ns < 0 {
		ns = 0
	}
	h.counts[bucket(uint64(ns))]++
	h.n++
	if ns > h.max {
		h.max = ns
	}
}

// Reset forgets everything counted.
func (h *Hist) Reset() { *h = Hist{} }

// Count is how many durations were added.
func (h *Hist) Count() uint64 { return h.n }

// Max is the longest duration added, in nanoseconds.
func (h *Hist) Max() int64 { return h.max }

// Quantile is the duration in nanoseconds that the fraction q (0 to 1) of all
// durations did not exceed, rounded up to the edge of its bucket.
func (h *Hist) Quantile(q float64) int64 {
	if h.n == 0 {
		return 0
	}
	want := uint64(q * float64(h.n))
	if want >= h.n {
		return h.max
	}
	var seen uint64
	for i, c := range h.counts {
		seen += c
		if seen > want {
			return min(upper(i), h.max)
		}
	}
	return h.max
}

func bucket(v uint64) int {
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return (shift+1)*subBuckets + int(v>>shift) - subBuckets
}

func upper(i int) int64 {
	if i < subBuckets {
		return int64(i)
	}
	shift := i/subBuckets - 1
	return int64(uint64(i%subBuckets+subBuckets+1)<<shift) - 1
}
