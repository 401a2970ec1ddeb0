package loop

import (
	"io"
	"log/slog"
	"testing"

	"github.com/d74363f0/strand/internal/poll"
)

// still returns a loop that nobody drives: the benchmark is its driver.
func still() *Loop {
	return New(poll.NewPortable(), NewWatchdog(), slog.New(slog.NewTextHandler(io.Discard, nil)), func() int64 { return 0 })
}

// BenchmarkTurn is what the loop adds to user code that it runs: the ticket, and the look whether it is held still.
func BenchmarkTurn(b *testing.B) {
	l := still()
	for b.Loop() {
		if !l.Leave(l.Enter(1, nil)) {
			b.Fatal("replaced")
		}
	}
}

// BenchmarkInline is what each write asks.
func BenchmarkInline(b *testing.B) {
	l := still()
	l.Enter(1, nil)
	for b.Loop() {
		if !l.Inline(1) {
			b.Fatal("not inline")
		}
	}
}

// BenchmarkFind is an event's way to its source, one of 16,384.
func BenchmarkFind(b *testing.B) {
	l := still()
	tokens := make([]uint64, 16<<10)
	for i := range tokens {
		tokens[i] = l.Link(&source{})
	}
	i := 0
	for b.Loop() {
		if _, src := l.slots.find(tokens[i*7919%len(tokens)]); src == nil {
			b.Fatal("not found")
		}
		i++
	}
}

// BenchmarkArm moves one of 16,384 timers on, as each request does that is behind another on its connection.
func BenchmarkArm(b *testing.B) {
	l := still()
	tokens := make([]uint64, 16<<10)
	for i := range tokens {
		tokens[i] = l.Link(&source{})
		l.Arm(tokens[i], uint32(i))
	}
	i := 0
	for b.Loop() {
		l.Arm(tokens[i*7919%len(tokens)], uint32(i))
		i++
	}
}

// BenchmarkPost is a task from another goroutine, a thousand at a time.
func BenchmarkPost(b *testing.B) {
	l := still()
	l.Start()
	b.ReportAllocs()
	for b.Loop() {
		done := make(chan struct{})
		for range 999 {
			l.Post(func() {})
		}
		l.Post(func() { close(done) })
		<-done
	}
	l.Stop()
	<-l.Done()
}
