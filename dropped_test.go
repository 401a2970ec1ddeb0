package strand_test

import (
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// plenty is more than the kernel takes for a peer that does not read.
const plenty = 16 << 20

// TestDroppedBytesByCause: each byte that a Write accepted was given to the kernel, or is counted under what
// ended its connection.
func TestDroppedBytesByCause(t *testing.T) {
	nothing := func(*strand.Conn, net.Conn) {}
	for _, c := range []struct {
		cause string
		open  func(*strand.Conn)
		end   func(*strand.Conn, net.Conn) // from outside, when the peer's buffers are full
	}{
		{"local", nil, func(c *strand.Conn, _ net.Conn) { _ = c.Abort() }},
		{"write timeout", nil, func(c *strand.Conn, _ net.Conn) { _ = c.Close() }}, // Options.CloseTimeout
		{"write timeout", func(c *strand.Conn) { c.SetWriteTimeout(20 * time.Millisecond) }, nothing},
		{"idle timeout", func(c *strand.Conn) { c.SetIdleTimeout(20 * time.Millisecond) }, nothing},
		{"read timeout", nil, func(c *strand.Conn, _ net.Conn) { c.SetReadDeadline(time.Now()) }},
		{"error", nil, func(_ *strand.Conn, peer net.Conn) {
			_ = peer.(*net.TCPConn).SetLinger(0)
			_ = peer.Close()
		}},
		{"panic", nil, func(c *strand.Conn, _ net.Conn) { _ = c.Post(func(*strand.Conn) { panic("meant") }) }},
		{"panic", nil, func(c *strand.Conn, _ net.Conn) { _ = c.Post(func(*strand.Conn) { runtime.Goexit() }) }},
	} {
		for _, kind := range []string{"plain", "foreign"} {
			t.Run(c.cause+"/"+kind, func(t *testing.T) {
				_, log := captured()
				e := newEngine(t, strand.Options{MaxQueued: 64 << 20, CloseTimeout: 50 * time.Millisecond, Logger: log})
				opened := make(chan *strand.Conn, 1)
				h := &hooks{open: func(conn *strand.Conn) {
					if _, err := conn.Write(make([]byte, plenty)); err != nil {
						t.Error(err)
					}
					if c.open != nil {
						c.open(conn)
					}
					opened <- conn
				}}
				h.readable = func(conn *strand.Conn) { // so that the end of the input is seen
					for {
						if _, err := conn.Read(make([]byte, 100)); err != nil {
							return
						}
					}
				}
				var peer net.Conn
				if kind == "plain" {
					peer = dial(t, serve(t, e, func(*strand.Conn) strand.Handler { return h }))
				} else {
					var ours net.Conn
					ours, peer = foreignPair(t)
					if _, err := e.Adopt(ours, h); err != nil {
						t.Fatal(err)
					}
				}
				c.end(<-opened, peer)
				wantDropped(t, e, c.cause)
			})
		}
	}
}

// wantDropped waits for the end of the one connection, to which plenty was written.
func wantDropped(t *testing.T, e *strand.Engine, cause string) {
	t.Helper()
	await(t, "the end", func() bool { return e.Stats().Conns == 0 })
	await(t, "each byte has been sent or dropped", func() bool {
		s := e.Stats()
		return s.BytesOut+s.BytesDropped == plenty
	})
	s := e.Stats()
	for k, n := range s.DroppedBytes {
		if (k == cause) != (n > 0) || k == cause && n != s.BytesDropped {
			t.Errorf("%d bytes dropped: %v", s.BytesDropped, s.DroppedBytes)
			break
		}
	}
	// Behind a write that failed the input is read to its end, which may be an orderly one.
	if n := s.Closes[cause]; n != 1 && cause != "error" {
		t.Errorf("closed because of %v", s.Closes)
	}
}

// TestDroppedBeforeTheHandshakeEnds: what was written is not sent in the clear, and is dropped with its connection.
func TestDroppedBeforeTheHandshakeEnds(t *testing.T) {
	for cause, end := range map[string]func(*strand.Conn, net.Conn){
		"other": func(*strand.Conn, net.Conn) {}, // the handshake's own timeout
		"peer":  func(_ *strand.Conn, peer net.Conn) { _ = peer.Close() },
		"local": func(c *strand.Conn, _ net.Conn) { _ = c.Abort() },
	} {
		t.Run(cause, func(t *testing.T) {
			o := strand.Options{HandshakeTimeout: 20 * time.Second}
			if cause == "other" {
				o.HandshakeTimeout = 50 * time.Millisecond
			}
			e := newEngine(t, o)
			opened, ended := make(chan *strand.Conn, 1), make(chan error, 1)
			a := tlsServer(t, e, serverConfig(t), nil, func() strand.Handler {
				return &hooks{open: func(c *strand.Conn) {
					if _, err := c.Write(make([]byte, 1234)); err != nil {
						t.Error(err)
					}
					if _, err := c.WriteString("five"); err != nil {
						t.Error(err)
					}
					opened <- c
				}, close: func(_ *strand.Conn, err error) { ended <- err }}
			})
			peer := dial(t, a)
			end(<-opened, peer)
			var failed *strand.HandshakeError
			if err := <-ended; errors.As(err, &failed) != (cause != "local") {
				t.Errorf("OnClose: %v", err)
			}
			want := map[string]uint64{cause: 1238}
			s := e.Stats()
			maps.DeleteFunc(s.DroppedBytes, func(_ string, n uint64) bool { return n == 0 })
			if !maps.Equal(s.DroppedBytes, want) || s.BytesDropped != 1238 {
				t.Errorf("%v, want %v", s.DroppedBytes, want)
			}
		})
	}
}

// TestNothingDropped: what is sent before and behind the end of a handshake is not counted as dropped.
func TestNothingDropped(t *testing.T) {
	e := newEngine(t, strand.Options{})
	a := tlsServer(t, e, serverConfig(t), nil, func() strand.Handler {
		return &hooks{open: func(c *strand.Conn) { _, _ = c.Write(make([]byte, 100_000)) }, readable: echo}
	})
	tc := dialTLS(t, a, insecure(0))
	for have := 0; have < 100_000; {
		n, err := tc.Read(make([]byte, 10_000))
		if have += n; err != nil {
			t.Fatal(err)
		}
	}
	roundTrip(t, tc, "hello")
	_ = tc.Close()
	await(t, "the end", func() bool { return e.Stats().Conns == 0 })
	if s := e.Stats(); s.BytesDropped != 0 {
		t.Errorf("%v", s.DroppedBytes)
	}
}

// TestDroppedBehindTheHandshake: what waited for the end of a handshake, and finds that the peer has gone, is dropped
// whole, not only as far as it had been encrypted.
func TestDroppedBehindTheHandshake(t *testing.T) {
	const much = 1 << 20
	e := newEngine(t, strand.Options{MaxQueued: 2 * much})
	gone := make(chan struct{})
	config := serverConfig(t)
	config.VerifyConnection = func(tls.ConnectionState) error { // before the peer's Finished is read
		<-gone
		return nil
	}
	a := tlsServer(t, e, config, nil, func() strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			for range 4 {
				if _, err := c.Write(make([]byte, much/4)); err != nil {
					t.Error(err)
				}
			}
		}, readable: echo}
	})
	peer := dial(t, a)
	if err := tls.Client(peer, insecure(tls.VersionTLS13)).Handshake(); err != nil {
		t.Fatal(err)
	}
	_ = peer.(*net.TCPConn).SetLinger(0)
	_ = peer.Close()
	close(gone)
	await(t, "the end", func() bool { s := e.Stats(); return s.Accepted == 1 && s.Conns == 0 })
	// As text, or as records that are a little longer.
	if s := e.Stats(); s.BytesDropped < much || s.BytesDropped > much+much/50 {
		t.Errorf("%d bytes were accepted, %d dropped: %v", much, s.BytesDropped, s.DroppedBytes)
	}
}

