package strand_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

func TestBlockedCallbacksDoNotStopTheLoop(t *testing.T) { // hazard 75
	settled(t)
	e := newEngine(t, strand.Options{Loops: 1})
	release := make(chan struct{})
	var blocked atomic.Int32
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{readable: func(c *strand.Conn) {
			var p [16]byte
			n, err := c.Read(p[:])
			if err != nil {
				if err != strand.ErrWouldBlock {
					_ = c.Close()
				}
				return
			}
			if p[0] == 'b' {
				blocked.Add(1)
				<-release
			}
			_, _ = c.Write(p[:n])
		}}
	})
	var slow []net.Conn
	for range 50 {
		nc := dial(t, a)
		_, _ = nc.Write([]byte("b"))
		slow = append(slow, nc)
	}
	await(t, "all blocked at once", func() bool { return blocked.Load() == 50 })
	for range 10 {
		roundTrip(t, dial(t, a), "fast")
	}
	if s := e.Stats(); s.Noticed+s.Spawned < 50 {
		t.Errorf("noticed %d, spawned %d", s.Noticed, s.Spawned)
	}
	close(release)
	for _, nc := range slow {
		p := make([]byte, 1)
		if _, err := io.ReadFull(nc, p); err != nil {
			t.Fatal(err)
		}
		roundTrip(t, nc, "again")
		_ = nc.Close()
	}
}

func TestWaitReadHandsOff(t *testing.T) {
	settled(t)
	e := newEngine(t, strand.Options{Loops: 1})
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{readable: func(c *strand.Conn) {
			var p [10]byte // a fixed-size message, read as if the connection blocked
			for have := 0; have < len(p); {
				n, err := c.Read(p[have:])
				have += n
				if err == strand.ErrWouldBlock {
					err = c.WaitRead(context.Background())
				}
				if err != nil {
					_ = c.Close()
					return
				}
			}
			_, _ = c.Write(p[:])
		}}
	})
	var wg sync.WaitGroup
	for range 20 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			nc := dial(t, a)
			for range 50 {
				for _, piece := range []string{"01", "234", "5", "6789"} {
					if _, err := nc.Write([]byte(piece)); err != nil {
						t.Error(err)
						return
					}
					time.Sleep(10 * time.Microsecond)
				}
				p := make([]byte, 10)
				if _, err := io.ReadFull(nc, p); err != nil || string(p) != "0123456789" {
					t.Errorf("%q %v", p, err)
					return
				}
			}
			_ = nc.Close()
		}()
	}
	wg.Wait()
	if s := e.Stats(); s.HandOffs == 0 {
		t.Error("no hand-off")
	}
}

