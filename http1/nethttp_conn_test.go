package http1_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestStdConnectionCloses(t *testing.T) {
	t.Parallel()
	announce := func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Connection", "close") }
	for name, tt := range map[string]struct {
		req     string
		handler http.HandlerFunc
	}{
		"1.0":                      {"GET / HTTP/1.0\r\n\r\n", stdText("x")},
		"client's wish":            {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", stdText("x")},
		"handler's wish, 1.1":      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", announce},
		"handler's wish, 1.0":      {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", announce},
		"unknown length, 1.0":      {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", func(w http.ResponseWriter, r *http.Request) { stdFlush(w) }},
		"close in a list, capital": {"GET / HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n", stdText("x")},
	} {
		w := stdDial(t, stdHandle(t, tt.handler))
		w.send(tt.req)
		if got := w.next("GET"); !got.Close {
			t.Errorf("%s: the close is not announced: %v", name, got.Header)
		}
		w.wantClosed() // hazard 50
	}
}

func TestStdConnectionStays(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		req     string
		handler http.HandlerFunc
	}{
		"1.0, 204":     {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", stdCode(204)},
		"1.1, 204":     {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", stdCode(204)},
		"1.0, 304":     {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", stdCode(304)},
		"1.0, length":  {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", stdText("x")},
		"1.1, text":    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", stdText("x")},
		"1.1, chunked": {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", func(w http.ResponseWriter, r *http.Request) { stdFlush(w) }},
	} {
		w := stdDial(t, stdHandle(t, tt.handler))
		for i := range 3 {
			w.send(tt.req)
			if got := w.next("GET"); got.Close || got.err != nil {
				t.Errorf("%s: response %d closes: %v %v", name, i, got.Header, got.err)
			}
		}
	}
}

func TestStdFinalChunkReused(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		stdFlush(w)
		fmt.Fprint(w, r.RemoteAddr)
	})
	c := stdClient(t)
	var addrs [2]string
	for i := range addrs {
		res, err := c.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		// Only the bytes of the body are read: its end must have come along with them.
		b := make([]byte, 64)
		n, _ := io.ReadAtLeast(res.Body, b, len("127.0.0.1:1024"))
		addrs[i] = string(b[:n]) + stdRead(res).body
	}
	if addrs[0] == "" || addrs[0] != addrs[1] {
		t.Errorf("the connection was not used again: %q", addrs)
	}
}

func TestStdConnectionHeader10(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, http.NewServeMux().ServeHTTP)
	for req, want := range map[string]string{
		"GET / HTTP/1.0":                         "absent",
		"OPTIONS * HTTP/1.0":                     "absent",
		"GET / HTTP/1.0\nConnection: keep-alive": `["keep-alive"]`,
	} {
		w := stdDial(t, url)
		w.send(strings.ReplaceAll(req, "\n", "\r\n") + "\r\n\r\n")
		if got := stdSeen(w.next("GET").Header, "Connection"); got != want {
			t.Errorf("%q: Connection %s; want %s", req, got, want)
		}
	}
}

func TestStdZeroLength(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(http.ResponseWriter, *http.Request) {})
	for _, proto := range []string{"HTTP/1.0", "HTTP/1.1"} {
		w := stdDial(t, url)
		w.send("GET / " + proto + "\r\nConnection: keep-alive\r\nHost: x\r\n\r\n")
		got := w.next("GET")
		if len(got.TransferEncoding) > 0 || got.ContentLength != 0 {
			t.Errorf("%s: %v, length %d; want length 0", proto, got.TransferEncoding, got.ContentLength)
		}
	}
}

func TestStdKeepAlivesOff(t *testing.T) {
	t.Parallel()
	url, srv, _ := stdStart(t, &stdServer{Handler: stdText("x")})
	w := stdDial(t, url)
	w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := w.next("GET"); got.Close {
		t.Error("closed before keep-alives were switched off")
	}
	srv.SetKeepAlivesEnabled(false)
	w.wantClosed() // what is idle is closed at once
	for range 2 {
		w := stdDial(t, url)
		w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if got := w.next("GET"); !got.Close || got.body != "x" {
			t.Errorf("without keep-alives: close %v, %q", got.Close, got.body)
		}
		w.wantClosed()
	}
	srv.SetKeepAlivesEnabled(true)
	w = stdDial(t, url)
	w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := w.next("GET"); got.Close {
		t.Error("closed after keep-alives were switched on again")
	}
}

func TestStdWriteErrorEndsConnection(t *testing.T) {
	t.Parallel()
	const n = 3
	addrs := make(chan string, n)
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		addrs <- r.RemoteAddr
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(-time.Second))
		io.WriteString(w, "x")
		stdFlush(w)
	})
	c := stdClient(t)
	seen := map[string]bool{}
	for range n {
		if res, err := c.Post(url, "", nil); err == nil {
			t.Errorf("a response came through a failed write: %d", res.StatusCode)
			res.Body.Close()
		}
		seen[stdAwait(t, addrs, "the handler")] = true
	}
	if len(seen) != n {
		t.Errorf("%d connections for %d requests; none may be used after a failed write", len(seen), n)
	}
}

