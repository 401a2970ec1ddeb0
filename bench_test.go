package strand_test

import (
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/d74363f0/strand"
)

// BenchmarkEcho is a round trip over loopback through OnReadable, the client's half of the work included.
func BenchmarkEcho(b *testing.B) {
	for _, n := range []int{128, 64 << 10} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			nc := dial(b, serve(b, newEngine(b, strand.Options{Loops: 1}), func(*strand.Conn) strand.Handler { return echoHandler() }))
			roundTrips(b, nc, n)
		})
	}
}

// BenchmarkNetConn is a round trip through the blocking view, whose reader parks in a goroutine of its own.
func BenchmarkNetConn(b *testing.B) {
	nc := dial(b, serve(b, newEngine(b, strand.Options{Loops: 1}), func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			view := c.NetConn()
			go func() {
				defer view.Close()
				_, _ = io.Copy(struct{ io.Writer }{view}, struct{ io.Reader }{view})
			}()
		}}
	}))
	roundTrips(b, nc, 128)
}

func roundTrips(b *testing.B, nc net.Conn, n int) {
	p := make([]byte, n)
	b.SetBytes(int64(n))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := nc.Write(p); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(nc, p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWrite is what a callback pays for a write that is gathered, and for one that is not copied. The client reads
// all of it.
func BenchmarkWrite(b *testing.B) {
	text := strings.Repeat("x", 4<<10)
	for _, bm := range []struct {
		name  string
		write func(*strand.Conn) (int, error)
		n     int
	}{
		{"gathered", func(c *strand.Conn) (int, error) { return c.Write([]byte("0123456789abcdef")) }, 16},
		{"string", func(c *strand.Conn) (int, error) { return c.WriteString(text) }, len(text)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			e := newEngine(b, strand.Options{Loops: 1})
			done := make(chan error, 1)
			nc := dial(b, serve(b, e, func(*strand.Conn) strand.Handler {
				return &hooks{open: func(c *strand.Conn) {
					var err error
					for i := 0; i < b.N && err == nil; i++ {
						if _, err = bm.write(c); err == strand.ErrQueueFull {
							err = c.WaitWrite(b.Context())
							i--
						}
					}
					done <- err
					_ = c.Close()
				}}
			}))
			b.SetBytes(int64(bm.n))
			b.ReportAllocs()
			if n, err := io.Copy(io.Discard, nc); n != int64(b.N*bm.n) || err != nil {
				b.Fatalf("%d bytes of %d, %v", n, b.N*bm.n, err)
			}
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		})
	}
}
