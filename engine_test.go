package strand_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/steady"
)

// vetoed is a handler that keeps its connection at every timeout but the last.
type vetoed struct {
	hooks
	vetoes int
	seen   chan strand.Timeout
}

func (v *vetoed) OnTimeout(c *strand.Conn, k strand.Timeout) bool {
	v.seen <- k
	v.vetoes--
	return v.vetoes >= 0
}

func TestTimeouts(t *testing.T) { // users 4
	e := newEngine(t, strand.Options{MaxQueued: 64 << 20})
	for _, c := range []struct {
		name   string
		set    func(c *strand.Conn)
		kind   strand.Timeout
		vetoes int
		err    error
	}{
		{"idle", func(c *strand.Conn) { c.SetIdleTimeout(20 * time.Millisecond) }, strand.TimeoutIdle, 0, strand.ErrIdleTimeout},
		{"idle, vetoed", func(c *strand.Conn) { c.SetIdleTimeout(20 * time.Millisecond) }, strand.TimeoutIdle, 3, strand.ErrIdleTimeout},
		{"read", func(c *strand.Conn) { c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) }, strand.TimeoutRead, 0, strand.ErrReadTimeout},
		{"read, past", func(c *strand.Conn) { c.SetReadDeadline(time.Now().Add(-time.Hour)) }, strand.TimeoutRead, 0, strand.ErrReadTimeout},
		{"write", func(c *strand.Conn) {
			c.SetWriteTimeout(30 * time.Millisecond)
			_, _ = c.Write(make([]byte, 32<<20))
		}, strand.TimeoutWrite, 2, strand.ErrWriteTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			closed := make(chan error, 1)
			v := &vetoed{vetoes: c.vetoes, seen: make(chan strand.Timeout, 10)}
			v.open = c.set
			v.close = func(_ *strand.Conn, err error) { closed <- err }
			a := serve(t, e, func(*strand.Conn) strand.Handler { return v })
			dial(t, a)
			err := <-closed
			if !errors.Is(err, c.err) || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("OnClose: %v", err)
			}
			if len(v.seen) != c.vetoes+1 {
				t.Errorf("%d timeouts", len(v.seen))
			}
			for range c.vetoes + 1 {
				if k := <-v.seen; k != c.kind {
					t.Errorf("timeout %v", k)
				}
			}
		})
	}
}

func TestTimer(t *testing.T) {
	e := newEngine(t, strand.Options{})
	v := &vetoed{seen: make(chan strand.Timeout, 10)}
	v.open = func(c *strand.Conn) {
		c.SetTimer(time.Hour)
		c.SetTimer(10 * time.Millisecond)
	}
	v.readable = echo
	a := serve(t, e, func(*strand.Conn) strand.Handler { return v })
	nc := dial(t, a)
	if k := <-v.seen; k != strand.TimeoutTimer {
		t.Errorf("timeout %v", k)
	}
	roundTrip(t, nc, "the timer closes nothing")
}

// A connection that is used is not idle, however long it lives.
func TestIdleTimeoutIsPushedBack(t *testing.T) { // hazard 150
	const idle = 300 * time.Millisecond
	steady.Try(t, idle/2, func(t testing.TB) {
		e := newEngine(t, strand.Options{})
		a := serve(t, e, func(*strand.Conn) strand.Handler {
			return &hooks{open: func(c *strand.Conn) { c.SetIdleTimeout(idle) }, readable: echo}
		})
		nc := dial(t, a)
		for range 15 {
			time.Sleep(50 * time.Millisecond)
			roundTrip(t, nc, "x")
		}
		p := make([]byte, 1)
		if _, err := nc.Read(p); err == nil {
			t.Error("still open after the idle timeout")
		}
	})
}

func TestUnixSocket(t *testing.T) { // hazard 153
	settled(t)
	e := newEngine(t, strand.Options{})
	path := filepath.Join(t.TempDir(), "s")
	l, err := e.Listen("unix", path, func(*strand.Conn) strand.Handler { return &hooks{readable: echo} })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Listen("unix", path, nil); err == nil {
		t.Fatal("a second listener on one path")
	}
	nc := dial(t, l.Addr())
	roundTrip(t, nc, "unix")
	_ = nc.Close()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	<-l.Done()
	if !errors.Is(l.Err(), net.ErrClosed) {
		t.Errorf("Err: %v", l.Err())
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket's file is left: %v", err)
	}
}

func TestListenerClosedByItsUser(t *testing.T) {
	e := newEngine(t, strand.Options{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := e.AdoptListener(ln, func(*strand.Conn) strand.Handler { return &hooks{readable: echo} })
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, dial(t, ln.Addr()), "open")
	_ = ln.Close()
	select {
	case <-l.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("accepting goes on after the listener was closed")
	}
	if nc, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		_ = nc.Close()
		t.Error("connected after the listener was closed")
	}
}

func TestMaxConns(t *testing.T) { // hazard 64
	e := newEngine(t, strand.Options{MaxConns: 3})
	a := serve(t, e, func(*strand.Conn) strand.Handler { return &hooks{readable: echo} })
	var held []net.Conn
	for range 3 {
		nc := dial(t, a)
		roundTrip(t, nc, "in")
		held = append(held, nc)
	}
	over := dial(t, a)
	if _, err := io.ReadAll(over); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the one too many: %v", err)
	}
	for _, nc := range held {
		roundTrip(t, nc, "still in")
	}
	_ = held[0].Close()
	await(t, "room again", func() bool { return e.Stats().Conns < 3 })
	roundTrip(t, dial(t, a), "in again")
}

// opaque hides what a net.Conn is made of.
type opaque struct{ net.Conn }

