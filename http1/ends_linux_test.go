//go:build !strand_std

package http1

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/d74363f0/strand/internal/steady"
)

// While a client reads, the lingering does not end, though it goes on sending. The portable transport does not know what a
// client acknowledges.
func TestLingerAndAReaderWhoSends(t *testing.T) { // hazard 84
	t.Parallel()
	lingers(t, false, true)
}

// A client that reads steadily is not one that takes nothing, though the kernel finds room for more only now and then: for
// a handler that waits in Write, too.
func TestWriteProgressOfASteadyReader(t *testing.T) {
	t.Parallel()
	const limit = 600 * time.Millisecond
	steady.Try(t, limit/4, func(t testing.TB) {
		result := make(chan error, 1)
		ts := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			_, err := w.Write(make([]byte, 32<<20))
			result <- err
		}, func(s *Server) { s.WriteProgressTimeout = limit })
		c := ts.dial(t)
		_ = c.(*net.TCPConn).SetReadBuffer(64 << 10)
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 16<<10)
		for began := time.Now(); time.Since(began) < 4*limit; time.Sleep(40 * time.Millisecond) {
			if _, err := c.Read(p); err != nil {
				t.Fatalf("after %v: %v", time.Since(began), err)
			}
		}
		select {
		case err := <-result:
			t.Fatalf("Write returned %v", err)
		default:
		}
		select { // and from here on it does not read
		case err := <-result:
			if err == nil {
				t.Error("Write returned nil")
			}
		case <-time.After(10 * time.Second):
			t.Error("Write waits")
		}
	})
}

// While output is queued the lingering goes on, for to stop reading is to reset what is on its way.
func TestLingerWithAQueue(t *testing.T) { // hazard 84
	t.Parallel()
	const size, part = 4 << 20, 32 << 10
	ts := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		for range size / part {
			if _, err := w.Write(make([]byte, part)); err != nil {
				t.Error(err)
			}
		}
	}, nil)
	c := ts.dial(t)
	_ = c.(*net.TCPConn).SetReadBuffer(64 << 10)
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	defer func() { <-done }()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		defer close(done)
		for {
			if _, err := c.Write(make([]byte, 100)); err != nil {
				return
			}
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	began := time.Now()
	for n, p := 0, make([]byte, 16<<10); n < size; { // the head stands for some of it
		k, err := c.Read(p)
		if n += k; err != nil {
			t.Fatalf("after %v: %d of %d bytes: %v", time.Since(began), n, size, err)
		}
		if time.Since(began) < 2*lingerTime {
			time.Sleep(40 * time.Millisecond)
		}
	}
}
