package strand_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// wantQuiet wants less than most spent in one of several windows of 100 ms: the rest
// of the process may be busy for a while, and what spins is in each window.
func wantQuiet(t testing.TB, what string, most int64, spent func() int64) {
	t.Helper()
	var used int64
	for range 20 {
		before := spent()
		time.Sleep(100 * time.Millisecond)
		if used = spent() - before; used < most {
			return
		}
	}
	t.Errorf("%s: %d in 100 ms", what, used)
}

// stuff writes until neither the peer's kernel nor the queue takes more.
func stuff(c *strand.Conn) {
	p := make([]byte, 64<<10)
	for {
		if _, err := c.Write(p); err != nil {
			return
		}
	}
}

// overtime writes to a peer that does not read until the write timeout has passed, and
// returns how many bytes were accepted.
func overtime(t *testing.T, c *strand.Conn) (n int64) {
	p := make([]byte, 64<<10)
	for {
		_, err := c.Write(p)
		if err == nil {
			n += int64(len(p))
			continue
		}
		if err == strand.ErrQueueFull {
			err = c.WaitWrite(context.Background())
		}
		if err != nil {
			if !errors.Is(err, strand.ErrWriteTimeout) {
				t.Errorf("a write to a full peer: %v", err)
			}
			return n
		}
	}
}

// SetMaxQueued lets a writer go on that waits for room.
func TestSetMaxQueuedWakesWriters(t *testing.T) {
	e := newEngine(t, strand.Options{})
	waited := make(chan error, 1)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			stuff(c)
			time.AfterFunc(20*time.Millisecond, func() { c.SetMaxQueued(1 << 30) })
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			waited <- c.WaitWrite(ctx)
		}}
	})
	dial(t, a) // which never reads
	if err := <-waited; err != nil {
		t.Errorf("WaitWrite, with room: %v", err)
	}
}

// Whoever waits to write learns of a CloseWrite, behind which nothing can be written.
func TestCloseWriteEndsWriters(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(64 << 20); err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(context.Context, *strand.Conn) error{
		"WaitWrite": func(ctx context.Context, c *strand.Conn) error {
			for {
				if err := c.WaitWrite(ctx); err != nil {
					return err
				}
				stuff(c) // the kernel took more after all
			}
		},
		"WriteAll": func(ctx context.Context, c *strand.Conn) error {
			_, err := c.WriteAll(ctx, make([]byte, 64<<20))
			return err
		},
		"SendFile": func(ctx context.Context, c *strand.Conn) error {
			_, err := c.SendFile(ctx, f, 64<<20)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, strand.Options{})
			wrote := make(chan error, 1)
			a := serve(t, e, func(*strand.Conn) strand.Handler {
				return &hooks{open: func(c *strand.Conn) {
					stuff(c)
					time.AfterFunc(50*time.Millisecond, func() { _ = c.CloseWrite() })
					ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
					defer cancel()
					wrote <- write(ctx, c)
				}}
			})
			dial(t, a) // which never reads
			if err := <-wrote; !errors.Is(err, net.ErrClosed) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A write timeout that passed in a callback, which switched it off, is not told.
func TestWriteTimeoutSwitchedOffInTime(t *testing.T) { // hazard 150
	e := newEngine(t, strand.Options{})
	next := make(chan struct{})
	v := &timed{hooks: hooks{open: func(c *strand.Conn) {
		c.SetWriteTimeout(20 * time.Millisecond)
		overtime(t, c)
		c.SetWriteTimeout(0)
		_ = c.Post(func(c *strand.Conn) { // in this turn, before its timeouts
			_ = c.Post(func(*strand.Conn) { close(next) }) // in the next
		})
	}}}
	a := serve(t, e, func(*strand.Conn) strand.Handler { return v })
	dial(t, a) // which never reads
	within(t, "the turn behind the timeouts", next)
	if n := v.n.Load(); n != 0 {
		t.Errorf("%d timeouts", n)
	}
}

// A write timeout that passed in a callback is forgotten when the peer has read: what is
// written then has all of its time.
func TestWriteTimeoutIsOvertaken(t *testing.T) { // hazard 150
	const timeout = 200 * time.Millisecond
	e := newEngine(t, strand.Options{})
	accepted, done := make(chan int64, 1), make(chan time.Duration, 1)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			c.SetWriteTimeout(timeout)
			accepted <- overtime(t, c)
			for began := time.Now(); c.Buffered() > 0 && time.Since(began) < 10*time.Second; {
				time.Sleep(time.Millisecond)
			}
			began := time.Now()
			stuff(c)
			ctx, cancel := context.WithTimeout(context.Background(), timeout/2)
			defer cancel()
			if errors.Is(c.WaitWrite(ctx), strand.ErrWriteTimeout) {
				done <- time.Since(began)
				return
			}
			done <- timeout
		}}
	})
	var took time.Duration
	for range 3 { // a starved loop's clock may be late
		nc := dial(t, a)
		_, _ = io.CopyN(io.Discard, nc, <-accepted)
		if took = <-done; took >= timeout/2 {
			return
		}
	}
	t.Errorf("a write timeout of %v passed after %v", timeout, took)
}

