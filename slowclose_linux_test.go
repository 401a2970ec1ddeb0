//go:build !strand_std

package strand_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/steady"
)

func init() { tellsAcked = true }

// A peer that reads all the time is not one that takes nothing, though the kernel's buffer has room for more only now and then.
// The portable transport does not know what a peer acknowledges.
func TestWriteTimeoutAndASteadyReader(t *testing.T) { // hazard 97
	const limit = 600 * time.Millisecond
	for name, closes := range map[string]bool{"write timeout": false, "close timeout": true} {
		t.Run(name, func(t *testing.T) {
			steady.Try(t, limit/4, func(t testing.TB) {
				o := strand.Options{MaxQueued: 64 << 20, CloseTimeout: limit}
				ended := make(chan error, 1)
				a := serve(t, newEngine(t, o), func(*strand.Conn) strand.Handler {
					return &hooks{
						open: func(c *strand.Conn) {
							if _, err := c.Write(make([]byte, 32<<20)); err != nil { // more than the kernel takes
								t.Error(err)
							}
							if closes {
								_ = c.Close()
							} else {
								c.SetWriteTimeout(limit)
							}
						},
						close: func(_ *strand.Conn, err error) { ended <- err },
					}
				})
				c := dial(t, a)
				_ = c.(*net.TCPConn).SetReadBuffer(64 << 10)
				p := make([]byte, 16<<10)
				for began := time.Now(); time.Since(began) < 5*limit; time.Sleep(40 * time.Millisecond) {
					if n, err := c.Read(p); err != nil {
						t.Fatalf("after %v: %d, %v; OnClose: %v", time.Since(began), n, err, <-ended)
					}
				}
				began := time.Now() // and from here on it does not read
				if err := <-ended; !errors.Is(err, strand.ErrWriteTimeout) || time.Since(began) > 4*limit {
					t.Errorf("OnClose after %v: %v", time.Since(began), err)
				}
			})
		})
	}
}

// What a peer read before the close counts for the close, too: to look at that moment would be to judge it by less time.
func TestCloseLooksNoMoreThanNeeded(t *testing.T) {
	const limit = 1200 * time.Millisecond
	steady.Try(t, limit/8, func(t testing.TB) {
		ended, conns := make(chan error, 1), make(chan *strand.Conn, 1)
		a := serve(t, newEngine(t, strand.Options{MaxQueued: 64 << 20, CloseTimeout: limit}), func(*strand.Conn) strand.Handler {
			return &hooks{
				open: func(c *strand.Conn) {
					c.SetWriteTimeout(limit)
					if _, err := c.Write(make([]byte, 32<<20)); err != nil {
						t.Error(err)
					}
					conns <- c
				},
				close: func(_ *strand.Conn, err error) { ended <- err },
			}
		})
		peer := dial(t, a)
		_ = peer.(*net.TCPConn).SetReadBuffer(64 << 10)
		c := <-conns
		closer := time.AfterFunc(limit-50*time.Millisecond, func() { _ = c.Close() })
		defer closer.Stop()
		p := make([]byte, 128<<10)
		time.Sleep(limit / 4)
		for began := time.Now(); time.Since(began) < 2*limit; time.Sleep(limit / 2) {
			if _, err := io.ReadFull(peer, p); err != nil {
				t.Fatalf("after %v: %v; OnClose: %v", time.Since(began), err, <-ended)
			}
		}
	})
}
