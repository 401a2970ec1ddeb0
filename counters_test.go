package strand_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// counted is a peer that counts what it moves.
type counted struct {
	net.Conn
	in, out atomic.Uint64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.in.Add(uint64(n))
	return n, err
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.out.Add(uint64(n))
	return n, err
}

// foreignPair is a connection that an engine will serve with goroutines, and its peer.
func foreignPair(t testing.TB) (ours, peer net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer = dial(t, l.Addr())
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return foreignConn{nc}, peer
}

// tightPair is foreignPair of sockets whose buffers, of n bytes, hold little; ours is not foreign.
func tightPair(t testing.TB, n int) (ours, peer net.Conn) {
	t.Helper()
	ours, peer = foreignPair(t)
	ours = ours.(foreignConn).Conn
	_ = ours.(*net.TCPConn).SetWriteBuffer(n)
	_ = peer.(*net.TCPConn).SetReadBuffer(n)
	return ours, peer
}

// only returns the one connection of e.
func only(t testing.TB, e *strand.Engine) strand.ConnInfo {
	t.Helper()
	all := e.Conns()
	if len(all) != 1 {
		t.Fatalf("%d connections", len(all))
	}
	return all[0]
}

// TestConnInfoCountsWireBytes compares what the engine says of a connection with what its peer moved.
func TestConnInfoCountsWireBytes(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	echoes := func(t *testing.T, nc io.ReadWriter) {
		go func() { _, _ = nc.Write(data) }()
		got := make([]byte, len(data))
		if _, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, data) {
			t.Errorf("the echo differs, %v", err)
		}
	}
	plain := func(h *hooks) func(*testing.T, *strand.Engine) *counted {
		return func(t *testing.T, e *strand.Engine) *counted {
			return &counted{Conn: dial(t, serve(t, e, func(*strand.Conn) strand.Handler { return h }))}
		}
	}
	echo := &hooks{readable: echo}
	for name, c := range map[string]struct {
		peer func(*testing.T, *strand.Engine) *counted
		talk func(*testing.T, io.ReadWriter)
	}{
		"plain": {plain(echo), echoes},
		"foreign": {func(t *testing.T, e *strand.Engine) *counted {
			ours, peer := foreignPair(t)
			if _, err := e.Adopt(ours, echo); err != nil {
				t.Fatal(err)
			}
			return &counted{Conn: peer}
		}, echoes},
		"TLS": {func(t *testing.T, e *strand.Engine) *counted {
			a := tlsServer(t, e, serverConfig(t), nil, func() strand.Handler { return echo })
			return &counted{Conn: dial(t, a)}
		}, func(t *testing.T, nc io.ReadWriter) {
			echoes(t, tls.Client(nc.(net.Conn), insecure(tls.VersionTLS13)))
		}},
		"NetConn": {plain(&hooks{open: func(c *strand.Conn) {
			nc := c.NetConn()
			go func() { _, _ = io.Copy(nc, nc) }()
		}}), echoes},
		"SendFile": {plain(&hooks{open: func(c *strand.Conn) {
			f, err := os.Open(file)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			if _, err := c.SendFile(context.Background(), f, int64(len(data))); err != nil {
				t.Error(err)
			}
		}}), func(t *testing.T, nc io.ReadWriter) {
			if _, err := io.ReadFull(nc, make([]byte, len(data))); err != nil {
				t.Error(err)
			}
		}},
		"WriteAll": {plain(&hooks{open: func(c *strand.Conn) {
			if _, err := c.WriteAll(context.Background(), data); err != nil {
				t.Error(err)
			}
		}}), func(t *testing.T, nc io.ReadWriter) {
			if _, err := io.ReadFull(nc, make([]byte, len(data))); err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, strand.Options{})
			peer := c.peer(t, e)
			c.talk(t, peer)
			await(t, "all bytes are counted", func() bool {
				i := only(t, e)
				return i.BytesIn == peer.out.Load() && i.BytesOut == peer.in.Load()
			})
			i, s := only(t, e), e.Stats()
			if i.BytesOut < uint64(len(data)) || i.BytesIn != s.BytesIn || i.BytesOut != s.BytesOut {
				t.Errorf("in %d and out %d of the connection, %d and %d of the engine", i.BytesIn, i.BytesOut, s.BytesIn, s.BytesOut)
			}
			if name == "TLS" && (i.BytesOut == uint64(len(data)) || i.BytesIn == uint64(len(data))) {
				t.Errorf("in %d, out %d: that is the text, not the wire", i.BytesIn, i.BytesOut)
			}
			_ = peer.Close()
		})
	}
}