// switcher switches the idle timeout off when its timer tells it, and counts the idle
// timeouts it is told of behind that.
type switcher struct {
	hooks
	off  bool
	late *atomic.Int64
	done chan struct{}
}

func (s *switcher) OnTimeout(c *strand.Conn, k strand.Timeout) bool {
	if k == strand.TimeoutIdle && s.off {
		s.late.Add(1)
	}
	if k == strand.TimeoutTimer {
		s.off = true
		c.SetIdleTimeout(0)
		_ = c.Post(func(*strand.Conn) { close(s.done) }) // in the next turn
	}
	return true
}

// An idle timeout that passed together with a timer, whose callback switched it off, is
// not told.
func TestIdleTimeoutSwitchedOffInTime(t *testing.T) { // hazard 150
	e := newEngine(t, strand.Options{})
	var late atomic.Int64
	var all []*switcher
	for i := range 30 { // some of these pass together
		s := &switcher{late: &late, done: make(chan struct{})}
		s.open = func(c *strand.Conn) {
			c.SetIdleTimeout(time.Duration(30+i) * time.Millisecond)
			c.SetTimer(40 * time.Millisecond)
		}
		all = append(all, s)
		dial(t, serve(t, e, func(*strand.Conn) strand.Handler { return s }))
	}
	for _, s := range all {
		within(t, "the turn behind the timer", s.done)
	}
	if n := late.Load(); n > 0 {
		t.Errorf("%d idle timeouts that had been switched off", n)
	}
}

// idler says how long after the end of its OnReadable it was told of a timeout.
type idler struct {
	hooks
	ended time.Time
	told  chan<- time.Duration
}

func (i *idler) OnTimeout(*strand.Conn, strand.Timeout) bool {
	i.told <- time.Since(i.ended)
	return false
}

// The time during which a callback runs does not count as idle.
func TestCallbackIsNotIdle(t *testing.T) {
	const timeout = 200 * time.Millisecond
	e := newEngine(t, strand.Options{})
	told := make(chan time.Duration, 1)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		h := &idler{told: told}
		h.readable = func(c *strand.Conn) {
			discard(c)
			c.SetIdleTimeout(timeout)
			time.Sleep(timeout * 3 / 4)
			h.ended = time.Now()
		}
		return h
	})
	var after time.Duration
	for range 3 { // a starved loop's clock may be late
		_, _ = dial(t, a).Write([]byte("x"))
		if after = <-told; after >= timeout*3/4 {
			return
		}
	}
	t.Errorf("an idle timeout of %v was told %v after the callback's end", timeout, after)
}

// What Unread gives back is read by the next handler also when the end was read already
// and the peer is gone.
func TestUnreadOfADeadConn(t *testing.T) { // hazard 137
	e := newEngine(t, strand.Options{})
	got := make(chan string, 10)
	next := &hooks{readable: func(c *strand.Conn) {
		var p [100]byte
		if n, err := c.Read(p[:]); err == nil {
			got <- string(p[:n])
		}
	}, close: func(*strand.Conn, error) { got <- "nothing" }}
	h := &told{gone: make(chan struct{})}
	h.open = func(c *strand.Conn) {
		_ = c.CloseWrite()
		select {
		case <-h.gone:
		case <-time.After(10 * time.Second):
			t.Error("OnHangup was not called")
		}
	}
	var all []byte
	h.readable = func(c *strand.Conn) {
		var p [100]byte
		for {
			n, err := c.Read(p[:])
			all = append(all, p[:n]...)
			if err == strand.ErrWouldBlock {
				return
			}
			if err != nil {
				break
			}
		}
		c.Unread(all)
		c.SetHandler(next)
	}
	nc := dial(t, serve(t, e, func(*strand.Conn) strand.Handler { return h }))
	_, _ = nc.Write([]byte("hello"))
	_, _ = io.ReadAll(nc)
	_ = nc.Close()
	if s := <-got; s != "hello" {
		t.Errorf("the next handler got %s", s)
	}
}