// TestDroppedAsTheWriterHolds: a writer that keeps bytes for the end of the handshake as another goroutine aborts has
// them counted under what ended the connection, like those before.
func TestDroppedAsTheWriterHolds(t *testing.T) {
	const conns = 20
	e := newEngine(t, strand.Options{MaxQueued: 1 << 30})
	config := serverConfig(t)
	accepted := make(chan uint64, conns)
	a := serve(t, e, func(c *strand.Conn) strand.Handler {
		if err := c.StartTLS(config, nil); err != nil {
			t.Error(err)
		}
		go func() {
			var sum uint64
			var err error
			for n, p := 0, make([]byte, 1<<20); err == nil; n, err = c.Write(p) { // long enough to be met by the Abort
				if sum += uint64(n); sum == uint64(3*len(p)) {
					go c.Abort()
				}
			}
			accepted <- sum
		}()
		return &hooks{}
	})
	var sum uint64
	for range conns {
		peer, err := net.Dial("tcp", a.String())
		if err == nil { // else it is reset already
			defer peer.Close()
		}
		sum += <-accepted
	}
	await(t, "the end", func() bool { return e.Stats().Conns == 0 })
	if s := e.Stats(); s.BytesDropped != sum || s.DroppedBytes["local"] != sum {
		t.Errorf("%d bytes were accepted, %d dropped: %v", sum, s.BytesDropped, s.DroppedBytes)
	}
}

func TestCountDrops(t *testing.T) {
	e := newEngine(t, strand.Options{})
	opened := make(chan *strand.Conn, 1)
	a := serve(t, e, func(*strand.Conn) strand.Handler { return &hooks{open: func(c *strand.Conn) { opened <- c }} })
	dial(t, a)
	c := <-opened
	_ = c.Abort()
	reasons := []strand.DropReason{strand.DropRefused, strand.DropNewest, strand.DropOldest, strand.DropSuperseded, strand.DropSlow, strand.DropUnsent}
	for i, why := range reasons {
		c.CountDrops(why, i+1)
		c.CountDrops(why, 0)
		c.CountDrops(why, -5)
		if got := e.Stats().Drops[why.String()]; got != uint64(i+1) {
			t.Errorf("%v: %d", why, got)
		}
	}
	if all := e.Stats().Drops; len(all) != len(reasons) {
		t.Errorf("%v", all)
	}
}
