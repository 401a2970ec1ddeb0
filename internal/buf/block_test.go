package buf

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// mustPanic runs f and returns what it panicked with, as text.
func mustPanic(t *testing.T, f func()) (text string) {
	t.Helper()
	defer func() {
		t.Helper()
		v := recover()
		if v == nil {
			t.Error("no panic")
		}
		text = fmt.Sprint(v)
	}()
	f()
	return ""
}

func TestBlockCursors(t *testing.T) {
	b := Take(1, 100)
	defer b.Release()
	if b.Cap() != 512 || b.Len() != 0 || len(b.Tail()) != 512 || b.Owner() != 1 {
		t.Fatalf("a new Block: cap %d, len %d, room %d, owner %d", b.Cap(), b.Len(), len(b.Tail()), b.Owner())
	}
	if n := b.Append([]byte("hello, world")); n != 12 {
		t.Fatalf("Append took %d of 12 bytes", n)
	}
	b.Consume(7)
	if string(b.Data()) != "world" {
		t.Errorf("Data is %q", b.Data())
	}
	b.Compact()
	if string(b.Data()) != "world" || len(b.Tail()) != 507 {
		t.Errorf("after Compact: %q, %d bytes of room", b.Data(), len(b.Tail()))
	}
	copy(b.Tail(), "!!")
	b.Advance(2)
	b.Consume(7)
	if b.Len() != 0 || len(b.Tail()) != 512 {
		t.Errorf("all consumed: len %d, room %d of 512", b.Len(), len(b.Tail()))
	}
	b.Append([]byte("x"))
	if b.Reset(); b.Len() != 0 {
		t.Errorf("after Reset: len %d", b.Len())
	}
}

// TestCut wants what stands behind the gap, and only that, moved up.
func TestCut(t *testing.T) {
	b := Take(1, 100)
	defer b.Release()
	b.Append([]byte("..head gap body"))
	b.Consume(2)
	b.Cut(5, 9)
	if got := string(b.Data()); got != "head body" {
		t.Errorf("%q", got)
	}
	b.Cut(4, 9)
	b.Cut(0, 0)
	b.Append([]byte("!"))
	if got := string(b.Data()); got != "head!" {
		t.Errorf("%q", got)
	}
	for _, c := range [][2]int{{-1, 2}, {3, 2}, {0, 6}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Cut(%d, %d) of 5 bytes", c[0], c[1])
				}
			}()
			b.Cut(c[0], c[1])
		}()
	}
}

// TestDataIsNotTail wants what was read whole, and nothing behind it: a short
// read into a big Block never shows what the Block held before.
func TestDataIsNotTail(t *testing.T) { // hazards 177, 179
	b := Take(1, 512)
	defer b.Release()
	copy(b.Tail(), strings.Repeat("secret", 80))
	b.Advance(3)
	if d := b.Data(); string(d) != "sec" || cap(d) != 3 {
		t.Errorf("Data is %q with capacity %d", d, cap(d))
	}
}

func TestBlockBounds(t *testing.T) {
	b := Take(1, 512)
	defer b.Release()
	mustPanic(t, func() { b.Advance(513) })
	mustPanic(t, func() { b.Advance(-1) })
	b.Advance(5)
	mustPanic(t, func() { b.Consume(6) })
	mustPanic(t, func() { b.Consume(-1) })
	if n := b.Append(make([]byte, 600)); n != 507 {
		t.Errorf("Append took %d bytes where 507 fit", n)
	}
}

func TestClasses(t *testing.T) {
	for _, c := range []struct{ min, cap int }{
		{0, 512}, {512, 512}, {513, 2 << 10}, {4 << 10, 4 << 10}, {5 << 10, 16 << 10}, {64 << 10, 64 << 10},
		{1 << 20, 1 << 20}, {1<<20 + 1, 1<<20 + 1},
	} {
		b := Take(1, c.min)
		if b.Cap() != c.cap {
			t.Errorf("Take(%d) has room for %d bytes, not %d", c.min, b.Cap(), c.cap)
		}
		b.Release()
	}
}

func TestReleaseTwice(t *testing.T) { // hazards 163, 173, 178
	b := Take(7, 512)
	b.Release()
	if text := mustPanic(t, b.Release); !strings.Contains(text, "connection 7 released twice") {
		t.Errorf("the panic says %q", text)
	}
	large := Take(7, 2<<20)
	large.Release()
	mustPanic(t, large.Release)
}

func TestReleaseQueued(t *testing.T) {
	var q Queue
	b := Take(1, 512)
	b.Append([]byte("x"))
	if err := q.Push(1, b); err != nil {
		t.Fatal(err)
	}
	mustPanic(t, func() { _ = q.Push(1, b) })
	q.Release()
	b = Take(1, 512)
	if err := q.Push(1, b); err != nil {
		t.Fatal(err)
	}
	if text := mustPanic(t, b.Release); !strings.Contains(text, "while it is queued") {
		t.Errorf("the panic says %q", text)
	}
}

// TestNeverShared takes and releases from many goroutines: nobody may see
// another's bytes, or be given what another holds.
func TestNeverShared(t *testing.T) {
	before := InUse()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(g)))
			mark := bytes.Repeat([]byte{byte(g + 1)}, 4096)
			var held []*Block
			for range 2000 {
				if len(held) > 0 && rng.IntN(2) == 0 {
					b := held[len(held)-1]
					held = held[:len(held)-1]
					if !bytes.Equal(b.Data(), mark[:b.Len()]) {
						t.Errorf("a Block of goroutine %d holds %x", g, b.Data())
					}
					b.Release()
					continue
				}
				b := Take(uint64(g), rng.IntN(4096))
				b.Append(mark[:rng.IntN(b.Cap()+1)])
				held = append(held, b)
			}
			for _, b := range held {
				b.Release()
			}
		})
	}
	wg.Wait()
	if n := InUse() - before; n != 0 {
		t.Errorf("%d Blocks are in use after all were released", n)
	}
}

func TestStatsCount(t *testing.T) {
	before := Stats()
	a, b := Take(1, 512), Take(1, 2<<20)
	a.Release()
	after := Stats()
	if d := after[1].Taken - before[1].Taken; d != 1 || after[1].Size != 512 {
		t.Errorf("class of %d bytes: %d taken", after[1].Size, d)
	}
	if d := after[1].Released - before[1].Released; d != 1 {
		t.Errorf("%d released", d)
	}
	if d := after[0].Taken - before[0].Taken; d != 1 || after[0].Size != 0 || after[0].Released != before[0].Released {
		t.Errorf("unpooled: %d taken", d)
	}
	b.Release()
}
