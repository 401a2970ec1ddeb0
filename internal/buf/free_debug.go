//go:build strand_debug

package buf

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/d74363f0/strand/internal/check"
)

// In the debug build a released Block is filled with poison, waits in a
// quarantine with its memory out of reach, and is looked at before it is handed
// out again. So whoever still reads or writes it is found: at once by a fault
// where the platform can take memory away, at the end of the quarantine
// elsewhere.

// quarantine is how many released Blocks of a class wait, and quarantineBytes
// how much memory, whichever is less (but one always waits).
const (
	quarantine      = 256
	quarantineBytes = 8 << 20
)

// debug is what the debug build knows of a Block: where it was taken and
// released. Guarded by lists.mu.
type debug struct {
	takenAt, releasedAt trace
	guarded             bool // its memory can be taken away
}

// trace is the call sites of an event.
type trace struct {
	pcs [24]uintptr
	n   int
}

func here() (t trace) {
	t.n = runtime.Callers(3, t.pcs[:])
	return t
}

func (t *trace) String() string {
	if t.n == 0 {
		return "\tnever\n"
	}
	s := ""
	frames := runtime.CallersFrames(t.pcs[:t.n])
	for {
		f, more := frames.Next()
		s += fmt.Sprintf("\t%s\n\t\t%s:%d\n", f.Function, f.File, f.Line)
		if !more {
			return s
		}
	}
}

// lists holds the Blocks of the process that are not garbage: free ones are
// reused last in, first out, after the quarantine, first in, first out.
var lists struct {
	mu      sync.Mutex
	free    [len(classes)][]*Block
	waiting [len(classes)][]*Block
	held    map[*Block]struct{}
	guarded map[uintptr]*Block // by the first page of its memory
}

func (d *debug) history() string {
	lists.mu.Lock()
	defer lists.mu.Unlock()
	return d.historyLocked()
}

func (d *debug) historyLocked() string {
	return fmt.Sprintf("\ntaken by\n%vlast released by\n%v", &d.takenAt, &d.releasedAt)
}

func (b *Block) taken() {
	t := here()
	lists.mu.Lock()
	defer lists.mu.Unlock()
	if lists.held == nil {
		lists.held = make(map[*Block]struct{})
	}
	lists.held[b] = struct{}{}
	b.debug.takenAt = t
}

func (b *Block) released() {
	t := here()
	lists.mu.Lock()
	defer lists.mu.Unlock()
	delete(lists.held, b)
	b.debug.releasedAt = t
}

func obtain(class int) *Block {
	lists.mu.Lock()
	defer lists.mu.Unlock()
	free := lists.free[class]
	if n := len(free); n > 0 {
		b := free[n-1]
		lists.free[class] = free[:n-1]
		checkPoison(b)
		return b
	}
	b := &Block{class: int8(class)}
	b.mem, b.debug.guarded = guardedMemory(classes[class])
	if b.debug.guarded {
		if lists.guarded == nil {
			lists.guarded = make(map[uintptr]*Block)
		}
		lists.guarded[page(b.mem)] = b
	}
	poison(b)
	return b
}

func giveBack(b *Block) {
	poison(b)
	lists.mu.Lock()
	defer lists.mu.Unlock()
	if b.debug.guarded {
		protect(b.mem)
	}
	waiting := append(lists.waiting[b.class], b)
	if most := max(1, min(quarantine, quarantineBytes/classes[b.class])); len(waiting) > most {
		out := waiting[0]
		waiting = waiting[1:]
		if out.debug.guarded {
			unprotect(out.mem)
		}
		checkPoison(out)
		lists.free[b.class] = append(lists.free[b.class], out)
	}
	lists.waiting[b.class] = waiting
}

func poison(b *Block) {
	for i := range b.mem {
		b.mem[i] = check.Poison
	}
}

// checkPoison finds writes that came after the release. lists.mu is held.
func checkPoison(b *Block) {
	for i, c := range b.mem {
		if c != check.Poison {
			panic(fmt.Sprintf("buf: byte %d of Block %p was written after connection %d released it%s", i, b, b.owner,
				b.debug.historyLocked()))
		}
	}
}

// Fault explains a panic that the memory of a released Block caused, and ends
// the process: what was recovered from might hide it. Panics of other kinds are
// none of its business.
func Fault(v any) {
	f, ok := v.(interface{ Addr() uintptr })
	if !ok {
		return
	}
	lists.mu.Lock()
	b := lists.guarded[f.Addr()&^(pageSize-1)]
	for p := f.Addr() &^ (pageSize - 1); b == nil && f.Addr()-p < 1<<20; p -= pageSize {
		b = lists.guarded[p]
	}
	if b == nil {
		lists.mu.Unlock()
		return
	}
	text := fmt.Sprintf("buf: memory at %#x of Block %p was touched after connection %d released it%stouched by\n%v", f.Addr(), b,
		b.owner, b.debug.historyLocked(), func() *trace { t := here(); return &t }())
	lists.mu.Unlock()
	die(text)
}

// die ends the process, from where nobody recovers. Tests replace it.
var die = func(text string) {
	go func() { panic(text) }()
	select {}
}

// Held returns where the Blocks were taken that ours says are somebody's of
// interest and that were not released, one text for each.
func Held(ours func(owner uint64) bool) []string {
	lists.mu.Lock()
	defer lists.mu.Unlock()
	var out []string
	for b := range lists.held {
		if ours(b.owner) {
			out = append(out, fmt.Sprintf("Block %p of connection %d, %d bytes, taken by\n%v", b, b.owner, len(b.mem), &b.debug.takenAt))
		}
	}
	return out
}

var takeFails atomic.Pointer[func(owner uint64) bool]

// FailTakes has fails decide, for each Block that is taken, whether there is no
// memory for it; nil ends that.
func FailTakes(fails func(owner uint64) bool) {
	if fails == nil {
		takeFails.Store(nil)
		return
	}
	takeFails.Store(&fails)
}

func failing(owner uint64) bool {
	f := takeFails.Load()
	return f != nil && (*f)(owner)
}
