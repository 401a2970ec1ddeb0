package soak

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A hist counts durations in buckets that are at most 1/16 wide. It is safe for concurrent use.
type hist struct{ n [histBuckets]atomic.Uint64 }

const (
	histSub     = 16
	histBuckets = 40 * histSub
)

func histIndex(d time.Duration) int {
	v := uint64(max(d, 0)) >> 6 // 64 ns is as fine as a socket gets
	e := bits.Len64(v)
	if e <= 4 {
		return int(v)
	}
	return min(histBuckets-1, (e-4)*histSub+int(v>>(e-5))&(histSub-1))
}

// histUpper is the end of bucket i.
func histUpper(i int) time.Duration {
	if i < histSub {
		return time.Duration(i+1) << 6
	}
	e := i/histSub + 4
	return time.Duration((uint64(histSub+i%histSub)+1)<<(e-5)) << 6
}

func (h *hist) add(d time.Duration) { h.n[histIndex(d)].Add(1) }

// counts copies the buckets out; differences of copies are the histogram of an interval.
func (h *hist) counts() *[histBuckets]uint64 {
	var c [histBuckets]uint64
	for i := range h.n {
		c[i] = h.n[i].Load()
	}
	return &c
}

// quantiles returns the upper ends of the buckets in which the fractions qs (ascending) of c are reached.
func quantiles(c *[histBuckets]uint64, qs ...float64) []time.Duration {
	var total, seen uint64
	for _, n := range c {
		total += n
	}
	out := make([]time.Duration, len(qs))
	k := 0
	for i, n := range c {
		seen += n
		for k < len(qs) && total > 0 && float64(seen) >= qs[k]*float64(total) && seen > 0 {
			out[k] = histUpper(i)
			k++
		}
	}
	return out
}
