package strand_test

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/d74363f0/strand"
)

// TestBallast wants the collector to count the ballast as live while its engine runs, and no longer, and the kernel to
// find no pages for it.
func TestBallast(t *testing.T) {
	const size = 256 << 20
	settled(t)
	live := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // the first leaves what the pools held
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, resident := live(), residentSize(t)
	for _, c := range []struct{ ballast, want int }{{size, size}, {0, 4 << 20}, {-1, 0}} {
		e, err := strand.New(strand.Options{Loops: 1, Ballast: c.ballast})
		if err != nil {
			t.Fatal(err)
		}
		if got := live() - before; got < int64(c.want)-1<<20 || got > int64(c.want)+1<<20 {
			t.Errorf("Ballast %d: %d bytes of heap in place of about %d", c.ballast, got, c.want)
		}
		if got := residentSize(t) - resident; got > size/2 { // the race detector keeps something for it
			t.Errorf("Ballast %d: %d bytes of memory are resident", c.ballast, got)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if got := live() - before; got > 1<<20 {
			t.Errorf("Ballast %d: %d bytes of heap are left when the engine has ended", c.ballast, got)
		}
		runtime.KeepAlive(e)
	}
	if e, err := strand.New(strand.Options{Ballast: 1<<30 + 1}); err == nil {
		_ = e.Close()
		t.Error("an engine with a ballast of more than 1 GiB")
	}
}

// residentSize returns the resident memory of this process, in bytes.
func residentSize(t testing.TB) int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(string(bytes.Fields(b)[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
