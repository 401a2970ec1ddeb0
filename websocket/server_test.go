package websocket

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// tester is a Handler made of functions, which counts what must happen once.
type tester struct {
	open    func(*Conn)
	message func(*Conn, MessageType, []byte)
	close   func(*Conn, error)
	opened  atomic.Int32
	closed  atomic.Int32
	end     chan error
}

func newTester() *tester { return &tester{end: make(chan error, 1)} }

func (h *tester) OnOpen(c *Conn) {
	h.opened.Add(1)
	if h.open != nil {
		h.open(c)
	}
}

func (h *tester) OnMessage(c *Conn, t MessageType, msg []byte) {
	if h.closed.Load() > 0 {
		panic("a message after OnClose")
	}
	if h.message != nil {
		h.message(c, t, msg)
	}
}

func (h *tester) OnClose(c *Conn, err error) {
	if h.closed.Add(1) > 1 {
		panic("OnClose twice")
	}
	if h.close != nil {
		h.close(c, err)
	}
	h.end <- err
}

// wait returns the CloseError that OnClose received.
func (h *tester) wait(t testing.TB) *CloseError {
	t.Helper()
	select {
	case err := <-h.end:
		var ce *CloseError
		if !errors.As(err, &ce) {
			t.Fatalf("OnClose received %v", err)
		}
		return ce
	case <-time.After(10 * time.Second):
		t.Fatal("no OnClose")
		return nil
	}
}

// quiet is a logger for panics that are meant.
var quiet = slog.New(slog.DiscardHandler)

// echo answers each message with itself.
func echo() *tester {
	h := newTester()
	h.message = func(c *Conn, t MessageType, msg []byte) {
		if err := c.Send(context.Background(), t, msg); err != nil && !errors.Is(err, net.ErrClosed) {
			panic(err)
		}
	}
	return h
}

// The transports that a server's connection can have.
var transports = []string{"hijack", "strand", "foreign"}

// serve starts a server whose connections get the handlers that next returns.
// transport is one of transports. It returns the ws URL.
func serve(t testing.TB, transport string, o *Options, next func() Handler) string {
	t.Helper()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if transport == "foreign" {
			w = foreignWriter{w}
		}
		_, _ = Accept(w, r, next(), o)
	})
	if transport != "strand" {
		s := httptest.NewServer(handler)
		t.Cleanup(s.Close)
		return "ws" + strings.TrimPrefix(s.URL, "http")
	}
	l, err := strand.Default().Listen("tcp", "127.0.0.1:0", func(*strand.Conn) strand.Handler {
		return &tinyHTTP{handler: handler}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return "ws://" + l.Addr().String()
}

// foreignWriter hides from the engine that the connection is TCP.
type foreignWriter struct{ http.ResponseWriter }

func (w foreignWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := w.ResponseWriter.(http.Hijacker).Hijack()
	return foreignConn{nc}, rw, err
}

type foreignConn struct{ net.Conn }

func (c foreignConn) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }

// tinyHTTP parses one request, as http1.Server would, and can be hijacked.
type tinyHTTP struct {
	handler http.Handler
	head    []byte
	sc      *strand.Conn
	header  http.Header
	taken   bool
	status  int
	body    bytes.Buffer
}

func (s *tinyHTTP) OnOpen(*strand.Conn)         {}
func (s *tinyHTTP) OnDrained(*strand.Conn)      {}
func (s *tinyHTTP) OnClose(*strand.Conn, error) {}

func (s *tinyHTTP) OnReadable(sc *strand.Conn) {
	var b [512]byte
	n, err := sc.Read(b[:])
	s.head = append(s.head, b[:n]...)
	i := bytes.Index(s.head, []byte("\r\n\r\n"))
	if i < 0 {
		if err != nil && err != strand.ErrWouldBlock {
			_ = sc.Close()
		}
		return
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(s.head[:i+4])))
	if err != nil {
		_ = sc.Close()
		return
	}
	s.sc, s.header, s.head = sc, http.Header{}, s.head[i+4:]
	s.handler.ServeHTTP(s, r)
	if !s.taken {
		resp := &http.Response{StatusCode: s.status, ProtoMajor: 1, ProtoMinor: 1, Header: s.header, ContentLength: int64(s.body.Len()), Body: io.NopCloser(&s.body), Close: true}
		var out bytes.Buffer
		_ = resp.Write(&out)
		_, _ = sc.Write(out.Bytes())
		_ = sc.Close()
	}
}

func (s *tinyHTTP) Header() http.Header         { return s.header }
func (s *tinyHTTP) Write(p []byte) (int, error) { return s.body.Write(p) }
func (s *tinyHTTP) WriteHeader(status int)      { s.status = status }

func (s *tinyHTTP) HijackStrand() (*strand.Conn, error) {
	s.taken = true
	s.sc.Unread(s.head)
	return s.sc, nil
}

