//go:build linux && !strand_std

package strand_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// A SendFile that begins while the event that ends a stall is on its way must
// leave that event its work: what is written next waits for it.
func TestSendFileBeforeItsEvent(t *testing.T) { // hazards 140, 155
	const size = 64 << 20
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, strand.Options{Loops: 1})
	conns := make(chan *strand.Conn, 1)
	a := serve(t, e, func(c *strand.Conn) strand.Handler { conns <- c; return &hooks{} })
	nc := dial(t, a)
	c := <-conns
	short := func() int64 {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		n, err := c.SendFile(ctx, f, size)
		if err != context.DeadlineExceeded {
			t.Fatalf("SendFile to a peer that does not read: %d, %v", n, err)
		}
		return n
	}
	// On one processor the loop does not see the event before this goroutine
	// waits.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want := short()
	var got int64
	p := make([]byte, 256<<10)
	for range 8 {
		n, err := nc.Read(p)
		got += int64(n)
		if err != nil {
			t.Fatal(err)
		}
	}
	n, err := c.SendFile(context.Background(), f, 1<<10)
	if err != nil {
		t.Fatal(err)
	}
	want += n
	if _, err := c.Write([]byte("tail")); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	k, err := io.Copy(io.Discard, nc)
	if got, want = got+k, want+4; err != nil || got != want {
		t.Fatalf("%d bytes arrived of %d: %v", got, want, err)
	}
}
