package http1

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// hazard 59: what a request costs in heap is bounded by its bytes. A Cookie header of
// nothing but separators, and one field name after the other, cost at most 16 times their
// length as long as the request lives.
func TestHeapPerByte(t *testing.T) {
	var names strings.Builder
	for i := range 900 {
		fmt.Fprintf(&names, "X-%d: y\r\n", i)
	}
	for name, in := range map[string]string{
		"cookies": get + "Cookie: " + strings.Repeat("a=;", 20000) + "\r\n\r\n",
		"names":   get + names.String() + "\r\n",
	} {
		var held sync.Map
		block, entered := make(chan struct{}), make(chan struct{}, 20)
		ts := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			held.Store(r, nil)
			entered <- struct{}{}
			<-block
		}, nil)
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		const n = 20
		before := heap()
		for range n {
			if _, err := io.WriteString(ts.dial(t), in); err != nil {
				t.Fatal(err)
			}
		}
		for range n {
			<-entered
		}
		after := heap()
		close(block)
		if limit := uint64(16*len(in)+32<<10) * n; after > before+limit {
			t.Errorf("%s: %d bytes of heap for %d requests of %d bytes", name, after-before, n, len(in))
		}
		held.Clear()
	}
}

// hazards 74, 75: a client that never stops sending, and handlers that block, leave others
// served.
func TestOthersAreServed(t *testing.T) {
	block := make(chan struct{})
	var blocked atomic.Int32
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/block":
			blocked.Add(1)
			<-block
		case "/hose":
			_, _ = io.Copy(io.Discard, r.Body)
		}
		_, _ = io.WriteString(w, "ok")
	}, nil)
	defer close(block)
	for range 2 {
		hose := ts.dial(t)
		if _, err := io.WriteString(hose, "POST /hose HTTP/1.1\r\nHost: h\r\nContent-Length: 1099511627776\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			p := make([]byte, 64<<10)
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := hose.Write(p); err != nil {
					return
				}
			}
		}()
	}
	const n = 500
	for range n {
		if _, err := io.WriteString(ts.dial(t), "GET /block HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(15 * time.Second); blocked.Load() < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d of %d blocking handlers run", blocked.Load(), n)
		}
	}
	c := ts.dial(t)
	br := bufio.NewReader(c)
	for i := range 50 {
		if _, err := io.WriteString(c, get+"\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatalf("request %d beside them: %v", i, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
	}
}

// hazard 83: Shutdown with a connection of every kind: the running request finishes, idle and
// half-sent ones end, a hijacked one is left alone, a second Shutdown is harmless.
func TestShutdownEveryKind(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	hijacked := make(chan net.Conn, 1)
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/run":
			close(entered)
			<-release
		case "/hijack":
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
			}
			hijacked <- c
			return
		}
		_, _ = io.WriteString(w, "ok")
	}, func(s *Server) { s.ReadHeaderTimeout = 1500 * time.Millisecond }) // the half-sent one's
	send := func(in string) (net.Conn, *bufio.Reader) {
		c := ts.dial(t)
		if _, err := io.WriteString(c, in); err != nil {
			t.Fatal(err)
		}
		return c, bufio.NewReader(c)
	}
	_, running := send("GET /run HTTP/1.1\r\nHost: h\r\n\r\n")
	_, idle := send(get + "\r\n")
	if _, err := http.ReadResponse(idle, nil); err != nil {
		t.Fatal(err)
	}
	_, half := send(get)
	taken, takenReader := send("GET /hijack HTTP/1.1\r\nHost: h\r\n\r\n")
	server := <-hijacked
	defer server.Close()
	<-entered
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		active := 0 // the running and the half-sent one
		for _, hc := range ts.snapshot() {
			if http.ConnState(hc.state.Load()) == http.StateActive {
				active++
			}
		}
		if active == 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are active, want 2", active)
		}
	}
	time.AfterFunc(50*time.Millisecond, func() { close(release) })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	second := make(chan error, 1)
	go func() { second <- ts.Shutdown(ctx) }()
	if err := ts.Shutdown(ctx); err != nil {
		t.Fatalf("Shutdown: %v", err)
	}
	if err := <-second; err != nil {
		t.Fatalf("second Shutdown: %v", err)
	}
	res, err := http.ReadResponse(running, nil)
	if err != nil || !res.Close {
		t.Fatalf("the running request: %+v, %v", res, err)
	}
	for name, br := range map[string]*bufio.Reader{"idle": idle, "half-sent": half} {
		rest, err := io.ReadAll(br)
		if err != nil || name == "half-sent" && !strings.HasPrefix(string(rest), "HTTP/1.1 408 ") {
			t.Errorf("%s: %q, %v", name, rest, err)
		}
	}
	if _, err := io.WriteString(taken, "ping\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(server).ReadString('\n'); line != "ping\n" || err != nil {
		t.Fatalf("hijacked: %q, %v", line, err)
	}
	if _, err := io.WriteString(server, "pong\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := takenReader.ReadString('\n'); line != "pong\n" || err != nil {
		t.Fatalf("hijacked: %q, %v", line, err)
	}
	if _, err := net.Dial("tcp", ts.addr); err == nil {
		t.Error("still listening")
	}
}

// hazard 81: what a peer sends appears escaped in the log and in answers.
func TestNothingRawIsLogged(t *testing.T) {
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", r.Header.Get("X")+"\r\n\x1b[31m")
		panic("on purpose: " + fmt.Sprintf("%q", r.Header.Get("X")))
	}, nil)
	_ = ts.exchangeRaw(t, get+"X: \x80\xffred\r\n\r\n")
	raw := ts.exchangeRaw(t, "G\x1b[31mT / HTTP/1.1\r\n\r\n")
	first, _, _ := strings.Cut(ts.log.String(), "\n")
	for _, s := range []string{first, raw} {
		for i := range len(s) {
			if s[i] == 0x1b || s[i] >= 0x80 {
				t.Errorf("raw byte %#x in %q", s[i], s)
			}
		}
	}
	if !strings.HasPrefix(first, "http: panic serving 127.0.0.1:") {
		t.Errorf("log: %q", first)
	}
}
