package http1_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/d74363f0/strand/http1"
)

// stdPatience bounds every wait for something that must happen. It is long
// because reaching it is a failure, not a measurement.
const stdPatience = 15 * time.Second

// stdStart serves cfg on a fresh loopback port. It returns the base URL, the
// server and a function that closes it and waits for Serve to return. The test
// stops the server by itself at its end.
func stdStart(t testing.TB, cfg *stdServer) (url string, srv stdPeer, stop func()) {
	t.Helper()
	ln := stdListen(t)
	srv, stop = stdServe(t, cfg, ln)
	return "http://" + ln.Addr().String(), srv, stop
}

// stdServe is stdStart for a listener that the test made.
func stdServe(t testing.TB, cfg *stdServer, ln net.Listener) (srv stdPeer, stop func()) {
	t.Helper()
	if cfg.ErrorLog == nil {
		cfg.ErrorLog = log.New(io.Discard, "", 0)
	}
	plain := func(l net.Listener) error { return srv.Serve(l) }
	run := http1.ServeForTest(t, ln, &cfg.TLSConfig, plain, func(l net.Listener) error { return srv.ServeTLS(l, "", "") })
	srv = stdPeerOf(cfg)
	served := make(chan error, 1)
	go func() { served <- run() }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			srv.Close()
			ln.Close()
			select {
			case err := <-served:
				if !errors.Is(err, http.ErrServerClosed) {
					t.Errorf("Serve: %v", err)
				}
			case <-time.After(stdPatience):
				t.Errorf("Serve has not returned %v after Close", stdPatience)
			}
		})
	}
	t.Cleanup(stop)
	return srv, stop
}

// stdHandle starts a server whose only setting is its handler.
func stdHandle(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	url, _, _ := stdStart(t, &stdServer{Handler: h})
	return url
}

func stdListen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// stdClient returns a client with connections of its own, closed at the end of
// the test. It does not follow redirects.
func stdClient(t testing.TB) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport: tr,
		Timeout:   2 * stdPatience,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// stdReply is a response read to its end.
type stdReply struct {
	*http.Response
	body string
	err  error // of reading the body
}

func stdRead(res *http.Response) stdReply {
	b, err := io.ReadAll(res.Body)
	res.Body.Close()
	return stdReply{res, string(b), err}
}

// stdDo sends one request and reads the whole response; any failure ends the test.
func stdDo(t testing.TB, c *http.Client, req *http.Request) stdReply {
	t.Helper()
	res, err := c.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	r := stdRead(res)
	if r.err != nil {
		t.Fatalf("%s %s: reading the body: %v", req.Method, req.URL, r.err)
	}
	return r
}

// stdGet fetches url with a client of its own.
func stdGet(t testing.TB, url string) stdReply {
	t.Helper()
	return stdDo(t, stdClient(t), stdRequest(t, "GET", url, nil))
}

func stdRequest(t testing.TB, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// stdWire is a connection on which a test writes requests by hand.
type stdWire struct {
	t  testing.TB
	c  *net.TCPConn
	br *bufio.Reader
}

func stdDial(t testing.TB, url string) *stdWire {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(2 * stdPatience))
	t.Cleanup(func() { c.Close() })
	return &stdWire{t, c.(*net.TCPConn), bufio.NewReader(c)}
}

// send writes s as it is.
func (w *stdWire) send(s string) {
	w.t.Helper()
	if _, err := io.WriteString(w.c, s); err != nil {
		w.t.Fatalf("writing %.60q: %v", s, err)
	}
}

// next reads the next response, its body included. A response to HEAD needs its method.
func (w *stdWire) next(method string) stdReply {
	w.t.Helper()
	r, err := w.tryNext(method)
	if err != nil {
		w.t.Fatalf("reading a response: %v", err)
	}
	return r
}

func (w *stdWire) tryNext(method string) (stdReply, error) {
	res, err := http.ReadResponse(w.br, &http.Request{Method: method})
	if err != nil {
		return stdReply{}, err
	}
	return stdRead(res), nil
}

// rest reads what comes until the server closes. A reset counts as a close: the
// kernel sends one when the server had to leave bytes unread.
func (w *stdWire) rest() string {
	w.t.Helper()
	b, err := io.ReadAll(w.br)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		w.t.Fatalf("waiting for the server to close: %v (after %.200q)", err, b)
	}
	return string(b)
}

// wantClosed fails the test unless the server closes without another byte.
func (w *stdWire) wantClosed() {
	w.t.Helper()
	if got := w.rest(); got != "" {
		w.t.Errorf("bytes before the close: %.200q; want none", got)
	}
}

// stdRaw sends one request (lines separated by \n, without the empty line), ends
// the client's half of the connection and returns every byte that comes back.
func stdRaw(t testing.TB, url, req string) string {
	t.Helper()
	w := stdDial(t, url)
	w.send(strings.ReplaceAll(req, "\n", "\r\n") + "\r\n\r\n")
	w.c.CloseWrite()
	return w.rest()
}

// stdAwait receives from ch; waiting too long ends the test.
func stdAwait[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(stdPatience):
		t.Fatalf("%s: not within %v", what, stdPatience)
		panic("unreachable")
	}
}

// stdEventually polls ok until it holds; waiting too long ends the test.
func stdEventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(stdPatience)
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, stdPatience)
		}
		time.Sleep(time.Millisecond)
	}
}

// stdRetry is for behaviour that depends on a timeout being short enough to wait
// for and long enough for a loaded machine: it tries growing ones until one passes.
func stdRetry(t testing.TB, try func(d time.Duration) error) {
	t.Helper()
	var err error
	for _, d := range []time.Duration{100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second} {
		if err = try(d); err == nil || t.Failed() {
			return
		}
	}
	t.Error(err)
}

// stdLog collects what a server logs.
type stdLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *stdLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *stdLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *stdLog) logger() *log.Logger { return log.New(l, "", 0) }

// stdEndless is a reader of one byte for ever.
type stdEndless byte

func (b stdEndless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// stdReaderOnly hides every method of a reader but Read.
type stdReaderOnly struct{ io.Reader }

// stdWantStatus compares a status with net/http's and with the ones that the
// strict policy allows in its place.
func stdWantStatus(t testing.TB, what string, got, lax int, strict []int) {
	t.Helper()
	want := []int{lax}
	if stdStrict() && len(strict) > 0 {
		want = strict
	}
	for _, w := range want {
		if got == w {
			return
		}
	}
	t.Errorf("%s: status %d; want %v", what, got, want)
}

// stdSeen formats a list of header values so that nil and empty can be told apart.
func stdSeen(h http.Header, key string) string {
	v, ok := h[key]
	if !ok {
		return "absent"
	}
	return fmt.Sprintf("%q", v)
}

// stdShutdown shuts srv down and fails the test if that does not finish.
func stdShutdown(t testing.TB, srv stdPeer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), stdPatience)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}