func TestWaitReadEnds(t *testing.T) {
	e := newEngine(t, strand.Options{})
	for name, c := range map[string]struct {
		wait func(c *strand.Conn) error
		act  func(nc net.Conn)
		want error
	}{
		"context": {wait: func(c *strand.Conn) error {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
			defer cancel()
			return c.WaitRead(ctx)
		}, want: context.DeadlineExceeded},
		"deadline": {wait: func(c *strand.Conn) error {
			c.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
			return c.WaitRead(context.Background())
		}, want: os.ErrDeadlineExceeded},
		"past deadline": {wait: func(c *strand.Conn) error {
			c.SetReadDeadline(time.Now().Add(-time.Second))
			return c.WaitRead(context.Background())
		}, want: os.ErrDeadlineExceeded},
		"hang-up": {wait: func(c *strand.Conn) error {
			if err := c.WaitRead(context.Background()); err != nil {
				return err
			}
			var p [1]byte
			_, err := c.Read(p[:])
			return err
		}, act: func(nc net.Conn) { _ = nc.Close() }, want: io.EOF},
		"abort": {wait: func(c *strand.Conn) error {
			time.AfterFunc(10*time.Millisecond, func() { _ = c.Abort() })
			if err := c.WaitRead(context.Background()); err != nil {
				return err
			}
			var p [1]byte
			_, err := c.Read(p[:])
			return err
		}, want: net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan error, 1)
			waiting := make(chan struct{}, 2)
			a := serve(t, e, func(*strand.Conn) strand.Handler {
				return &hooks{readable: func(conn *strand.Conn) {
					var p [10]byte
					if n, _ := conn.Read(p[:]); n == 0 {
						return // a spurious call
					}
					if _, err := conn.Read(p[:]); err != strand.ErrWouldBlock {
						t.Errorf("second Read: %v", err)
					}
					waiting <- struct{}{}
					got <- c.wait(conn)
					_ = conn.Abort()
				}}
			})
			nc := dial(t, a)
			_, _ = nc.Write([]byte("x"))
			<-waiting
			if c.act != nil {
				c.act(nc)
			}
			if err := <-got; !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestWaitWrite(t *testing.T) { // hazard 76
	settled(t)
	e := newEngine(t, strand.Options{Loops: 1, MaxQueued: 64 << 10})
	const total = 16 << 20
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			p := make([]byte, 10_000)
			for sent := 0; sent < total; {
				_, err := c.Write(p[:min(len(p), total-sent)])
				switch err {
				case nil:
					sent += min(len(p), total-sent)
				case strand.ErrQueueFull:
					if err := c.WaitWrite(context.Background()); err != nil {
						t.Error(err)
						return
					}
				default:
					t.Error(err)
					return
				}
				if n := c.Buffered(); n > 64<<10 {
					t.Errorf("%d bytes queued", n)
				}
			}
			_ = c.Close()
		}}
	})
	nc := dial(t, a)
	time.Sleep(20 * time.Millisecond)
	n, err := io.Copy(io.Discard, nc)
	if n != total || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	_ = nc.Close()
}

func TestQueueFullIsAllOrNothing(t *testing.T) { // hazard 65
	e := newEngine(t, strand.Options{MaxQueued: 1000})
	conns := make(chan *strand.Conn, 1)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) { conns <- c }}
	})
	nc := dial(t, a)
	c := <-conns
	p := make([]byte, 900)
	sent := 0
	var err error
	for err == nil {
		var n int
		n, err = c.Write(p)
		sent += n
	}
	if !errors.Is(err, strand.ErrQueueFull) {
		t.Fatal(err)
	}
	go func() {
		for c.Buffered() > 0 {
			time.Sleep(time.Millisecond)
		}
		_ = c.Close()
	}()
	if n, err := io.Copy(io.Discard, nc); int(n) != sent || err != nil {
		t.Errorf("%d bytes arrived of %d accepted, %v", n, sent, err)
	}
}

func TestManyWriters(t *testing.T) { // hazards 110, 140
	e := newEngine(t, strand.Options{MaxQueued: 4 << 10})
	conns := make(chan *strand.Conn, 1)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) { conns <- c }}
	})
	nc := dial(t, a)
	c := <-conns
	const writers, each, size = 50, 200, 100
	for i := range writers {
		go func() {
			p := make([]byte, size)
			for n := range each {
				for k := range p {
					p[k] = byte(i)
				}
				p[0], p[1] = 0xFF, byte(n)
				for {
					_, err := c.Writev(p[:3], p[3:50], p[50:])
					if err == nil {
						break
					}
					if err != strand.ErrQueueFull || c.WaitWrite(context.Background()) != nil {
						t.Error(err)
						return
					}
				}
			}
		}()
	}
	next := make([]int, writers)
	p := make([]byte, size)
	for range writers * each {
		if _, err := io.ReadFull(nc, p); err != nil {
			t.Fatal(err)
		}
		i := int(p[2])
		if p[0] != 0xFF || int(p[1]) != next[i] {
			t.Fatalf("message of writer %d: % x, want number %d", i, p[:4], next[i])
		}
		next[i]++
		for _, b := range p[2:] {
			if b != byte(i) {
				t.Fatalf("writer %d's message holds %d", i, b)
			}
		}
	}
}
