//go:build strand_debug

package buf

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	rtdebug "runtime/debug"
	"strings"
	"testing"
	"unsafe"
)

// culprit stands in the stacks that the tests look for.
//
//go:noinline
func culprit(b *Block) { b.Release() }

func TestBothStacks(t *testing.T) {
	b := Take(1, 512)
	culprit(b)
	text := mustPanic(t, b.Release)
	if !strings.Contains(text, "buf.culprit") || !strings.Contains(text, "TestBothStacks") {
		t.Errorf("the panic does not show who released the Block first:\n%s", text)
	}
}

func TestUseAfterRelease(t *testing.T) {
	b := Take(1, 512)
	culprit(b)
	for name, use := range map[string]func(){
		"Data": func() { b.Data() }, "Tail": func() { b.Tail() }, "Append": func() { b.Append(nil) },
		"Consume": func() { b.Consume(0) }, "Advance": func() { b.Advance(0) },
	} {
		if text := mustPanic(t, use); !strings.Contains(text, "buf.culprit") {
			t.Errorf("%s: the panic does not show the release:\n%s", name, text)
		}
	}
}

// touch writes one byte and returns the panic it causes.
func touch(p []byte, at int) (v any) {
	rtdebug.SetPanicOnFault(true)
	defer func() { v = recover() }()
	p[at] = 1
	return nil
}

func TestStaleTouchFaults(t *testing.T) {
	for _, size := range []int{512, 4 << 10, 64 << 10} {
		b := Take(5, size)
		p := b.Tail()
		culprit(b)
		for _, at := range []int{0, size / 2, size - 1} {
			v := touch(p, at)
			if v == nil {
				t.Fatalf("byte %d of a released Block of %d bytes was written", at, size)
			}
			var said string
			die = func(text string) { said = text }
			Fault(v)
			if !strings.Contains(said, "buf.culprit") || !strings.Contains(said, "connection 5") {
				t.Errorf("byte %d of %d: the fault says %q", at, size, said)
			}
		}
	}
	Fault("another panic") // says nothing
}

func TestPageBehind(t *testing.T) {
	b := Take(1, 2<<10)
	defer b.Release()
	p := b.Tail()
	if v := touch(unsafeMore(p), len(p)); v == nil {
		t.Error("the byte behind a Block was written")
	}
}

// TestDies runs this test as a child, which Fault ends.
func TestDies(t *testing.T) {
	if os.Getenv("STRAND_TEST_DIE") != "" {
		die("as it should")
	}
	cmd := exec.Command(os.Args[0], "-test.run=TestDies")
	cmd.Env = append(os.Environ(), "STRAND_TEST_DIE=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "as it should") {
		t.Errorf("the process goes on: %v\n%s", err, out)
	}
}

// TestQuarantine wants a released Block to stay away for a while.
func TestQuarantine(t *testing.T) {
	b := Take(1, 16<<10)
	b.Release()
	var others []*Block
	for range 20 {
		o := Take(1, 16<<10)
		if o == b {
			t.Fatal("a Block was handed out again at once")
		}
		others = append(others, o)
	}
	for _, o := range others {
		o.Release()
	}
}

func TestWriteIntoFreeBlockIsFound(t *testing.T) {
	b := &Block{class: 0, mem: make([]byte, 512)} // without a guard
	poison(b)
	b.mem[100]++
	if text := mustPanic(t, func() { checkPoison(b) }); !strings.Contains(text, "byte 100") {
		t.Errorf("the panic says %q", text)
	}
}

func TestHeld(t *testing.T) {
	b := Take(1<<40, 512)
	ours := func(owner uint64) bool { return owner == 1<<40 }
	if held := Held(ours); len(held) != 1 || !strings.Contains(held[0], "TestHeld") {
		t.Errorf("held: %q", held)
	}
	b.Release()
	if held := Held(ours); len(held) != 0 {
		t.Errorf("held: %q", held)
	}
}

func TestFailTakes(t *testing.T) { // hazard 156
	defer FailTakes(nil)
	FailTakes(func(owner uint64) bool { return owner == 3 })
	if _, err := TryTake(3, 512); !errors.Is(err, ErrExhausted) {
		t.Errorf("TryTake: %v", err)
	}
	if text := mustPanic(t, func() { Take(3, 512) }); text != fmt.Sprint(ErrExhausted) {
		t.Errorf("Take panics with %q", text)
	}
	var q Queue
	if err := q.Append(3, []byte("x")); !errors.Is(err, ErrExhausted) || q.Len() != 0 {
		t.Errorf("Append: %v, %d bytes queued", err, q.Len())
	}
	b, err := TryTake(4, 512)
	if err != nil {
		t.Fatal(err)
	}
	b.Release()
}

// unsafeMore returns p with one more byte behind it, as only wrong code does.
func unsafeMore(p []byte) []byte { return unsafe.Slice(unsafe.SliceData(p), len(p)+1) }
