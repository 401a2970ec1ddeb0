package strand_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// What was written before it was known that the peer speaks no TLS is sent whole,
// also if CloseWrite or Close came meanwhile.
func TestPlainSendsWhatWasHeld(t *testing.T) {
	var want []byte
	for i := range 80 {
		want = fmt.Appendf(want, "%1000d", i)
	}
	for name, end := range map[string]func(*strand.Conn) error{
		"open": nil, "CloseWrite": (*strand.Conn).CloseWrite, "Close": (*strand.Conn).Close,
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, strand.Options{})
			plain := &strand.TLSOptions{Plain: func(*strand.Conn) {}}
			a := tlsServer(t, e, serverConfig(t), plain, func() strand.Handler {
				return &hooks{readable: discard, open: func(c *strand.Conn) {
					for p := range slices.Chunk(want, 1000) {
						if _, err := c.Write(p); err != nil {
							t.Error(err)
						}
					}
					if end == nil {
						return
					}
					if err := end(c); err != nil {
						t.Error(err)
					}
				}}
			})
			nc := dial(t, a)
			_ = nc.SetDeadline(time.Now().Add(5 * time.Second))
			_, _ = nc.Write([]byte("x")) // one byte: a Close with input left would be a reset
			got := make([]byte, len(want))
			n, err := io.ReadFull(nc, got)
			if !bytes.Equal(got[:n], want) {
				t.Fatalf("the peer read %d bytes of %d, or others: %v", n, len(want), err)
			}
			if end == nil {
				return
			}
			if rest, err := io.ReadAll(nc); err != nil || len(rest) > 0 {
				t.Errorf("%d bytes behind the end, %v", len(rest), err)
			}
		})
	}
}

// NetConn works also between the moment when the peer is known to speak no TLS and
// the callback that would say so.
func TestNetConnOfAPlainPeer(t *testing.T) {
	e := newEngine(t, strand.Options{})
	plain := &strand.TLSOptions{Plain: func(*strand.Conn) {}}
	views := make(chan net.Conn, 1)
	a := tlsServer(t, e, serverConfig(t), plain, func() strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			if err := c.WaitRead(context.Background()); err != nil {
				t.Error(err)
			}
			views <- c.NetConn()
		}}
	})
	nc := dial(t, a)
	_ = nc.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = nc.Write([]byte("x"))
	view := <-views
	_ = view.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := view.Write([]byte("hello")); err != nil { // and reads nothing yet, which would help
		t.Error(err)
	}
	var p [5]byte
	if n, err := io.ReadFull(nc, p[:]); err != nil || string(p[:]) != "hello" {
		t.Errorf("the peer read %q, %v", p[:n], err)
	}
	if n, err := view.Read(p[:]); err != nil || string(p[:n]) != "x" {
		t.Errorf("the view read %q, %v", p[:n], err)
	}
	_ = view.Close()
	if rest, err := io.ReadAll(nc); err != nil || len(rest) > 0 {
		t.Errorf("the peer read %q behind it, %v", rest, err)
	}
}

// A connection whose handshake failed, and whose peer does not take the alert, sleeps.
func TestFailedHandshakeSleeps(t *testing.T) {
	config := serverConfig(t)
	id := &config.Certificates[0]
	for range 1000 { // a flight that fills the socket's buffers
		id.Certificate = append(id.Certificate, id.Certificate[0])
	}
	hello := clientHello(t)
	for name, pair := range map[string]func() (ours, peer net.Conn){
		"pipe":   net.Pipe,
		"socket": func() (ours, peer net.Conn) { return tightPair(t, 4<<10) },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, strand.Options{CloseTimeout: time.Minute}) // which the failed one's end waits for
			ours, peer := pair()
			t.Cleanup(func() { _ = peer.Close() })
			c, err := e.Adopt(ours, &hooks{open: func(c *strand.Conn) {
				if err := c.StartTLS(config, nil); err != nil {
					t.Error(err)
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			_, _ = peer.Write(hello)
			await(t, "the server's flight", func() bool { return c.Buffered() > 0 })
			_, _ = peer.Write([]byte{22, 3, 3, 0, 4, 99, 1, 2, 3})
			await(t, "the failure", func() bool {
				_, err := c.Write(nil)
				return errors.Is(err, net.ErrClosed)
			})
			wantQuiet(t, "turns of the loop", 100, func() int64 { return int64(e.Stats().Batches) })
			if c.Buffered() == 0 {
				t.Error("the peer took all: the test shows nothing")
			}
		})
	}
}

// WaitRead honours the read deadline also during the handshake.
func TestReadDeadlineInTheHandshake(t *testing.T) {
	e := newEngine(t, strand.Options{})
	waited := make(chan error, 1)
	a := tlsServer(t, e, serverConfig(t), nil, func() strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			c.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			waited <- c.WaitRead(ctx)
		}}
	})
	dial(t, a)
	if err := <-waited; !errors.Is(err, strand.ErrReadTimeout) {
		t.Errorf("WaitRead: %v", err)
	}
}

// Who reads and waits in turn, in a callback, learns of the end of the connection.
func TestReadUntilTheEndOverTLS(t *testing.T) {
	e := newEngine(t, strand.Options{})
	waiting := make(chan *strand.Conn, 1)
	ended := make(chan error, 1)
	read := func(c *strand.Conn) {
		var p [16]byte
		for waits := 0; ; {
			_, err := c.Read(p[:])
			if err != strand.ErrWouldBlock && err != nil || waits > 1000 {
				ended <- err
				return
			}
			if err == nil {
				continue
			}
			if waits++; waits == 1 {
				waiting <- c
			}
			_ = c.WaitRead(t.Context())
		}
	}
	a := tlsServer(t, e, serverConfig(t), nil, func() strand.Handler { return &hooks{readable: read} })
	nc := dialTLS(t, a, insecure(0))
	if _, err := nc.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	c := <-waiting
	if err := c.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a read of a connection that has ended: %v", err)
	}
}
