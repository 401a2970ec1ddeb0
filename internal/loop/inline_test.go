package loop

import (
	"io"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand/internal/poll"
)

// TestInlineOfOneThatHasLeft: whoever asks for a source whose user code has returned is told so, also while the next
// source's begins: what is written then would be corked, and nobody would uncork it.
func TestInlineOfOneThatHasLeft(t *testing.T) { // hazard 140
	l := New(poll.NewPortable(), NewWatchdog(), slog.New(slog.NewTextHandler(io.Discard, nil)), func() int64 { return 0 })
	const rounds, longest = 200_000, 3 * time.Second // one of some 20,000 rounds meets the moment
	var left, asked atomic.Uint32
	var over atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := uint32(1); ; i++ {
			for n := 0; left.Load() != i; n++ {
				if over.Load() {
					return
				}
				rest(n)
			}
			for range i % 16 { // so that the two meet
				left.Load()
			}
			if l.Inline(1) {
				t.Errorf("round %d: a source that has left is said to run", i)
			}
			asked.Store(i)
		}
	}()
	began := time.Now()
	for i := uint32(1); i <= rounds && time.Since(began) < longest; i++ {
		l.Leave(l.Enter(1, nil))
		left.Store(i)
		for range i / 16 % 16 {
			asked.Load()
		}
		for n := 0; asked.Load() != i; n++ {
			l.Leave(l.Enter(2, nil))
			rest(n)
		}
	}
	over.Store(true)
	<-done
}

// rest lets others run if one has spun for long, as where there is one processor.
func rest(n int) {
	if n%1024 == 1023 {
		runtime.Gosched()
	}
}