func TestStdClientHalfCloses(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(http.ResponseWriter, *http.Request) { t.Error("a handler ran without a request") })
	w := stdDial(t, url)
	w.c.CloseWrite()
	w.wantClosed() // not even a 400
}

func TestStdManyConnections(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	n := 0
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n++
		mu.Unlock()
	})
	c := stdClient(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for _, path := range []string{"/a", "/b"} {
				res, err := c.Get(url + path)
				if err != nil {
					t.Error(err)
					continue
				}
				stdRead(res)
			}
		})
	}
	wg.Wait()
	if n != 40 {
		t.Errorf("the handler ran %d times; want 40", n)
	}
}

func TestStdPipelined(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })
	var wg sync.WaitGroup
	for range 3 {
		w := stdDial(t, url)
		const n = 300
		wg.Go(func() {
			for i := range n {
				if _, err := fmt.Fprintf(w.c, "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", i); err != nil {
					t.Error(err)
					return
				}
			}
		})
		wg.Go(func() {
			for i := range n { // hazard 53
				got, err := w.tryNext("GET")
				if err != nil || got.body != fmt.Sprintf("/%d", i) {
					t.Errorf("response %d: %q, %v", i, got.body, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// stdStates records the states of the first connection and of no other.
type stdStates struct {
	mu   sync.Mutex
	conn net.Conn
	got  []http.ConnState
}

func (s *stdStates) note(c net.Conn, st http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		s.conn = c
	}
	if s.conn == c {
		s.got = append(s.got, st)
	}
}

func (s *stdStates) list() []http.ConnState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

func stdStatesHandler(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/close":
		w.Header().Set("Connection", "close")
	case "/hijack", "/hijack-panic":
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nHello.")
		c.Close()
		if r.URL.Path == "/hijack-panic" {
			panic("on purpose")
		}
		return
	}
	io.WriteString(w, "Hello.")
}

func TestStdConnState(t *testing.T) {
	t.Parallel()
	const (
		fresh, active, idle = http.StateNew, http.StateActive, http.StateIdle
		hijacked, closed    = http.StateHijacked, http.StateClosed
	)
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n" }
	for _, tt := range []struct {
		name string
		reqs []string // each sent after the response to the one before
		want []http.ConnState
	}{
		{"two requests", []string{get("/"), get("/close")}, []http.ConnState{fresh, active, idle, active, closed}},
		{"client's close", []string{get("/"), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"},
			[]http.ConnState{fresh, active, idle, active, closed}},
		{"hijack", []string{get("/hijack")}, []http.ConnState{fresh, active, hijacked}},
		{"hijack and panic", []string{get("/hijack-panic")}, []http.ConnState{fresh, active, hijacked}},
		{"connect only", nil, []http.ConnState{fresh, closed}},
		{"rubbish", []string{"BOGUS REQUEST\r\n\r\n"}, []http.ConnState{fresh, active, closed}},
		{"client leaves", []string{get("/")}, []http.ConnState{fresh, active, idle, closed}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var s stdStates
			url, _, _ := stdStart(t, &stdServer{ConnState: s.note, Handler: http.HandlerFunc(stdStatesHandler)})
			w := stdDial(t, url)
			for i, req := range tt.reqs {
				w.send(req)
				if _, err := w.tryNext("GET"); err != nil {
					t.Fatalf("response %d: %v", i, err)
				}
				if i == 0 && slices.Contains(tt.want, idle) {
					stdEventually(t, "idle", func() bool { return slices.Contains(s.list(), idle) })
				}
			}
			w.c.Close()
			stdEventually(t, fmt.Sprintf("the states %v", tt.want), func() bool {
				got := s.list()
				if len(got) > len(tt.want) || !slices.Equal(got, tt.want[:len(got)]) {
					t.Fatalf("states %v; want %v", got, tt.want)
				}
				return len(got) == len(tt.want)
			})
		})
	}
}

func TestStdConnStateNewFirst(t *testing.T) {
	t.Parallel()
	// No lock: StateNew is reported before Serve accepts again, and so before it returns.
	saw := false
	client, server := net.Pipe()
	defer client.Close()
	srv := stdPeerOf(&stdServer{Handler: stdText(""), ConnState: func(c net.Conn, st http.ConnState) {
		if st == http.StateNew {
			saw = true
		}
	}})
	ln := &stdOneConn{conn: server}
	if err := srv.Serve(ln); !errors.Is(err, io.EOF) {
		t.Errorf("Serve: %v; want the listener's error", err)
	}
	if !saw {
		t.Error("StateNew was not seen before Serve returned")
	}
	srv.Close()
}

// stdOneConn is a listener of one connection, or of none; then it fails with EOF.
type stdOneConn struct {
	mu   sync.Mutex
	conn net.Conn
}

func (l *stdOneConn) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.conn
	l.conn = nil
	if c == nil {
		return nil, io.EOF
	}
	return c, nil
}

func (l *stdOneConn) Close() error   { return nil }
func (l *stdOneConn) Addr() net.Addr { return stdAddr("one") }

type stdAddr string

func (a stdAddr) Network() string { return string(a) }
func (a stdAddr) String() string  { return string(a) }

func TestStdForeignConn(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	srv := stdPeerOf(&stdServer{Handler: stdText("over a pipe")})
	defer srv.Close()
	if err := srv.Serve(&stdOneConn{conn: server}); !errors.Is(err, io.EOF) {
		t.Errorf("Serve: %v; want the listener's error", err)
	}
	client.SetDeadline(time.Now().Add(stdPatience))
	go io.WriteString(client, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	got, err := io.ReadAll(client)
	if err != nil && !errors.Is(err, io.ErrClosedPipe) || !strings.HasSuffix(string(got), "\r\n\r\nover a pipe") {
		t.Errorf("%q, %v", got, err)
	}
}

// stdSlowAddr is a connection whose RemoteAddr waits, as a proxy protocol's may.
type stdSlowAddr struct {
	net.Conn
	addr chan net.Addr
	once sync.Once
	got  net.Addr
}

func (c *stdSlowAddr) RemoteAddr() net.Addr {
	c.once.Do(func() { c.got = <-c.addr })
	return c.got
}

type stdSlowAddrs struct {
	net.Listener
	conns chan *stdSlowAddr
}

func (l *stdSlowAddrs) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := &stdSlowAddr{Conn: c, addr: make(chan net.Addr, 1)}
	l.conns <- s
	return s, nil
}

func TestStdBlockingRemoteAddr(t *testing.T) {
	t.Parallel()
	ln := &stdSlowAddrs{stdListen(t), make(chan *stdSlowAddr, 2)}
	stdServe(t, &stdServer{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.RemoteAddr)
	})}, ln)
	var wires [2]*stdWire
	var conns [2]*stdSlowAddr
	for i := range wires {
		wires[i] = stdDial(t, ln.Addr().String())
		wires[i].send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		conns[i] = stdAwait(t, ln.conns, "the connection")
	}
	for _, i := range []int{1, 0} { // the one that waits must not hold up the other
		conns[i].addr <- &net.TCPAddr{IP: net.IPv4(12, 12, 12, 12), Port: i}
		if got := wires[i].next("GET").body; got != fmt.Sprintf("12.12.12.12:%d", i) {
			t.Errorf("connection %d: RemoteAddr %q", i, got)
		}
	}
}

func TestStdDeadlineOfConn(t *testing.T) {
	t.Parallel()
	conns := make(chan net.Conn, 1)
	werr := make(chan error, 1)
	url, _, _ := stdStart(t, &stdServer{
		ConnState: func(c net.Conn, st http.ConnState) {
			if st == http.StateNew {
				conns <- c
			}
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			buf := make([]byte, 512<<10)
			if _, err := w.Write(buf); err != nil {
				t.Errorf("the first write: %v", err)
			}
			(<-conns).SetWriteDeadline(time.Now().Add(-30 * time.Second))
			_, err := w.Write(buf)
			werr <- err
		}),
	})
	res, err := stdClient(t).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	if got := stdRead(res); got.err == nil {
		t.Error("the client read a whole response")
	}
	if err := stdAwait(t, werr, "the second write"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the write after the deadline: %v", err)
	}
}
