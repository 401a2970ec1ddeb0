package sock

import (
	"syscall"
	"testing"
)

// BenchmarkReadWrite is a message to the peer and one back, each a system call of the kernel and one of ours.
func BenchmarkReadWrite(b *testing.B) {
	f, peer := pair(b)
	p := make([]byte, 128)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Write(p); err != nil {
			b.Fatal(err)
		}
		if _, err := syscall.Read(peer, p); err != nil {
			b.Fatal(err)
		}
		if _, err := syscall.Write(peer, p); err != nil {
			b.Fatal(err)
		}
		if _, err := f.Read(p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadNothing is a read in vain: the least that a system call costs.
func BenchmarkReadNothing(b *testing.B) {
	f, _ := pair(b)
	p := make([]byte, 128)
	for b.Loop() {
		if _, err := f.Read(p); err != syscall.EAGAIN {
			b.Fatal(err)
		}
	}
}
