package buf

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/d74363f0/strand/internal/check"
)

// The size classes, in bytes. A request for more than the largest gets memory
// that is not pooled.
var classes = [...]int{512, 2 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20}

const noClass = -1

// counts are kept by class, each on a cache line of its own.
var counts [len(classes) + 1]struct {
	taken    atomic.Int64
	released atomic.Int64
	_        [48]byte
}

// ErrExhausted means that there is no memory for a Block. It happens only where
// the debug build is told to make it happen: see FailTakes.
var ErrExhausted = errors.New("buf: no memory for a Block")

// Take returns an empty Block of at least min bytes that belongs to the
// connection owner. The caller owns it and gives it back with Release. It
// panics with ErrExhausted if there is no memory, which ends the connection
// whose callback asked.
func Take(owner uint64, min int) *Block {
	b, err := TryTake(owner, min)
	if err != nil {
		panic(err)
	}
	return b
}

// TryTake is Take for those who must not panic: it returns ErrExhausted.
func TryTake(owner uint64, min int) (*Block, error) {
	if check.Enabled && failing(owner) {
		return nil, ErrExhausted
	}
	class := classFor(min)
	var b *Block
	if class == noClass {
		b = &Block{mem: make([]byte, min), class: noClass}
	} else {
		b = obtain(class)
	}
	if !b.held.CompareAndSwap(false, true) {
		panic(fmt.Sprintf("buf: Block %p came out of the pool while connection %d holds it%s", b, b.owner, b.debug.history()))
	}
	counts[class+1].taken.Add(1)
	b.owner = owner
	b.r, b.w = 0, 0
	b.taken()
	return b, nil
}

// Release gives the Block back. The caller must not touch it afterwards. A
// second Release of the same Block panics.
func (b *Block) Release() {
	if !b.held.CompareAndSwap(true, false) {
		panic(fmt.Sprintf("buf: Block %p of connection %d released twice%s", b, b.owner, b.debug.history()))
	}
	counts[b.class+1].released.Add(1)
	if b.item.queued {
		panic(fmt.Sprintf("buf: Block %p of connection %d released while it is queued%s", b, b.owner, b.debug.history()))
	}
	b.released()
	b.r, b.w = 0, 0
	if b.class != noClass {
		giveBack(b)
	}
}

func classFor(min int) int {
	for i, size := range classes {
		if min <= size {
			return i
		}
	}
	return noClass
}

// ClassStats counts the Blocks of one size class since the process began.
type ClassStats struct {
	Size            int // bytes; 0 for memory too large to be pooled
	Taken, Released int64
}

// Stats returns the counts of every class, the unpooled one first. InUse of a
// class is Taken - Released.
func Stats() []ClassStats {
	out := make([]ClassStats, len(counts))
	for i := range counts {
		// Released is read first: a Block taken between the two reads makes the
		// difference too large by one, never negative.
		out[i].Released = counts[i].released.Load()
		out[i].Taken = counts[i].taken.Load()
		if i > 0 {
			out[i].Size = classes[i-1]
		}
	}
	return out
}

// InUse returns the number of Blocks that are taken and not released.
func InUse() int64 {
	var n int64
	for i := range counts {
		n -= counts[i].released.Load()
	}
	for i := range counts {
		n += counts[i].taken.Load()
	}
	return n
}
