package strand_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/steady"
)

// Close gives a peer that reads slowly all of what is queued, however long that takes, and one that
// does not read Options.CloseTimeout.
func TestCloseAndASlowReader(t *testing.T) {
	const size = 2 << 20
	for name, pair := range map[string]func(testing.TB) (ours, peer net.Conn){
		"pipe":   func(testing.TB) (ours, peer net.Conn) { return net.Pipe() },
		"socket": func(t testing.TB) (ours, peer net.Conn) { return tightPair(t, 64<<10) },
	} {
		t.Run(name, func(t *testing.T) {
			steady.Try(t, 200*time.Millisecond, func(t testing.TB) {
				e := newEngine(t, strand.Options{CloseTimeout: 400 * time.Millisecond})
				ours, peer := pair(t)
				defer peer.Close()
				ended := make(chan error, 1)
				if _, err := e.Adopt(ours, &hooks{
					open: func(c *strand.Conn) {
						if _, err := c.WriteString(strings.Repeat("x", size)); err != nil {
							t.Error(err)
						}
						if err := c.Close(); err != nil {
							t.Error(err)
						}
					},
					close: func(_ *strand.Conn, err error) { ended <- err },
				}); err != nil {
					t.Fatal(err)
				}
				got := 0
				for p, began := make([]byte, 64<<10), time.Now(); got < size; {
					n, err := peer.Read(p)
					if got += n; err != nil {
						t.Fatalf("after %v and %d bytes of %d: %v; OnClose: %v", time.Since(began), got, size, err, <-ended)
					}
					if time.Since(began) < time.Second {
						time.Sleep(20 * time.Millisecond) // more than twice CloseTimeout in all
					}
				}
				if n, err := peer.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("behind the last byte: %d, %v", n, err)
				}
				if err := <-ended; err != nil {
					t.Errorf("OnClose: %v", err)
				}
			})
		})
	}
}

// Time in which there was no write timeout is not held against the peer.
func TestWriteTimeoutCountsFromWhenItIsSet(t *testing.T) { // hazard 150
	const limit = 500 * time.Millisecond
	e := newEngine(t, strand.Options{MaxQueued: 64 << 20})
	opened, ended := make(chan *strand.Conn, 1), make(chan error, 1)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{
			open: func(c *strand.Conn) {
				if _, err := c.Write(make([]byte, 32<<20)); err != nil { // more than the kernel takes
					t.Error(err)
				}
				opened <- c
			},
			close: func(_ *strand.Conn, err error) { ended <- err },
		}
	})
	dial(t, a)
	c := <-opened
	time.Sleep(limit * 3 / 2)
	began := time.Now()
	c.SetWriteTimeout(limit)
	if err := <-ended; !errors.Is(err, strand.ErrWriteTimeout) || time.Since(began) < limit*3/4 {
		t.Errorf("OnClose after %v: %v", time.Since(began), err)
	}
}

// bearer bears with every write timeout, and notes the end.
type bearer struct {
	hangup
}

func (*bearer) OnTimeout(*strand.Conn, strand.Timeout) bool { return true }

// A connection that closes ends though its peer reads nothing: whoever bears with that, and whatever its callback waits for.
func TestCloseEndsWithASilentPeer(t *testing.T) { // hazard 97
	for _, write := range []time.Duration{300 * time.Millisecond, 100 * time.Millisecond, 0} {
		for _, busy := range []bool{false, true} {
			t.Run(fmt.Sprintf("write timeout %v, busy %v", write, busy), func(t *testing.T) {
				t.Parallel()
				ended := make(chan error, 1)
				h := &bearer{hangup{gone: make(chan struct{})}}
				h.open = func(c *strand.Conn) {
					c.SetWriteTimeout(write)
					if _, err := c.Write(make([]byte, 32<<20)); err != nil {
						t.Error(err)
					}
					if err := c.Close(); err != nil {
						t.Error(err)
					}
					if busy {
						<-h.gone
					}
				}
				h.close = func(_ *strand.Conn, err error) { ended <- err }
				o := strand.Options{MaxQueued: 64 << 20, CloseTimeout: 200 * time.Millisecond}
				dial(t, serve(t, newEngine(t, o), func(*strand.Conn) strand.Handler { return h }))
				select {
				case err := <-ended:
					if !errors.Is(err, strand.ErrWriteTimeout) {
						t.Error(err)
					}
				case <-time.After(10 * time.Second):
					if busy {
						close(h.gone)
					}
					t.Fatal("it is still there")
				}
			})
		}
	}
}

// tellsAcked says that the transport knows what a peer has acknowledged.
var tellsAcked bool

// BytesAcked is what the peer's kernel has.
func TestBytesAcked(t *testing.T) {
	opened := make(chan *strand.Conn, 1)
	const size = 8 << 20
	a := serve(t, newEngine(t, strand.Options{MaxQueued: 64 << 20}), func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			if _, err := c.Write(make([]byte, size)); err != nil {
				t.Error(err)
			}
			opened <- c
		}}
	})
	peer := dial(t, a)
	_ = peer.(*net.TCPConn).SetReadBuffer(64 << 10)
	c := <-opened
	for c.BytesOut() == 0 {
		time.Sleep(time.Millisecond)
	}
	if acked, out := c.BytesAcked(), c.BytesOut(); acked > out || acked == out && tellsAcked {
		t.Errorf("%d bytes are acknowledged of %d that are out", acked, out)
	}
	_ = peer.(*net.TCPConn).SetReadBuffer(4 << 20)
	if _, err := io.ReadFull(peer, make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); c.BytesAcked() != size; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes are acknowledged of %d", c.BytesAcked(), size)
		}
	}
}
