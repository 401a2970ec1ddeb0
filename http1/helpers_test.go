package http1

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/buf"
)

// testServer is a Server on a loopback port, closed with the test.
type testServer struct {
	*Server
	addr string
	url  string
	log  *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serve starts a server for the test; change, if not nil, sets its fields before.
func serve(t testing.TB, h http.HandlerFunc, change func(*Server)) *testServer {
	t.Helper()
	e, err := strand.New(strand.Options{Loops: 2})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ts := &testServer{log: &lockedBuffer{}, addr: l.Addr().String(), url: "http://" + l.Addr().String()}
	ts.Server = &Server{Handler: h, Engine: e, ErrorLog: log.New(ts.log, "", 0)}
	if change != nil {
		change(ts.Server)
	}
	done := make(chan error, 1)
	serve := serveForTest(t, l, &ts.TLSConfig, ts.Serve, func(l net.Listener) error { return ts.ServeTLS(l, "", "") })
	go func() { done <- serve() }()
	t.Cleanup(func() {
		if err := ts.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-done; err != http.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
		if err := e.Close(); err != nil {
			t.Errorf("Engine.Close: %v", err)
		}
	})
	return ts
}

// atRest waits until the number of goroutines and of Blocks has not changed for 50 looks, 2 ms apart, and returns
// both: what the tests before left behind for a moment, such as the goroutines of connections just closed, would
// otherwise be missed at the end as much as what the test itself leaves is found.
func atRest(t testing.TB) (blocks int64, goroutines int) {
	t.Helper()
	steady := 0
	for end := time.Now().Add(20 * time.Second); steady < 50; time.Sleep(2 * time.Millisecond) {
		b, g := buf.InUse(), runtime.NumGoroutine()
		if steady++; b != blocks || g != goroutines {
			blocks, goroutines, steady = b, g, 0
		}
		if time.Now().After(end) {
			t.Fatalf("never at rest: %d Blocks, %d goroutines", b, g)
		}
	}
	return blocks, goroutines
}

// dial connects to the server with a deadline for everything.
func (ts *testServer) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", ts.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// exchangeRaw sends raw bytes, says that it sends no more, and returns everything that came.
func (ts *testServer) exchangeRaw(t testing.TB, raw string) string {
	t.Helper()
	c := ts.dial(t)
	go func() { // the server may answer, and stop reading, before it has all
		_, _ = io.WriteString(c, raw)
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("%.100q: after %q: %v", raw, b, err)
	}
	return string(b)
}

// statuses lists the statuses of the responses in raw, 1xx included, and whether the last
// one said that it closes.
func statuses(t testing.TB, raw string, methods ...string) string {
	t.Helper()
	br := bufio.NewReader(strings.NewReader(raw))
	var out []string
	for i := 0; ; i++ {
		if _, err := br.Peek(1); err == io.EOF {
			return strings.Join(out, " ")
		}
		req := &http.Request{Method: "GET"}
		if i < len(methods) {
			req.Method = methods[i]
		}
		res, err := http.ReadResponse(br, req)
		if err != nil {
			t.Fatalf("response %d of %q: %v", i, raw, err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatalf("body %d of %q: %v", i, raw, err)
		}
		out = append(out, fmt.Sprint(res.StatusCode))
	}
}
