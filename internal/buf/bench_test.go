package buf

import "testing"

// BenchmarkTake is a Block out of the pool and back.
func BenchmarkTake(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Take(1, 2<<10).Release()
	}
}

// BenchmarkAppend is the way of a small write that is copied: into the queue, to the writer, out of the queue.
func BenchmarkAppend(b *testing.B) {
	var q Queue
	var pieces [8][]byte
	p := make([]byte, 128)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		if err := q.Append(1, p); err != nil {
			b.Fatal(err)
		}
		if _, err := q.Peek(1, pieces[:0], 1<<20); err != nil {
			b.Fatal(err)
		}
		q.Consume(len(p))
	}
}

// BenchmarkPush is the way of a response that was built in a Block: nothing is copied.
func BenchmarkPush(b *testing.B) {
	var q Queue
	var pieces [8][]byte
	p := make([]byte, 128)
	b.ReportAllocs()
	for b.Loop() {
		block := Take(1, 2<<10)
		block.Append(p)
		if err := q.Push(1, block); err != nil {
			b.Fatal(err)
		}
		if _, err := q.Peek(1, pieces[:0], 1<<20); err != nil {
			b.Fatal(err)
		}
		q.Consume(len(p))
	}
}