// dial connects with the package's own client.
func dial(t testing.TB, url string, h Handler, o *DialOptions) *Conn {
	t.Helper()
	c, _, err := Dial(context.Background(), url, h, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Abort() })
	return c
}

// collector is a client's handler that hands messages over.
func collector() (*tester, chan string) {
	h := newTester()
	got := make(chan string, 1000)
	h.message = func(_ *Conn, _ MessageType, msg []byte) { got <- string(msg) }
	return h, got
}

func receive(t testing.TB, got chan string) string {
	t.Helper()
	select {
	case s := <-got:
		return s
	case <-time.After(10 * time.Second):
		t.Fatal("no message")
		return ""
	}
}

// each runs a test on every transport.
func each(t *testing.T, f func(t *testing.T, transport string)) {
	for _, tr := range transports {
		t.Run(tr, func(t *testing.T) { f(t, tr) })
	}
}

func TestEcho(t *testing.T) {
	compressed := &Compression{Threshold: -1}
	each(t, func(t *testing.T, transport string) {
		for _, comp := range []*Compression{nil, compressed} {
			server := echo()
			url := serve(t, transport, &Options{MaxMessage: 32 << 20, Compression: comp}, func() Handler { return server })
			h, got := collector()
			c := dial(t, url, h, &DialOptions{Options: Options{MaxMessage: 32 << 20, Compression: comp}})
			if c.Compressed() != (comp != nil) {
				t.Fatal("compression not as asked for")
			}
			for _, n := range []int{0, 1, 125, 126, 4000, 4096, 5000, 65535, 65536, 100_000, 1 << 20, 16<<20 + 3} {
				msg := strings.Repeat("héllo ", n/7) + strings.Repeat("x", n%7)
				if err := c.Send(context.Background(), Text, []byte(msg)); err != nil {
					t.Fatal(err)
				}
				if receive(t, got) != msg {
					t.Fatalf("%d bytes: another message came back", n)
				}
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if e := h.wait(t); e.Code != Normal || !e.Local || e.Cause != nil {
				t.Errorf("client: %+v", e)
			}
			if e := server.wait(t); e.Code != Normal || e.Local {
				t.Errorf("server: %+v", e)
			}
			if server.opened.Load() != 1 || h.opened.Load() != 1 {
				t.Error("OnOpen not called once")
			}
		}
	})
}

// TestManyWriters: frames of 100 goroutines never interleave, and after a Close
// in the middle writes fail without a panic. hazard 110
func TestManyWriters(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		server := newTester()
		server.open = func(c *Conn) {
			var n atomic.Int32
			for g := range 100 {
				go func() {
					msg := []byte(strings.Repeat(string(rune('0'+g%64)), 10+50*g))
					for {
						if err := c.Send(context.Background(), Binary, msg); err != nil {
							if !errors.Is(err, net.ErrClosed) {
								t.Errorf("Send: %v", err)
							}
							return
						}
						if n.Add(1) == 500 {
							_ = c.Close()
						}
					}
				}()
			}
		}
		url := serve(t, transport, nil, func() Handler { return server })
		h := newTester()
		var got atomic.Int32
		h.message = func(_ *Conn, _ MessageType, msg []byte) {
			got.Add(1)
			if len(msg) < 10 || strings.Trim(string(msg), string(msg[0])) != "" {
				t.Errorf("a message of two writers: %.40q", msg)
			}
		}
		dial(t, url, h, nil)
		if e := h.wait(t); e.Code != Normal || e.Local {
			t.Errorf("client: %v", e)
		}
		if e := server.wait(t); e.Code != Normal || !e.Local {
			t.Errorf("server: %v", e)
		}
		if got.Load() < 500 {
			t.Errorf("%d messages", got.Load())
		}
	})
}

// TestKeptMessages: a message that a handler keeps never changes. hazard 113
func TestKeptMessages(t *testing.T) {
	const n = 20_000
	var mu sync.Mutex
	var kept [][]byte
	server := newTester()
	server.message = func(c *Conn, _ MessageType, msg []byte) {
		mu.Lock()
		kept = append(kept, msg)
		full := len(kept) == n
		mu.Unlock()
		if full {
			_ = c.Close()
		}
	}
	url := serve(t, "strand", nil, func() Handler { return server })
	h := newTester()
	c := dial(t, url, h, nil)
	want := func(i int) string { return strings.Repeat(string(rune('a'+i%26)), 1+i%700) }
	for i := range n {
		if err := c.Send(context.Background(), Binary, []byte(want(i))); err != nil {
			t.Fatal(err)
		}
	}
	server.wait(t)
	for i, msg := range kept {
		if string(msg) != want(i) {
			t.Fatalf("message %d changed", i)
		}
		if cap(msg) > len(msg) {
			t.Fatalf("message %d has room for %d more bytes", i, cap(msg)-len(msg))
		}
	}
}