func TestForeignConn(t *testing.T) {
	settled(t)
	e := newEngine(t, strand.Options{})
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"socket": func(nc net.Conn) net.Conn { return nc },
		"opaque": func(nc net.Conn) net.Conn { return opaque{nc} },
	} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			nc := dial(t, ln.Addr())
			defer nc.Close()
			served, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			closed := make(chan error, 1)
			c, err := e.Adopt(wrap(served), &hooks{readable: echo, close: func(_ *strand.Conn, err error) { closed <- err }})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := c.RemoteAddr().String(), nc.LocalAddr().String(); got != want {
				t.Errorf("RemoteAddr %s, want %s", got, want)
			}
			if got, want := c.LocalAddr().String(), nc.RemoteAddr().String(); got != want {
				t.Errorf("LocalAddr %s, want %s", got, want)
			}
			for range 100 {
				roundTrip(t, nc, strings.Repeat("foreign", 1000))
			}
			_ = nc.Close()
			if err := <-closed; err != nil {
				t.Errorf("OnClose: %v", err)
			}
		})
	}
}

func TestDial(t *testing.T) { // hazard 154
	settled(t)
	e := newEngine(t, strand.Options{})
	a := serve(t, e, func(*strand.Conn) strand.Handler { return &hooks{readable: echo} })
	got := make(chan string, 1)
	h := &hooks{
		open: func(c *strand.Conn) { _, _ = c.WriteString("dialled") },
		readable: func(c *strand.Conn) {
			var p [64]byte
			if n, _ := c.Read(p[:]); n > 0 {
				got <- string(p[:n])
				_ = c.Close()
			}
		},
	}
	if _, err := e.Dial(context.Background(), a.Network(), a.String(), h); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != "dialled" {
		t.Errorf("got %q", s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.Dial(ctx, a.Network(), a.String(), h); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := ln.Addr().String()
	_ = ln.Close()
	if _, err := e.Dial(context.Background(), "tcp", gone, h); err == nil {
		t.Error("dialled a closed port")
	}
}

func TestNetConn(t *testing.T) { // hazard 171
	settled(t)
	e := newEngine(t, strand.Options{})
	taken := make(chan net.Conn, 1)
	var closes atomic.Int32
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{
			readable: func(c *strand.Conn) {
				var p [64]byte
				n, _ := c.Read(p[:])
				if n == 0 {
					return
				}
				c.Unread(p[:n]) // the net.Conn reads it first
				taken <- c.NetConn()
			},
			close: func(*strand.Conn, error) { closes.Add(1) },
		}
	})
	nc := dial(t, a)
	_, _ = nc.Write([]byte("first"))
	s := <-taken
	p := make([]byte, 5)
	if _, err := io.ReadFull(s, p); err != nil || string(p) != "first" {
		t.Fatalf("%q, %v", p, err)
	}
	_ = s.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := s.Read(p); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read past its deadline: %v", err)
	}
	_ = s.SetReadDeadline(time.Time{})
	go func() { _, _ = io.Copy(s, s) }()
	roundTrip(t, nc, strings.Repeat("blocking", 10000))
	_ = s.Close()
	if _, err := s.Write(p); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after Close: %v", err)
	}
	await(t, "OnClose", func() bool { return closes.Load() == 1 })
	_ = nc.Close()
}

func TestPauseRead(t *testing.T) {
	e := newEngine(t, strand.Options{})
	conns := make(chan *strand.Conn, 1)
	var reads atomic.Int32
	closed := make(chan error, 1)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{
			open:     func(c *strand.Conn) { c.PauseRead(); conns <- c },
			readable: func(c *strand.Conn) { reads.Add(1); echo(c) },
			close:    func(_ *strand.Conn, err error) { closed <- err },
		}
	})
	nc := dial(t, a)
	c := <-conns
	_, _ = nc.Write([]byte("x"))
	time.Sleep(30 * time.Millisecond)
	if reads.Load() != 0 {
		t.Error("OnReadable while paused")
	}
	c.ResumeRead()
	p := make([]byte, 1)
	if _, err := io.ReadFull(nc, p); err != nil {
		t.Fatal(err)
	}
	c.PauseRead()
	_ = nc.(*net.TCPConn).SetLinger(0)
	_ = nc.Close() // hazard 137: a reset while reads are paused
	<-closed
}

func TestPost(t *testing.T) {
	e := newEngine(t, strand.Options{})
	conns := make(chan *strand.Conn, 1)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) { conns <- c }}
	})
	dial(t, a)
	c := <-conns
	n, done := 0, make(chan struct{})
	const posts = 1000
	for range 10 {
		go func() {
			for range posts / 10 {
				if err := c.Post(func(*strand.Conn) {
					if n++; n == posts { // one at a time: n needs no lock
						close(done)
					}
				}); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	<-done
}

// told is a handler whose callback wants to know that the peer has gone.
type told struct {
	hooks
	gone chan struct{}
}

func (h *told) OnHangup(*strand.Conn) { close(h.gone) }

func TestOnHangup(t *testing.T) {
	e := newEngine(t, strand.Options{})
	h := &told{gone: make(chan struct{})}
	h.readable = func(c *strand.Conn) {
		var p [10]byte
		if _, err := c.Read(p[:]); err == nil {
			<-h.gone
		}
		_ = c.Close()
	}
	a := serve(t, e, func(*strand.Conn) strand.Handler { return h })
	nc := dial(t, a)
	_, _ = nc.Write([]byte("x"))
	time.Sleep(10 * time.Millisecond)
	_ = nc.Close()
	select {
	case <-h.gone:
	case <-time.After(10 * time.Second):
		t.Fatal("OnHangup was not called")
	}
}
