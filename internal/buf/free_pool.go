//go:build !strand_debug

package buf

import "sync"

// pools holds the free Blocks by class. A sync.Pool keeps them near the
// processor that released them and gives them back to the collector when
// nobody asks, so the pool needs no ceiling of its own.
var pools [len(classes)]sync.Pool

// debug is what the debug build knows of a Block.
type debug struct{}

func (debug) history() string { return "" }

func (b *Block) taken()    {}
func (b *Block) released() {}

func failing(uint64) bool { return false }

// Fault is the debug build's: it explains a touch of a released Block.
func Fault(any) {}

// Held is the debug build's: it says where Blocks were taken that nobody
// released.
func Held(func(owner uint64) bool) []string { return nil }

// obtain returns a free Block of the class, or a new one.
func obtain(class int) *Block {
	if v := pools[class].Get(); v != nil {
		return v.(*Block)
	}
	return &Block{mem: make([]byte, classes[class]), class: int8(class)}
}

// giveBack makes b free.
func giveBack(b *Block) { pools[b.class].Put(b) }
