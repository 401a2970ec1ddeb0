package strand_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// What a foreign connection takes of a long string counts as it goes, so that a peer that
// reads steadily does not run into the write timeout.
func TestForeignWriteMakesProgress(t *testing.T) { // hazard 62
	e := newEngine(t, strand.Options{})
	ours, peer := net.Pipe()
	defer peer.Close()
	const size = 1 << 20
	c, err := e.Adopt(ours, &hooks{open: func(c *strand.Conn) {
		if _, err := c.WriteString(strings.Repeat("x", size)); err != nil {
			t.Error(err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, peer, size/2); err != nil {
		t.Fatal(err)
	}
	await(t, "half of the string to be gone", func() bool { return c.Buffered() <= size*5/8 })
	if _, err := io.CopyN(io.Discard, peer, size/2); err != nil {
		t.Fatal(err)
	}
}

// empty is a net.Conn that reads nothing, without an error, also when it is closed.
type empty struct {
	net.Conn
	reads *atomic.Int64
}

func (e empty) Read([]byte) (int, error) {
	e.reads.Add(1)
	time.Sleep(time.Millisecond)
	return 0, nil
}

// The reader of a foreign connection ends with the connection, whatever Read returns.
func TestForeignReaderEnds(t *testing.T) {
	e := newEngine(t, strand.Options{})
	ours, peer := net.Pipe()
	defer peer.Close()
	var reads atomic.Int64
	c, err := e.Adopt(empty{ours, &reads}, &hooks{})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "a read", func() bool { return reads.Load() > 0 })
	_ = c.Abort()
	wantQuiet(t, "reads behind the end", 1, reads.Load)
}

// bomb is a net.Conn whose Write panics.
type bomb struct{ net.Conn }

func (bomb) Write([]byte) (int, error) { panic("bomb") }

// A panic in a foreign connection, such as one in a callback of a *tls.Conn's config, ends
// that connection and nothing else.
func TestForeignConnPanics(t *testing.T) { // hazard 147
	hello := clientHello(t)
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"reading": func(nc net.Conn) net.Conn {
			return tls.Server(nc, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				panic("lookup")
			}})
		},
		"writing": func(nc net.Conn) net.Conn { return bomb{nc} },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, strand.Options{
				Logger:       slog.New(slog.DiscardHandler),
				CloseTimeout: 100 * time.Millisecond, // the peer says no more
			})
			ours, peer := net.Pipe()
			defer peer.Close()
			why := make(chan error, 1)
			h := &hooks{readable: discard, close: func(_ *strand.Conn, err error) { why <- err }}
			if name == "writing" {
				h.open = func(c *strand.Conn) { _, _ = c.Write([]byte("x")) }
			}
			if _, err := e.Adopt(wrap(ours), h); err != nil {
				t.Fatal(err)
			}
			if name == "reading" {
				go func() { _, _ = peer.Write(hello) }()
			}
			if err := wantEnd(t, why); !errors.Is(err, strand.ErrPanic) {
				t.Errorf("OnClose: %v", err)
			}
		})
	}
}

// mine is a net.Conn whose CloseWrite and Close panic, or end their goroutine, after what they are for.
type mine struct {
	net.Conn
	end func(string)
}

func (m mine) CloseWrite() error { m.end("CloseWrite"); return nil }

func (m mine) Close() error {
	_ = m.Conn.Close()
	m.end("Close")
	return nil
}

// The ends of a foreign connection are told of, whatever its CloseWrite and Close do, and the process goes on.
func TestForeignEndsPanic(t *testing.T) { // hazard 147
	for name, blow := range map[string]func(string){
		"panic":  func(what string) { panic(what) },
		"goexit": func(string) { runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, strand.Options{Logger: slog.New(slog.DiscardHandler), CloseTimeout: 100 * time.Millisecond})
			ours, peer := net.Pipe()
			defer peer.Close()
			called, ended := make(chan string, 2), make(chan error, 1)
			c, err := e.Adopt(mine{ours, func(what string) { called <- what; blow(what) }},
				&hooks{readable: discard, close: func(_ *strand.Conn, err error) { ended <- err }})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.CloseWrite(); err != nil {
				t.Error(err)
			}
			if what := <-called; what != "CloseWrite" {
				t.Errorf("%s was called first", what)
			}
			_ = c.Close() // a panic may have ended it
			if what := <-called; what != "Close" {
				t.Errorf("%s was called second", what)
			}
			wantEnd(t, ended)
		})
	}
}

// A file that cannot be read is no fault of the connection, which lives on.
func TestSendFileOfAnUnreadableFile(t *testing.T) { // hazard 155
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "f"), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("contents"); err != nil {
		t.Fatal(err)
	}
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"socket":  func(nc net.Conn) net.Conn { return nc.(foreignConn).Conn },
		"foreign": func(nc net.Conn) net.Conn { return nc },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, strand.Options{})
			ours, peer := foreignPair(t)
			if _, err := e.Adopt(wrap(ours), &hooks{open: func(c *strand.Conn) {
				if n, err := c.SendFile(context.Background(), f, 8); n != 0 || err == nil {
					t.Errorf("SendFile: %d, %v", n, err)
				}
				if _, err := c.WriteString("sorry"); err != nil {
					t.Errorf("Write behind it: %v", err)
				}
				_ = c.Close()
			}}); err != nil {
				t.Fatal(err)
			}
			if p, err := io.ReadAll(peer); err != nil || string(p) != "sorry" {
				t.Errorf("the peer read %q, %v", p, err)
			}
		})
	}
}
