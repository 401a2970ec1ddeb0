package strand_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/buf"
)

// hooks is a Handler made of functions; nil ones do nothing.
type hooks struct {
	open, readable, drained func(c *strand.Conn)
	close                   func(c *strand.Conn, err error)
}

func (h *hooks) OnOpen(c *strand.Conn) {
	if h.open != nil {
		h.open(c)
	}
}

func (h *hooks) OnReadable(c *strand.Conn) {
	if h.readable != nil {
		h.readable(c)
	}
}

func (h *hooks) OnDrained(c *strand.Conn) {
	if h.drained != nil {
		h.drained(c)
	}
}

func (h *hooks) OnClose(c *strand.Conn, err error) {
	if h.close != nil {
		h.close(c, err)
	}
}

// echo writes back what it reads, with backpressure.
func echo(c *strand.Conn) {
	var p [4096]byte
	for {
		n, err := c.Read(p[:])
		if err == strand.ErrWouldBlock {
			return
		}
		if err != nil {
			_ = c.Close()
			return
		}
		for {
			_, err := c.Write(p[:n])
			if err == nil {
				break
			}
			if err != strand.ErrQueueFull || c.WaitWrite(context.Background()) != nil {
				_ = c.Abort()
				return
			}
		}
	}
}

func newEngine(t testing.TB, o strand.Options) *strand.Engine {
	t.Helper()
	e, err := strand.New(o)
	if err != nil {
		t.Fatal(err)
	}
	blocks := buf.InUse()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		for deadline := time.Now().Add(5 * time.Second); buf.InUse() > blocks; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("%d Blocks in use after Shutdown, %d before", buf.InUse(), blocks)
				return
			}
		}
	})
	return e
}

func serve(t testing.TB, e *strand.Engine, accept func(*strand.Conn) strand.Handler) net.Addr {
	t.Helper()
	l, err := e.Listen("tcp", "127.0.0.1:0", accept)
	if err != nil {
		t.Fatal(err)
	}
	return l.Addr()
}

func dial(t testing.TB, a net.Addr) net.Conn {
	t.Helper()
	nc, err := net.Dial(a.Network(), a.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(30 * time.Second))
	return nc
}

func TestEcho(t *testing.T) {
	e := newEngine(t, strand.Options{})
	a := serve(t, e, func(*strand.Conn) strand.Handler { return &hooks{readable: echo} })
	echoes(t, a, 20, 20)
}

// echoes has clients of an echo server send messages of any size, and wants each back as it was.
func echoes(t *testing.T, a net.Addr, clients, messages int) {
	t.Helper()
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			rnd := rand.New(rand.NewSource(seed + int64(i)))
			nc := dial(t, a)
			for range messages {
				want := make([]byte, 1+rnd.Intn(300000))
				rnd.Read(want)
				go func() { _, _ = nc.Write(want) }()
				got := make([]byte, len(want))
				if _, err := io.ReadFull(nc, got); err != nil {
					t.Errorf("read: %v", err)
					return
				}
				if !bytes.Equal(got, want) {
					t.Errorf("echo of %d bytes differs", len(want))
					return
				}
			}
		}()
	}
	wg.Wait()
}

func TestHalfCloseStillAnswers(t *testing.T) { // hazards 72, 73
	e := newEngine(t, strand.Options{})
	closed := make(chan error, 1)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{readable: echo, close: func(_ *strand.Conn, err error) { closed <- err }}
	})
	nc := dial(t, a).(interface {
		net.Conn
		CloseWrite() error
	})
	want := bytes.Repeat([]byte("x"), 200000)
	go func() {
		_, _ = nc.Write(want)
		_ = nc.CloseWrite()
	}()
	got, err := io.ReadAll(nc)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
	if err := <-closed; err != nil {
		t.Fatalf("OnClose: %v", err)
	}
}

func TestClosedConnIsErrClosed(t *testing.T) { // hazards 143, 180
	e := newEngine(t, strand.Options{})
	conns := make(chan *strand.Conn, 1)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{close: func(c *strand.Conn, _ error) { conns <- c }, readable: func(c *strand.Conn) { _ = c.Close() }}
	})
	nc := dial(t, a)
	_, _ = nc.Write([]byte("x"))
	c := <-conns
	_, err := c.Write([]byte("x"))
	for name, err := range map[string]error{"Write": err, "Close": c.Close(), "Abort": c.Abort(), "Flush": c.Flush(), "CloseWrite": c.CloseWrite(), "Post": c.Post(func(*strand.Conn) {})} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s after close: %v", name, err)
		}
	}
}
