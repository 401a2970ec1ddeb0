package strand_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// await waits for cond, which must come true without a test's help.
func await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 10 s for: %s", what)
		}
	}
}

func descriptors(t testing.TB) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1 // not Linux: the count is not checked
	}
	return len(d)
}

// settled checks at the end of a test that descriptors and goroutines are back
// to what they were.
func settled(t testing.TB) {
	t.Helper()
	fds, routines := descriptors(t), runtime.NumGoroutine()
	t.Cleanup(func() {
		await(t, "descriptors back to where they began", func() bool { return descriptors(t) <= fds })
		await(t, "goroutines back to where they began", func() bool { return runtime.NumGoroutine() <= routines+2 })
	})
}

func TestCloseFromManyGoroutines(t *testing.T) { // hazard 145
	settled(t)
	e := newEngine(t, strand.Options{})
	var closes, opens atomic.Int32
	conns := make(chan *strand.Conn)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{
			open:     func(c *strand.Conn) { opens.Add(1); c.SetTimer(time.Millisecond); go func() { conns <- c }() },
			readable: echo,
			close:    func(*strand.Conn, error) { closes.Add(1) },
		}
	})
	for range 20 {
		nc := dial(t, a)
		c := <-conns
		var wg sync.WaitGroup
		var won atomic.Int32
		for i := range 64 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				if i == 32 {
					_ = nc.(*net.TCPConn).SetLinger(0)
					_ = nc.Close() // RST
				}
				if err := c.Close(); err == nil {
					won.Add(1)
				} else if !errors.Is(err, net.ErrClosed) {
					t.Errorf("Close: %v", err)
				}
				_, _ = c.Write([]byte("x"))
			}()
		}
		wg.Wait()
		if won.Load() > 1 {
			t.Errorf("%d calls of Close succeeded", won.Load())
		}
	}
	await(t, "OnClose of each", func() bool { return closes.Load() == 20 })
	time.Sleep(20 * time.Millisecond)
	if opens.Load() != 20 || closes.Load() != 20 {
		t.Errorf("%d OnOpen, %d OnClose of 20 connections", opens.Load(), closes.Load())
	}
}

func TestCloseSendsWhatIsQueued(t *testing.T) { // users 3
	e := newEngine(t, strand.Options{MaxQueued: 64 << 20})
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			if _, err := c.Write(want); err != nil {
				t.Errorf("Write: %v", err)
			}
			_ = c.Close()
			if _, err := c.Write(want); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Write after Close: %v", err)
			}
		}}
	})
	nc := dial(t, a)
	time.Sleep(50 * time.Millisecond) // the peer is slow to begin
	got, err := io.ReadAll(nc)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes of %d, %v", len(got), len(want), err)
	}
}

func TestCloseTimeoutEndsADeafPeer(t *testing.T) { // hazards 62, 97
	settled(t)
	e := newEngine(t, strand.Options{MaxQueued: 64 << 20, CloseTimeout: 100 * time.Millisecond})
	closed := make(chan error, 1)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{
			open:  func(c *strand.Conn) { _, _ = c.Write(make([]byte, 32<<20)); _ = c.Close() },
			close: func(_ *strand.Conn, err error) { closed <- err },
		}
	})
	nc := dial(t, a)
	if err := <-closed; !errors.Is(err, strand.ErrWriteTimeout) {
		t.Errorf("OnClose: %v", err)
	}
	_ = nc.Close()
}

func TestCallbackPanics(t *testing.T) { // hazard 147
	settled(t)
	log, quiet := captured()
	e := newEngine(t, strand.Options{Logger: quiet})
	for name, bad := range map[string]func(){
		"panic":     func() { panic("boom") },
		"error":     func() { panic(io.ErrUnexpectedEOF) },
		"nil":       func() { panic(nil) },
		"Goexit":    runtime.Goexit,
		"nil deref": func() { var p *int; *p = 1 },
	} {
		for _, where := range []string{"accept", "open", "readable", "close"} {
			closed := make(chan error, 2)
			do := func(at string) {
				if at == where {
					bad()
				}
			}
			a := serve(t, e, func(*strand.Conn) strand.Handler {
				do("accept")
				return &hooks{
					open:     func(*strand.Conn) { do("open") },
					readable: func(c *strand.Conn) { do("readable"); echo(c) },
					close:    func(_ *strand.Conn, err error) { closed <- err; do("close") },
				}
			})
			nc, err := net.Dial(a.Network(), a.String())
			if err == nil { // the reset may come before Dial returns
				_, _ = nc.Write([]byte("x"))
				if where == "close" {
					_ = nc.(*net.TCPConn).CloseWrite()
				}
				_, _ = io.ReadAll(nc)
				_ = nc.Close()
			}
			if where == "open" || where == "readable" {
				if err := <-closed; !errors.Is(err, strand.ErrPanic) {
					t.Errorf("%s in %s: OnClose(%v)", name, where, err)
				}
			}
		}
	}
	// The loops live.
	a := serve(t, e, func(*strand.Conn) strand.Handler { return &hooks{readable: echo} })
	for range 4 {
		roundTrip(t, dial(t, a), "alive")
	}
	if !bytes.Contains(log.bytes(), []byte("boom")) {
		t.Error("the panic was not logged")
	}
}

