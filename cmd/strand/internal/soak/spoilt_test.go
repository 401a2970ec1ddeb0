package soak

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A spoilt target is net/http with a fault put between it and the handlers: what a library does that keeps its
// connections apart on the wire and mixes them up towards the handlers.
type spoilt struct {
	NetHTTP
	spoil func(http.Handler) http.Handler
}

func (s spoilt) Start(h http.Handler, tc *tls.Config) (string, func(), func() map[string]float64, error) {
	return s.NetHTTP.Start(s.spoil(h), tc)
}

// now and then is every tenth call, safe for concurrent use.
type nowAndThen struct {
	mu sync.Mutex
	n  int
}

func (t *nowAndThen) yes() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
	return t.n%10 == 0
}

// swappedBodies gives a request the body of an earlier one.
func swappedBodies(h http.Handler) http.Handler {
	var t nowAndThen
	var mu sync.Mutex
	var last []byte
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		mu.Lock()
		other := last
		last = b
		mu.Unlock()
		if other != nil && t.yes() {
			b = other
		}
		r.Body = io.NopCloser(bytes.NewReader(b))
		h.ServeHTTP(w, r)
	})
}

// reusedHeaders gives all requests of a connection one header map.
func reusedHeaders(h http.Handler) http.Handler {
	var maps sync.Map
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m, _ := maps.LoadOrStore(r.RemoteAddr, http.Header{})
		shared := m.(http.Header)
		clear(shared)
		for k, v := range r.Header {
			shared[k] = v
		}
		r.Header = shared
		h.ServeHTTP(w, r)
	})
}

// dirtyHeaders lets a header of one request appear in another.
func dirtyHeaders(h http.Handler) http.Handler {
	var t nowAndThen
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if t.yes() {
			r.Header.Set("X-Soak-Stain", "of somebody else")
		}
		h.ServeHTTP(w, r)
	})
}

// borrowedMemory keeps the memory that a handler reads into, and writes to it when the next request comes.
func borrowedMemory(h http.Handler) http.Handler {
	var t nowAndThen
	var mu sync.Mutex
	var lent []byte
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "kept-request") {
			h.ServeHTTP(w, r)
			return
		}
		b := &lender{ReadCloser: r.Body}
		r.Body = b
		h.ServeHTTP(w, r)
		mu.Lock()
		defer mu.Unlock()
		copy(lent, b.lent)
		lent = nil
		if t.yes() {
			lent = b.lent
		}
	})
}

type lender struct {
	io.ReadCloser
	lent []byte
}

func (l *lender) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if n > len(l.lent) {
		l.lent = p[:n]
	}
	return n, err
}

// wrongAddress tells a handler the address of another connection.
func wrongAddress(h http.Handler) http.Handler {
	var t nowAndThen
	var mu sync.Mutex
	last := ""
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		other := last
		last = r.RemoteAddr
		mu.Unlock()
		if other != "" && t.yes() {
			r.RemoteAddr = other
		}
		h.ServeHTTP(w, r)
	})
}

// openBodies lets a body be read after its handler returned: it goes on with whatever request came last.
func openBodies(h http.Handler) http.Handler {
	var mu sync.Mutex
	var newest []byte
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		mu.Lock()
		newest = b
		mu.Unlock()
		body := &openBody{r: bytes.NewReader(b), after: func() []byte {
			mu.Lock()
			defer mu.Unlock()
			return newest
		}}
		r.Body = body
		defer body.over.Store(true, true)
		h.ServeHTTP(w, r)
	})
}

type openBody struct {
	r     *bytes.Reader
	after func() []byte
	over  sync.Map
}

func (b *openBody) Read(p []byte) (int, error) {
	if _, over := b.over.Load(true); over {
		return copy(p, b.after()), nil
	}
	return b.r.Read(p)
}

func (b *openBody) Close() error { return nil }

// deafAfterClose reports success for a write on a hijacked connection that was closed.
func deafAfterClose(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(&deafWriter{w}, r) })
}

type deafWriter struct{ http.ResponseWriter }

func (d *deafWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(d.ResponseWriter).Hijack()
	return &deafConn{Conn: c}, rw, err
}

type deafConn struct{ net.Conn }

func (c *deafConn) Write(p []byte) (int, error) {
	if _, err := c.Conn.Write(p); err != nil {
		return len(p), nil
	}
	return len(p), nil
}

// leaking keeps a descriptor for every so many requests.
func leaking(t *testing.T) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		var n nowAndThen
		var leaks atomic.Int32
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n.yes() && leaks.Add(1) < 20 {
				if f, err := os.Open(os.DevNull); err == nil {
					t.Cleanup(func() { f.Close() })
				}
			}
			h.ServeHTTP(w, r)
		})
	}
}

// tired serves for a while and then no more.
func tired(h http.Handler) http.Handler {
	until := time.Now().Add(300 * time.Millisecond)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if time.Now().After(until) {
			http.Error(w, "tired", http.StatusServiceUnavailable)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// TestHandlerSideIsChecked asks that what only a handler can see is seen. hazards 164, 166, 167, 168, 176, 180
func TestHandlerSideIsChecked(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(http.Handler) http.Handler
		kinds string
		class Class
		says  string // in the notes of a finding of the handler's side
	}{
		{"swapped bodies", swappedBodies, "post", Foreign, "bytes at offset 0 are bytes 0.. of"},
		{"reused headers", reusedHeaders, "kept-request", Foreign, "when the handler ran and is"},
		{"dirty headers", dirtyHeaders, "kept-header", Foreign, "a header that was never sent"},
		{"borrowed memory", borrowedMemory, "kept-request", Foreign, "another"},
		{"wrong address", wrongAddress, "post", Foreign, "came in on the connection of"},
		{"open bodies", openBodies, "late-read", Foreign, "another"},
		{"deaf after close", deafAfterClose, "hijack", Damaged, "a write after Close reported success"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			res, err := Run(context.Background(), Config{
				Target: spoilt{spoil: c.spoil}, Kinds: c.kinds, Seed: 77, Conns: 6, Time: 400 * time.Millisecond, MinSize: 320, MaxSize: 3000,
			})
			if err != nil {
				t.Fatal(err)
			}
			if res.ExitCode() != 1 {
				t.Errorf("seed 77: exit code %d after %d messages", res.ExitCode(), res.Total.Checked)
			}
			for _, f := range res.Findings {
				if f.Side == "handler" && f.Class == c.class && strings.Contains(strings.Join(f.Notes, "\n"), c.says) {
					return
				}
			}
			for i, f := range res.Findings {
				if i < 5 {
					t.Log(f.Text())
				}
			}
			t.Errorf("seed 77: no %s finding of the handler's side that says %q among %d", c.class, c.says, len(res.Findings))
		})
	}
}

// TestAftermathIsChecked asks that what is not given back, and a server that serves no more, are found.
func TestAftermathIsChecked(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(http.Handler) http.Handler
		says  string
	}{
		{"leaking", leaking(t), "descriptors before"},
		{"tired", tired, "a fresh client was not served"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, err := Run(context.Background(), Config{Target: spoilt{spoil: c.spoil}, Kinds: "post", Seed: 78, Conns: 4, Time: 500 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			if res.ExitCode() != 1 || !strings.Contains(strings.Join(res.Reasons, "\n"), c.says) {
				t.Errorf("seed 78: exit code %d, %q", res.ExitCode(), res.Reasons)
			}
		})
	}
}
