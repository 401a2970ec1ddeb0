package strand_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/buf"
)

// TestWriteBlock: Blocks arrive whole and in order among other writes, from a callback and from a goroutine; what is
// refused stays the caller's.
func TestWriteBlock(t *testing.T) {
	before := buf.InUse()
	block := func(c *strand.Conn, s string) *buf.Block {
		b := buf.Take(c.ID(), len(s))
		b.Append([]byte(s))
		return b
	}
	var want bytes.Buffer
	write := func(c *strand.Conn, s string) {
		want.WriteString(s)
		if err := c.WriteBlock(block(c, s)); err != nil {
			t.Error(err)
		}
	}
	wrote := make(chan *strand.Conn, 1)
	e := newEngine(t, strand.Options{})
	nc := dial(t, serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			for i := range 50 {
				write(c, strings.Repeat(string(rune('a'+i%26)), 1<<(i%14)))
				want.WriteString("-")
				_, _ = c.Write([]byte("-"))
			}
			write(c, "")
			wrote <- c
		}}
	}))
	c := <-wrote
	write(c, "from a goroutine")
	got := make([]byte, want.Len())
	if _, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Fatalf("%d bytes arrived, not those that were written (%v)", len(got), err)
	}

	c.SetMaxQueued(1)
	for { // until the peer's window is full
		b := block(c, strings.Repeat("x", 64<<10))
		if err := c.WriteBlock(b); err != nil {
			if !errors.Is(err, strand.ErrQueueFull) {
				t.Errorf("a full queue: %v", err)
			}
			b.Release()
			break
		}
	}
	if err := c.Abort(); err != nil {
		t.Fatal(err)
	}
	b := block(c, "too late")
	if err := c.WriteBlock(b); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	b.Release()
	for deadline := time.Now().Add(10 * time.Second); buf.InUse() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d Blocks are not home", buf.InUse()-before)
		}
	}
}
