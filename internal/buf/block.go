// Package buf holds the only pooled memory of strand: the Block, and the Queue
// of Blocks and strings that a connection's output waits in (rule R2).
//
// A Block has one owner at a time. Take hands it out, Release takes it back, and
// a second Release panics: the class of bug strand exists to remove begins with
// one buffer put into a pool twice.
package buf

import (
	"fmt"
	"sync/atomic"

	"github.com/d74363f0/strand/internal/check"
)

// Block is a piece of pooled memory that belongs to one connection. Its unread
// bytes lie between two cursors, as in a bufio.Reader. A Block is not safe for
// concurrent use: whoever owns it moves it, and forgets it.
type Block struct {
	debug debug  // empty but in the debug build
	owner uint64 // the ID of the connection it belongs to; set by Take
	mem   []byte
	r, w  int
	class int8 // index into classes; noClass when the memory is plain garbage
	held  atomic.Bool
	item  item // its place in a Queue; the Queue's while it is queued
}

// Owner returns the ID of the connection the Block was taken for.
func (b *Block) Owner() uint64 { return b.owner }

// Data returns the unread bytes. They are valid until Consume, Reset or Release.
func (b *Block) Data() []byte {
	b.mustBeHeld()
	return b.mem[b.r:b.w:b.w]
}

// Tail returns the free space behind the unread bytes; after filling n bytes
// of it the caller says Advance(n).
func (b *Block) Tail() []byte {
	b.mustBeHeld()
	return b.mem[b.w:]
}

// Len returns the number of unread bytes.
func (b *Block) Len() int { return b.w - b.r }

// Cap returns the number of bytes the Block can hold in all.
func (b *Block) Cap() int { return len(b.mem) }

// Advance says that n bytes were put into Tail.
func (b *Block) Advance(n int) {
	b.mustBeHeld()
	if n < 0 || n > len(b.mem)-b.w {
		panic(fmt.Sprintf("buf: Advance(%d) with %d bytes of room", n, len(b.mem)-b.w))
	}
	b.w += n
}

// Consume says that the first n unread bytes are done with.
func (b *Block) Consume(n int) {
	b.mustBeHeld()
	if n < 0 || n > b.w-b.r {
		panic(fmt.Sprintf("buf: Consume(%d) of %d bytes", n, b.w-b.r))
	}
	b.r += n
	if b.r == b.w {
		b.r, b.w = 0, 0
	}
}

// Reset forgets the unread bytes.
func (b *Block) Reset() { b.r, b.w = 0, 0 }

// mustBeHeld is the debug build's assertion that whoever uses the Block may.
func (b *Block) mustBeHeld() {
	if check.Enabled && !b.held.Load() {
		panic(fmt.Sprintf("buf: use of Block %p after connection %d released it%s", b, b.owner, b.debug.history()))
	}
}

// Compact moves the unread bytes to the front, so that Tail is as long as it
// can be.
func (b *Block) Compact() {
	if b.r == 0 {
		return
	}
	b.w = copy(b.mem, b.mem[b.r:b.w])
	b.r = 0
}

// Cut removes the unread bytes from from to to: what stands behind them moves up.
func (b *Block) Cut(from, to int) {
	b.mustBeHeld()
	if from < 0 || to < from || to > b.w-b.r {
		panic(fmt.Sprintf("buf: Cut(%d, %d) of %d bytes", from, to, b.w-b.r))
	}
	copy(b.mem[b.r+from:], b.mem[b.r+to:b.w])
	b.w -= to - from
}

// Append copies as much of p as fits behind the unread bytes and returns how
// many bytes that was.
func (b *Block) Append(p []byte) int {
	b.mustBeHeld()
	n := copy(b.mem[b.w:], p)
	b.w += n
	return n
}