// A callback that calls Goexit when it has ended its connection, or its half of it, ends it no further: what is queued
// goes out, and what comes is offered.
func TestGoexitAfterEnd(t *testing.T) { // hazard 147
	settled(t)
	e := newEngine(t, strand.Options{})
	for name, end := range map[string]func(*strand.Conn) error{"Close": (*strand.Conn).Close, "CloseWrite": (*strand.Conn).CloseWrite} {
		closed := make(chan error, 2)
		ended := false
		a := serve(t, e, func(*strand.Conn) strand.Handler {
			return &hooks{
				readable: func(c *strand.Conn) {
					if ended { // what the first call left unread
						if n, err := c.Read(make([]byte, 8)); n != 1 || err != nil {
							t.Errorf("%s: left unread: %d, %v", name, n, err)
						}
						_ = c.Close()
						return
					}
					ended = true
					_, _ = c.WriteString("bye")
					if err := end(c); err != nil {
						t.Error(err)
					}
					runtime.Goexit()
				},
				close: func(_ *strand.Conn, err error) { closed <- err },
			}
		})
		nc := dial(t, a)
		if _, err := nc.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 3)
		if _, err := io.ReadFull(nc, p); string(p) != "bye" || err != nil {
			t.Errorf("%s: %q, %v", name, p, err)
		}
		select {
		case err := <-closed:
			if errors.Is(err, strand.ErrPanic) {
				t.Errorf("%s: OnClose(%v)", name, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: no OnClose", name)
		}
		_ = nc.Close()
	}
}

func roundTrip(t testing.TB, nc net.Conn, s string) {
	t.Helper()
	if _, err := nc.Write([]byte(s)); err != nil {
		t.Fatalf("write: %v", err)
	}
	p := make([]byte, len(s))
	if _, err := io.ReadFull(nc, p); err != nil || string(p) != s {
		t.Fatalf("echo of %q: %q, %v", s, p, err)
	}
}

func TestCloseInsideCallbacks(t *testing.T) { // hazard 146
	settled(t)
	e := newEngine(t, strand.Options{})
	for _, end := range []func(*strand.Conn) error{(*strand.Conn).Close, (*strand.Conn).Abort} {
		for _, where := range []string{"open", "readable", "drained", "close", "post"} {
			closed, full := make(chan struct{}, 2), make(chan struct{})
			do := func(at string, c *strand.Conn) {
				if at == where {
					_ = end(c)
				}
			}
			a := serve(t, e, func(*strand.Conn) strand.Handler {
				return &hooks{
					open: func(c *strand.Conn) {
						do("open", c)
						if where == "post" {
							_ = c.Post(func(c *strand.Conn) { do("post", c) })
						}
						if where == "drained" {
							for c.Buffered() == 0 { // until the kernel takes no more
								_, _ = c.Write(make([]byte, 1<<20))
							}
							close(full)
						}
					},
					readable: func(c *strand.Conn) { do("readable", c); echo(c) },
					drained:  func(c *strand.Conn) { do("drained", c) },
					close:    func(c *strand.Conn, _ error) { do("close", c); closed <- struct{}{} },
				}
			})
			nc, err := net.Dial(a.Network(), a.String())
			if err == nil { // the reset may come before Dial returns
				_, _ = nc.Write([]byte("x"))
				if where == "close" {
					_ = nc.(*net.TCPConn).CloseWrite()
				}
				if where == "drained" {
					<-full
				}
				_, _ = io.Copy(io.Discard, nc)
				_ = nc.Close()
			}
			<-closed
		}
	}
}

func TestShutdown(t *testing.T) { // hazard 83
	settled(t)
	e, err := strand.New(strand.Options{MaxQueued: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var closes atomic.Int32
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{readable: echo, close: func(*strand.Conn, error) { closes.Add(1) }}
	})
	for range 10 {
		roundTrip(t, dial(t, a), "x")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for range 3 { // at once, and again
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := e.Shutdown(ctx); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		}()
	}
	wg.Wait()
	if n := closes.Load(); n != 10 {
		t.Errorf("%d OnClose of 10", n)
	}
	if _, err := e.Listen("tcp", "127.0.0.1:0", nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Listen after Shutdown: %v", err)
	}
	if _, err := e.Dial(ctx, a.Network(), a.String(), &hooks{}); err == nil {
		t.Error("Dial after Shutdown succeeded")
	}
	if err := e.Close(); err != nil {
		t.Errorf("Close after Shutdown: %v", err)
	}
}

func TestShutdownDeadline(t *testing.T) {
	settled(t)
	e, err := strand.New(strand.Options{MaxQueued: 32 << 20, CloseTimeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	opened := make(chan struct{})
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) { _, _ = c.Write(make([]byte, 16<<20)); close(opened) }}
	})
	nc := dial(t, a) // which never reads
	<-opened
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := e.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	_ = nc.Close()
}
