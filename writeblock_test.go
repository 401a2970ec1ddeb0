package strand_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/buf"
)

// TestSendBlock: Blocks arrive whole and in order among other writes, from a callback and from a goroutine; what is
// refused stays the caller's.
func TestSendBlock(t *testing.T) {
	before := buf.InUse()
	block := func(c *strand.Conn, s string) *buf.Block {
		b := buf.Take(c.ID(), len(s))
		b.Append([]byte(s))
		return b
	}
	var want bytes.Buffer
	write := func(c *strand.Conn, s string) {
		want.WriteString(s)
		if err := buf.Send(c, block(c, s)); err != nil {
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
		if err := buf.Send(c, b); err != nil {
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
	if err := buf.Send(c, b); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	b.Release()
	for deadline := time.Now().Add(10 * time.Second); buf.InUse() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d Blocks are not home", buf.InUse()-before)
		}
	}
}

// TestSendBlockOfNothing: an empty Block is given back and leaves no trace in the queue, in which one that cannot
// be sent would be in the way of what is behind it.
func TestSendBlockOfNothing(t *testing.T) {
	before := buf.InUse()
	long := strings.Repeat("behind", 1000)
	e := newEngine(t, strand.Options{})
	held := make(chan int64, 1)
	nc := dial(t, serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			for range 20 { // more than are sent at a time
				if err := buf.Send(c, buf.Take(c.ID(), 1)); err != nil {
					t.Error(err)
				}
			}
			held <- buf.InUse() - before
			_, _ = c.WriteString(long)
		}}
	}))
	if n := <-held; n > 1 { // the portable transport reads ahead into one
		t.Errorf("%d empty Blocks are kept", n)
	}
	got := make([]byte, len(long))
	if n, err := io.ReadFull(nc, got); err != nil || string(got) != long {
		t.Errorf("%d bytes arrived (%v)", n, err)
	}
}

// TestSendBlockOverTLS: what is encrypted is a copy, and the Block goes home.
func TestSendBlockOverTLS(t *testing.T) {
	before := buf.InUse()
	e := newEngine(t, strand.Options{})
	addr := tlsServer(t, e, serverConfig(t), nil, func() strand.Handler {
		return &hooks{readable: func(c *strand.Conn) {
			b := buf.Take(c.ID(), 1<<10)
			n, err := c.Read(b.Tail())
			if b.Advance(n); n == 0 || err != nil {
				b.Release()
				return
			}
			if err := buf.Send(c, b); err != nil {
				t.Error(err)
				b.Release()
			}
		}}
	})
	nc := dialTLS(t, addr, insecure(tls.VersionTLS13))
	for range 10 {
		roundTrip(t, nc, "in a Block")
	}
	_ = nc.Close()
	await(t, "every Block is home", func() bool { return buf.InUse() <= before })
}

// TestWriteForeignBlockOverTLS: a Block of another connection is not encrypted for this one, either.
func TestWriteForeignBlockOverTLS(t *testing.T) { // invariant I1
	log, logger := captured()
	e := newEngine(t, strand.Options{Logger: logger})
	wrote, ended := make(chan error, 1), make(chan error, 1)
	addr := tlsServer(t, e, serverConfig(t), nil, func() strand.Handler {
		return &hooks{
			readable: func(c *strand.Conn) {
				if _, err := c.Read(make([]byte, 10)); err != nil {
					return
				}
				foreign := buf.Take(c.ID()+1000, 100)
				defer foreign.Release()
				foreign.Append([]byte("another connection's"))
				wrote <- buf.Send(c, foreign)
			},
			close: func(_ *strand.Conn, err error) { ended <- err },
		}
	})
	nc := dialTLS(t, addr, insecure(tls.VersionTLS13))
	if _, err := nc.Write([]byte("go")); err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(nc); len(got) != 0 {
		t.Errorf("sent %q", got)
	}
	if err := <-wrote; !errors.Is(err, strand.ErrIsolation) {
		t.Errorf("Send: %v", err)
	}
	if err := <-ended; !errors.Is(err, strand.ErrIsolation) {
		t.Errorf("OnClose: %v", err)
	}
	if n := e.Stats().Violations; n != 1 || len(log.bytes()) == 0 {
		t.Errorf("%d violations counted, %d bytes of log", n, len(log.bytes()))
	}
}
