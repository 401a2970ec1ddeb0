package buf

import (
	"errors"
	"unsafe"
)

// ErrOwner means that a Block of one connection was about to be queued or sent
// on another. It is never sent: the connection is aborted (design, section 2).
var ErrOwner = errors.New("buf: block belongs to another connection")

// item is one element of a Queue: a Block, or a string that is sent as it is.
type item struct {
	next   *item
	block  *Block
	str    string
	queued bool
}

// Queue is the bounded output of one connection: Blocks, which it owns, and
// strings, which anyone may hold. The zero Queue is empty. A Queue is guarded
// by its connection's write lock.
type Queue struct {
	head, tail *item
	size       int32 // bytes; a connection counts its output in 32 bits, too
	blocks     int32
}

// Len returns the number of bytes that are queued.
func (q *Queue) Len() int { return int(q.size) }

// Blocks returns the number of Blocks that are queued.
func (q *Queue) Blocks() int { return int(q.blocks) }

// Push moves b to the end of the queue of the connection owner.
func (q *Queue) Push(owner uint64, b *Block) error {
	if b.owner != owner {
		return ErrOwner
	}
	if b.item.queued {
		panic("buf: Block queued twice")
	}
	b.item.block = b
	b.item.queued = true
	q.blocks++
	q.link(&b.item, b.Len())
	return nil
}

// PushString queues s without copying it.
func (q *Queue) PushString(s string) {
	if s == "" {
		return
	}
	q.link(&item{str: s, queued: true}, len(s))
}

func (q *Queue) link(it *item, n int) {
	it.next = nil
	if q.tail == nil {
		q.head = it
	} else {
		q.tail.next = it
	}
	q.tail = it
	q.size += int32(n)
}

// appendMax is the largest Block that Append takes: a queue of much data is a
// queue of many Blocks, so that what is sent is freed as it goes.
const appendMax = 64 << 10

// appendMin is the smallest, so that a few small writes share one Block.
const appendMin = 2 << 10

// Append copies p to the end of the queue. After an error only a part of p may
// be there, and the connection has to end.
func (q *Queue) Append(owner uint64, p []byte) error {
	if q.tail != nil && q.tail.block != nil {
		b := q.tail.block
		if b.owner != owner {
			return ErrOwner
		}
		n := b.Append(p)
		q.size += int32(n)
		p = p[n:]
	}
	for len(p) > 0 {
		b, err := TryTake(owner, min(max(len(p), appendMin), appendMax))
		if err != nil {
			return err
		}
		n := b.Append(p)
		p = p[n:]
		if err := q.Push(owner, b); err != nil {
			return err
		}
	}
	return nil
}

// joinMax is the size up to which a Block's bytes are copied behind those of the
// last Block rather than sent as a piece of their own.
const joinMax = 1 << 10

// Give moves b, or its bytes, to the end of the queue of the connection owner: a
// few bytes join the last Block if it has room, and b is released, as an empty one
// is. After an error b is the caller's.
func (q *Queue) Give(owner uint64, b *Block) error {
	if b.owner != owner {
		return ErrOwner
	}
	n := b.Len()
	if n == 0 { // a piece of nothing is never sent, and stands in the way of what is
		b.Release()
		return nil
	}
	if n > joinMax || q.tail == nil || q.tail.block == nil || len(q.tail.block.Tail()) < n {
		return q.Push(owner, b)
	}
	if q.tail.block.owner != owner {
		return ErrOwner
	}
	q.size += int32(q.tail.block.Append(b.Data()))
	b.Release()
	return nil
}

// Peek appends up to cap(dst)-len(dst) pieces of the queue's front to dst, of
// at most limit bytes in all (but always one piece). The pieces are only to be
// read, and are valid until Consume or Release.
func (q *Queue) Peek(owner uint64, dst [][]byte, limit int) ([][]byte, error) {
	total := 0
	for it := q.head; it != nil && len(dst) < cap(dst); it = it.next {
		var p []byte
		if it.block != nil {
			if it.block.owner != owner {
				return nil, ErrOwner
			}
			p = it.block.Data()
		} else {
			p = BytesOf(it.str)
		}
		if total > 0 && total+len(p) > limit {
			break
		}
		total += len(p)
		dst = dst[:len(dst)+1] // there is room: append would let dst's contents escape
		dst[len(dst)-1] = p
	}
	return dst, nil
}

// Consume says that the first n queued bytes were sent; Blocks that are sent
// whole are released.
func (q *Queue) Consume(n int) {
	q.size -= int32(n)
	for n > 0 {
		it := q.head
		if it.block == nil {
			if n < len(it.str) {
				it.str = it.str[n:]
				return
			}
			n -= len(it.str)
			q.drop()
			continue
		}
		if l := it.block.Len(); n >= l {
			n -= l
			q.drop()
			continue
		}
		it.block.Consume(n)
		return
	}
}

// drop unlinks the first item and releases what it holds.
func (q *Queue) drop() {
	it := q.head
	q.head = it.next
	if q.head == nil {
		q.tail = nil
	}
	it.next, it.queued, it.str = nil, false, ""
	if b := it.block; b != nil {
		it.block = nil
		b.Release()
		q.blocks--
	}
}

// Release drops everything that is queued and returns how many bytes that was.
func (q *Queue) Release() int {
	n := int(q.size)
	for q.head != nil {
		q.drop()
	}
	q.size = 0
	return n
}

// MoveTo moves everything in q to the end of dst.
func (q *Queue) MoveTo(dst *Queue) {
	if q.head == nil {
		return
	}
	if dst.tail == nil {
		dst.head = q.head
	} else {
		dst.tail.next = q.head
	}
	dst.tail = q.tail
	dst.size += q.size
	dst.blocks += q.blocks
	*q = Queue{}
}

// BytesOf lends a string's bytes to a system call, which only reads them.
func BytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