func TestConnInfoAge(t *testing.T) {
	e := newEngine(t, strand.Options{})
	a := serve(t, e, func(*strand.Conn) strand.Handler { return &hooks{readable: echo} })
	began := time.Now()
	nc := dial(t, a)
	roundTrip(t, nc, "hello")
	first := only(t, e)
	time.Sleep(120 * time.Millisecond)
	roundTrip(t, nc, "hello again") // Idle begins anew, Age does not
	second := only(t, e)
	const tick = 17 * time.Millisecond
	if d := second.Age - first.Age; first.Age < 0 || d < 120*time.Millisecond-2*tick || second.Age > time.Since(began)+2*tick {
		t.Errorf("aged from %v to %v in %v", first.Age, second.Age, time.Since(began))
	}
	if second.Idle >= second.Age {
		t.Errorf("idle for %v at the age of %v", second.Idle, second.Age)
	}
}

// TestMaximaAreNotForgotten: to ask for the maxima does not reset them, so that two who ask see the same; and
// Blocks are counted by connection.
func TestMaximaAreNotForgotten(t *testing.T) {
	for name, write := range map[string]func(*strand.Conn) error{
		"Blocks":  func(c *strand.Conn) error { _, err := c.Write(make([]byte, 32<<20)); return err },
		"strings": func(c *strand.Conn) error { _, err := c.WriteString(string(make([]byte, 32<<20))); return err },
	} {
		for kind, connect := range map[string]func(*testing.T, *strand.Engine, *hooks){
			"plain": func(t *testing.T, e *strand.Engine, h *hooks) {
				dial(t, serve(t, e, func(*strand.Conn) strand.Handler { return h }))
			},
			"foreign": func(t *testing.T, e *strand.Engine, h *hooks) {
				ours, _ := foreignPair(t)
				if _, err := e.Adopt(ours, h); err != nil {
					t.Fatal(err)
				}
			},
		} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				e := newEngine(t, strand.Options{MaxQueued: 64 << 20})
				opened := make(chan *strand.Conn, 1)
				connect(t, e, &hooks{open: func(c *strand.Conn) {
					if err := write(c); err != nil {
						t.Error(err)
					}
					opened <- c
				}})
				c := <-opened
				await(t, "the peer's buffers are full", func() bool {
					before := c.Buffered()
					time.Sleep(20 * time.Millisecond)
					return before == c.Buffered() && e.Stats().QueuedBytes > 0
				})
				i, s := only(t, e), e.Stats()
				if s.MaxQueuedBytes < int64(i.Buffered) || s.MaxBlocks < int64(i.Blocks) {
					t.Errorf("at most %d bytes and %d Blocks, but there are %d and %d", s.MaxQueuedBytes, s.MaxBlocks, i.Buffered, i.Blocks)
				}
				if want := (i.Buffered + 64<<10 - 1) / (64 << 10); name == "Blocks" && (i.Blocks < want || i.Blocks > want+1) {
					t.Errorf("%d Blocks for %d bytes", i.Blocks, i.Buffered)
				}
				if name == "strings" && s.MaxBlocks != 0 {
					t.Errorf("%d Blocks for a string", s.MaxBlocks)
				}
				if again := e.Stats(); again.MaxQueuedBytes != s.MaxQueuedBytes || again.MaxBlocks != s.MaxBlocks || again.MaxBatch < s.MaxBatch {
					t.Errorf("%d bytes, %d Blocks, %v; then %d, %d, %v", s.MaxQueuedBytes, s.MaxBlocks, s.MaxBatch,
						again.MaxQueuedBytes, again.MaxBlocks, again.MaxBatch)
				}
				_ = c.Abort()
			})
		}
	}
}

// TestWriteTimeoutOfASleepingLoop: a write from outside to an engine that has slept for long must not be taken for
// one that has waited for as long.
func TestWriteTimeoutOfASleepingLoop(t *testing.T) {
	e := newEngine(t, strand.Options{Loops: 1, MaxQueued: 64 << 20})
	opened, closed := make(chan *strand.Conn, 1), make(chan error, 1)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) { opened <- c }, close: func(_ *strand.Conn, err error) { closed <- err }}
	})
	dial(t, a)
	c := <-opened
	time.Sleep(400 * time.Millisecond) // the loop has nothing to do
	c.SetWriteTimeout(200 * time.Millisecond)
	began := time.Now()
	if _, err := c.Write(make([]byte, 32<<20)); err != nil {
		t.Fatal(err)
	}
	if err := <-closed; err != strand.ErrWriteTimeout || time.Since(began) < 150*time.Millisecond {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}
