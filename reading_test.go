package strand_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// Behind CloseWrite a peer may still ask for new keys: it gets none, and what it sends is read to its end.
func TestKeyUpdateBehindCloseWrite(t *testing.T) {
	got, ended := make(chan string, 1), make(chan error, 1)
	var all []byte // the strand's
	a := tlsServer(t, newEngine(t, strand.Options{}), serverConfig(t), nil, func() strand.Handler {
		return &hooks{
			readable: func(c *strand.Conn) {
				var p [100]byte
				for {
					n, err := c.Read(p[:])
					if all = append(all, p[:n]...); n > 0 && string(all) == "first" {
						_ = c.CloseWrite()
					}
					if err == strand.ErrWouldBlock {
						return
					}
					if err != nil {
						got <- string(all)
						_ = c.Close()
						return
					}
				}
			},
			close: func(_ *strand.Conn, err error) { ended <- err },
		}
	})
	p, err := shakeHands(dial(t, a))
	if err != nil {
		t.Fatal(err)
	}
	_ = p.send(recordData, []byte("first")) // errors show in what arrives
	if _, err := p.read(); err != alertError(0) {
		t.Fatalf("no close_notify: %v", err)
	}
	_ = p.send(recordHandshake, keyUpdateRequested)
	p.out = p.out.next()
	time.Sleep(20 * time.Millisecond) // an answer would be refused by now
	for range 3 {
		_ = p.send(recordData, []byte(" more"))
	}
	_ = p.nc.(*net.TCPConn).CloseWrite()
	select {
	case s := <-got:
		if s != "first more more more" {
			t.Errorf("read %q", s)
		}
	case err := <-ended:
		select {
		case s := <-got: // which came first
			if s != "first more more more" {
				t.Errorf("read %q", s)
			}
		default:
			t.Errorf("ended by %v", err)
		}
	}
}

// A closed file is the caller's mistake, and nothing to the connection.
func TestSendFileOfAClosedFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	a := serve(t, newEngine(t, strand.Options{}), func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			f, err := os.Open(name)
			if err != nil {
				t.Error(err)
				return
			}
			_ = f.Close()
			_, err = c.SendFile(context.Background(), f, 7)
			sent <- err
			if _, err := c.WriteString("hello"); err != nil {
				t.Error(err)
			}
		}}
	})
	peer := dial(t, a)
	if err := <-sent; !errors.Is(err, os.ErrClosed) {
		t.Errorf("SendFile: %v", err)
	}
	p := make([]byte, 5)
	if _, err := io.ReadFull(peer, p); err != nil || string(p) != "hello" {
		t.Errorf("%q, %v", p, err)
	}
}

// A Write of the blocking view goes out whole, as one of package net.
func TestNetConnWritesAreWhole(t *testing.T) {
	views := make(chan net.Conn, 1)
	a := serve(t, newEngine(t, strand.Options{}), func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) { views <- c.NetConn() }}
	})
	peer, view := dial(t, a), <-views
	const n = 32 << 20 // more than the kernel takes
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, b := range []byte("ab") {
		wg.Go(func() {
			if _, err := view.Write(bytes.Repeat([]byte{b}, n)); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(50 * time.Millisecond) // until both wait
	got := make([]byte, 2*n)
	if _, err := io.ReadFull(peer, got); err != nil {
		t.Fatal(err)
	}
	if first := bytes.Count(got[:n], got[:1]); first != n {
		t.Errorf("the first %d bytes are %d of one Write and %d of another", n, first, n-first)
	}
}

// Who reads the blocking view learns why the handshake failed, and is not told that he has closed it.
func TestNetConnAndAFailedHandshake(t *testing.T) {
	failed := make(chan error, 1)
	a := tlsServer(t, newEngine(t, strand.Options{HandshakeTimeout: 200 * time.Millisecond}), serverConfig(t), nil, func() strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			nc := c.NetConn()
			go func() {
				_, err := nc.Read(make([]byte, 10))
				failed <- err
			}()
		}}
	})
	for _, sends := range []string{"GET / HTTP/1.1\r\n\r\n", ""} {
		if _, err := io.WriteString(dial(t, a), sends); err != nil {
			t.Fatal(err)
		}
		if err := <-failed; err == nil || errors.Is(err, net.ErrClosed) {
			t.Errorf("%q: %v", sends, err)
		}
	}
}

// noReadDeadline is a net.Conn that fails when it is written, and panics when it is asked for a read deadline.
type noReadDeadline struct{ net.Conn }

func (noReadDeadline) Write([]byte) (int, error)       { return 0, io.ErrClosedPipe }
func (noReadDeadline) SetReadDeadline(time.Time) error { panic("not implemented") }

// A net.Conn that lacks something ends its connection, not the process.
func TestNetConnWithoutReadDeadline(t *testing.T) {
	_, logger := captured()
	e := newEngine(t, strand.Options{Logger: logger})
	ours, theirs := net.Pipe()
	defer theirs.Close()
	ended := make(chan error, 1)
	if _, err := e.Adopt(noReadDeadline{ours}, &hooks{
		open:  func(c *strand.Conn) { _, _ = c.WriteString("x") },
		close: func(_ *strand.Conn, err error) { ended <- err },
	}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("it is still there")
	}
}
