package strand_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

func TestWriteAll(t *testing.T) { // hazard 62
	settled(t)
	e := newEngine(t, strand.Options{Loops: 1, MaxQueued: 128 << 10})
	want := make([]byte, 20<<20)
	for i := range want {
		want[i] = byte(i ^ i>>8 ^ i>>16)
	}
	for _, size := range []int{1, 1000, 64 << 10, 64<<10 + 1, 1 << 20, len(want)} {
		p := want[:size]
		a := serve(t, e, func(*strand.Conn) strand.Handler {
			return &hooks{open: func(c *strand.Conn) {
				_, _ = c.Write([]byte("head"))
				for range 2 {
					if n, err := c.WriteAll(context.Background(), p); n != len(p) || err != nil {
						t.Errorf("WriteAll of %d: %d, %v", len(p), n, err)
					}
					if n := c.Buffered(); n > 192<<10 {
						t.Errorf("%d bytes queued", n)
					}
				}
				_, _ = c.WriteAll(context.Background(), []byte("tail"))
				_ = c.Close()
			}}
		})
		nc := dial(t, a)
		time.Sleep(5 * time.Millisecond)
		got, err := io.ReadAll(nc)
		if err != nil || !bytes.Equal(got, bytes.Join([][]byte{[]byte("head"), p, p, []byte("tail")}, nil)) {
			t.Fatalf("%d: %d bytes arrived, %v", size, len(got), err)
		}
		_ = nc.Close()
	}
}

func TestWriteAllEnds(t *testing.T) {
	e := newEngine(t, strand.Options{Loops: 1})
	for name, c := range map[string]struct {
		act  func(c *strand.Conn, nc net.Conn)
		want func(error) bool
	}{
		"context":  {func(*strand.Conn, net.Conn) {}, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		"abort":    {func(c *strand.Conn, _ net.Conn) { _ = c.Abort() }, func(err error) bool { return errors.Is(err, net.ErrClosed) }},
		"peer RST": {func(_ *strand.Conn, nc net.Conn) { _ = nc.Close() }, func(err error) bool { return err != nil && !errors.Is(err, context.DeadlineExceeded) }},
	} {
		t.Run(name, func(t *testing.T) {
			conns, got := make(chan *strand.Conn, 1), make(chan error, 1)
			a := serve(t, e, func(*strand.Conn) strand.Handler {
				return &hooks{open: func(c *strand.Conn) {
					conns <- c
					limit := 10 * time.Second
					if name == "context" {
						limit = 20 * time.Millisecond
					}
					ctx, cancel := context.WithTimeout(context.Background(), limit)
					defer cancel()
					_, err := c.WriteAll(ctx, make([]byte, 64<<20))
					got <- err
				}}
			})
			nc := dial(t, a)
			conn := <-conns
			time.Sleep(20 * time.Millisecond)
			c.act(conn, nc)
			if err := <-got; !c.want(err) {
				t.Errorf("WriteAll: %v", err)
			}
		})
	}
}
