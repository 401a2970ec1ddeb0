//go:build unix

package strand_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// cpu returns the processor time of the process.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// A writer whose piece is larger than what is free sleeps until it fits.
func TestBlockedWriterSleeps(t *testing.T) { // invariant I5
	e := newEngine(t, strand.Options{MaxQueued: 70 << 10})
	conns := make(chan *strand.Conn, 1)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) { conns <- c }}
	})
	nc := dial(t, a)
	c := <-conns
	var turns atomic.Int64
	wrote := make(chan error, 1)
	const chunk = 60 << 10
	go func() {
		p := make([]byte, chunk)
		for sent := 0; sent < 8<<20; {
			_, err := c.Write(p)
			if err == nil {
				sent += len(p)
				continue
			}
			if err != strand.ErrQueueFull {
				wrote <- err
				return
			}
			turns.Add(1)
			if err := c.WaitWrite(context.Background()); err != nil {
				wrote <- err
				return
			}
		}
		wrote <- c.Close()
	}()
	// A slow reader leaves the queue between empty and half full for a while.
	p := make([]byte, 8<<10)
	for {
		n, err := nc.Read(p)
		if n == 0 || err != nil {
			break
		}
		time.Sleep(200 * time.Microsecond)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	if n := turns.Load(); n > 4000 {
		t.Fatalf("the writer tried %d times in vain", n)
	}
}

// faulty is a net.Conn that cannot be written.
type faulty struct{ net.Conn }

func (faulty) Write([]byte) (int, error) { return 0, errFaulty }

var errFaulty = errors.New("faulty on purpose")

// A connection that can no longer be written and has nothing to read does not
// keep its reader spinning.
func TestReaderOfADeadConnSleeps(t *testing.T) { // hazard 137
	e := newEngine(t, strand.Options{})
	ours, theirs := net.Pipe()
	defer theirs.Close()
	ncs := make(chan net.Conn, 1)
	c, err := e.Adopt(faulty{ours}, &hooks{open: func(c *strand.Conn) { ncs <- c.NetConn() }})
	if err != nil {
		t.Fatal(err)
	}
	nc := <-ncs
	if _, err := nc.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	await(t, "the failure", func() bool { return c.Flush() != nil })
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = nc.Read(make([]byte, 1))
	}()
	wantQuiet(t, "processor time of the reader, ns", int64(20*time.Millisecond), func() int64 { return int64(cpu(t)) })
	_ = nc.Close()
	within(t, "the reader's end", done)
}

// A Read of the blocking view sleeps, also when a deadline of the Conn itself has passed.
func TestNetConnReaderSleepsPastADeadline(t *testing.T) {
	e := newEngine(t, strand.Options{})
	views := make(chan net.Conn, 1)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			nc := c.NetConn()
			c.SetReadDeadline(time.Now().Add(time.Millisecond))
			views <- nc
		}}
	})
	nc := dial(t, a)
	view := <-views
	read := make(chan struct{})
	go func() {
		defer close(read)
		if _, err := view.Read(make([]byte, 1)); err != nil {
			t.Errorf("Read: %v", err)
		}
	}()
	time.Sleep(50 * time.Millisecond) // a deadline is coarse
	wantQuiet(t, "processor time of the reader, ns", int64(5*time.Millisecond), func() int64 { return int64(cpu(t)) })
	_, _ = nc.Write([]byte("x"))
	within(t, "the reader's end", read)
}

// A connection that can no longer be written ends, also if its peer says no
// more and its handler does nothing.
func TestUnwritableConnEnds(t *testing.T) { // hazard 132
	e := newEngine(t, strand.Options{CloseTimeout: 100 * time.Millisecond})
	ours, theirs := net.Pipe()
	defer theirs.Close()
	why := make(chan error, 1)
	_, err := e.Adopt(faulty{ours}, &hooks{
		open:     func(c *strand.Conn) { _, _ = c.Write([]byte("x")) },
		readable: func(c *strand.Conn) { _, _ = c.Read(make([]byte, 16)) },
		close:    func(_ *strand.Conn, err error) { why <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-why:
		if !errors.Is(err, errFaulty) {
			t.Fatalf("OnClose(%v)", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("no OnClose")
	}
}

// sluggish is a net.Conn whose CloseWrite waits for its peer, as a *tls.Conn's
// does.
type sluggish struct {
	net.Conn
	wait chan struct{}
}

func (s sluggish) CloseWrite() error { <-s.wait; return nil }

// A foreign CloseWrite that waits holds up nothing else.
func TestForeignCloseWriteWaits(t *testing.T) { // hazard 124
	e := newEngine(t, strand.Options{Loops: 1})
	a := serve(t, e, func(*strand.Conn) strand.Handler { return &hooks{readable: echo} })
	ours, theirs := net.Pipe()
	defer theirs.Close()
	wait := make(chan struct{})
	defer close(wait)
	c, err := e.Adopt(sluggish{ours, wait}, &hooks{})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = c.CloseWrite() }()
	time.Sleep(20 * time.Millisecond)
	go e.Conns() // looks at each connection, on the loop
	time.Sleep(20 * time.Millisecond)
	nc := dial(t, a)
	_ = nc.SetDeadline(time.Now().Add(3 * time.Second))
	roundTrip(t, nc, "x")
	_ = c.Abort()
}

// A callback that waits for a peer that does not read learns of the write
// timeout: no callback can tell it, for it is the one that runs.
func TestWriteTimeoutOfAWaitingCallback(t *testing.T) { // hazard 62
	for name, write := range map[string]func(*strand.Conn) error{
		"WaitWrite": func(c *strand.Conn) error {
			for {
				if _, err := c.Write(make([]byte, 64<<10)); err == strand.ErrQueueFull {
					if err := c.WaitWrite(context.Background()); err != nil {
						return err
					}
				} else if err != nil {
					return err
				}
			}
		},
		"WriteAll": func(c *strand.Conn) error {
			_, err := c.WriteAll(context.Background(), make([]byte, 64<<20))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, strand.Options{})
			wrote, why := make(chan error, 1), make(chan error, 1)
			a := serve(t, e, func(*strand.Conn) strand.Handler {
				return &hooks{
					open: func(c *strand.Conn) {
						c.SetWriteTimeout(100 * time.Millisecond)
						wrote <- write(c)
					},
					close: func(_ *strand.Conn, err error) { why <- err },
				}
			})
			dial(t, a)
			for _, ch := range []chan error{wrote, why} {
				select {
				case err := <-ch:
					if !errors.Is(err, strand.ErrWriteTimeout) {
						t.Fatalf("got %v", err)
					}
				case <-time.After(5 * time.Second):
					t.Fatal("no timeout")
				}
			}
		})
	}
}
