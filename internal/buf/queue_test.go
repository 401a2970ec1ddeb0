package buf

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

// all returns what is queued, as Peek shows it.
func all(t *testing.T, q *Queue, owner uint64) []byte {
	t.Helper()
	pieces, err := q.Peek(owner, make([][]byte, 0, 4096), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Join(pieces, nil)
}

// TestQueueAgainstModel does at random what connections do and compares with a
// plain slice.
func TestQueueAgainstModel(t *testing.T) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, 2))
	before := InUse()
	for round := range 300 {
		var q Queue
		var model []byte
		for range 60 {
			p := make([]byte, rng.IntN(1<<rng.IntN(13)))
			for i := range p {
				p[i] = byte(rng.Uint32())
			}
			switch rng.IntN(6) {
			case 0:
				q.PushString(string(p))
			case 1:
				b := Take(9, len(p))
				b.Append(p)
				if err := q.Push(9, b); err != nil {
					t.Fatal(err)
				}
			case 2:
				if err := q.Append(9, p); err != nil {
					t.Fatal(err)
				}
			case 3:
				var from Queue
				from.PushString(string(p))
				if err := from.Append(9, p[:len(p)/2]); err != nil {
					t.Fatal(err)
				}
				p = append(p, p[:len(p)/2]...)
				from.MoveTo(&q)
				if from.Len() != 0 || from.Blocks() != 0 || from.head != nil {
					t.Fatal("MoveTo left something")
				}
			case 4:
				n := rng.IntN(len(model) + 1)
				q.Consume(n)
				model, p = model[n:], nil
			case 5:
				b := Take(9, len(p)+rng.IntN(5000))
				b.Append(p)
				if err := q.Give(9, b); err != nil {
					t.Fatal(err)
				}
			}
			model = append(model, p...)
			clear(p) // it is the caller's again
			if q.Len() != len(model) || !bytes.Equal(all(t, &q, 9), model) {
				t.Fatalf("seed %d, round %d: the queue is not what was queued", seed, round)
			}
			if n := InUse() - before; q.Blocks() != int(n) {
				t.Fatalf("seed %d, round %d: %d Blocks in the queue, %d in use", seed, round, q.Blocks(), n)
			}
		}
		if n := q.Release(); n != len(model) || q.Len() != 0 {
			t.Fatalf("Release dropped %d bytes of %d and left %d", n, len(model), q.Len())
		}
	}
	if n := InUse() - before; n != 0 {
		t.Errorf("%d Blocks are in use after the queues were released", n)
	}
}

func TestQueueOwner(t *testing.T) {
	var q Queue
	foreign := Take(2, 512)
	foreign.Append([]byte("another's"))
	if err := q.Push(1, foreign); !errors.Is(err, ErrOwner) || q.Len() != 0 {
		t.Errorf("Push of another's Block: %v, %d bytes queued", err, q.Len())
	}
	if err := q.Give(1, foreign); !errors.Is(err, ErrOwner) || q.Len() != 0 {
		t.Errorf("Give of another's Block: %v, %d bytes queued", err, q.Len())
	}
	if err := q.Push(2, foreign); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Peek(1, make([][]byte, 0, 4), 100); !errors.Is(err, ErrOwner) {
		t.Errorf("Peek of another's Block: %v", err)
	}
	if err := q.Append(1, []byte("mine")); !errors.Is(err, ErrOwner) {
		t.Errorf("Append to another's Block: %v", err)
	}
	mine := Take(1, 100)
	mine.Append([]byte("mine"))
	if err := q.Give(1, mine); !errors.Is(err, ErrOwner) {
		t.Errorf("Give behind another's Block: %v", err)
	}
	mine.Release() // it stayed the caller's
	q.Release()
	if err := q.Append(1, []byte("mine")); err != nil {
		t.Fatal(err)
	}
	foreign = Take(2, 512)
	foreign.Append([]byte("another's"))
	if err := q.Give(1, foreign); !errors.Is(err, ErrOwner) || q.Len() != 4 {
		t.Errorf("Give of another's Block that could join: %v, %d bytes queued", err, q.Len())
	}
	foreign.Release()
	q.Release()
}

// TestGiveJoins: a few bytes join a Block that has room, and need none of their own.
func TestGiveJoins(t *testing.T) {
	before := InUse()
	var q Queue
	for range 100 {
		b := Take(1, 100)
		b.Append([]byte(strings.Repeat("x", 100)))
		if err := q.Give(1, b); err != nil {
			t.Fatal(err)
		}
	}
	if n := InUse() - before; q.Len() != 10_000 || n > 25 || int(n) != q.Blocks() {
		t.Errorf("%d bytes in %d Blocks of 512", q.Len(), n)
	}
	q.Release()
}

// TestGiveOfNothing: an empty Block is released, and nothing is queued.
func TestGiveOfNothing(t *testing.T) {
	before := InUse()
	var q Queue
	if err := q.Give(1, Take(1, 100)); err != nil || q.Blocks() != 0 || q.head != nil || InUse() != before {
		t.Errorf("%d Blocks are queued, %d in use (%v)", q.Blocks(), InUse()-before, err)
	}
	q.Release()
}

func TestPeekBounds(t *testing.T) { // hazard 139
	var q Queue
	defer q.Release()
	for range 10 {
		q.PushString(strings.Repeat("x", 100))
	}
	if p, _ := q.Peek(1, make([][]byte, 0, 4), 1000); len(p) != 4 {
		t.Errorf("%d pieces where 4 have room", len(p))
	}
	if p, _ := q.Peek(1, make([][]byte, 0, 16), 350); len(p) != 3 {
		t.Errorf("%d pieces of 100 bytes within a limit of 350", len(p))
	}
	if p, _ := q.Peek(1, make([][]byte, 0, 16), 10); len(p) != 1 {
		t.Errorf("%d pieces; one there always is", len(p))
	}
	q.PushString("")
	if q.Len() != 1000 {
		t.Errorf("an empty string counts: %d bytes", q.Len())
	}
}

// TestStringsStay wants a string that waits in many queues unchanged, however
// far each of them has come.
func TestStringsStay(t *testing.T) { // hazard 183
	shared := strings.Repeat("0123456789", 100)
	var qs [10]Queue
	for i := range qs {
		qs[i].PushString(shared)
		qs[i].Consume(i * 7)
	}
	for i := range qs {
		if got := all(t, &qs[i], 1); string(got) != shared[i*7:] {
			t.Errorf("queue %d holds %q", i, got)
		}
		qs[i].Release()
	}
}

// TestBlocksGoAsTheyAreSent wants a queue to give each Block back once its
// bytes were consumed, not at the end.
func TestBlocksGoAsTheyAreSent(t *testing.T) {
	before := InUse()
	var q Queue
	if err := q.Append(1, make([]byte, 256<<10)); err != nil {
		t.Fatal(err)
	}
	full := InUse() - before
	q.Consume(200 << 10)
	if n := InUse() - before; n >= full || n < 1 {
		t.Errorf("%d Blocks are held for 56 KiB, of %d for 256 KiB", n, full)
	}
	q.Release()
}
