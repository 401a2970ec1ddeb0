//go:build linux && !strand_std

package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/d74363f0/strand/http1"
	"github.com/d74363f0/strand/internal/sock"
)

// The kinds of requests.
const (
	plain    = iota
	large    // many writes, flushed here and there
	echoAll  // the body read, then written
	echoFlow // each piece written as it is read
	unread   // the body is left alone
	sleepy   // holds its handler
	hoarder  // keeps everything it was given
	finale   // the rest ends the connection
	abort    = iota - 1
	panics
	kinds
)

// request is one request of a web client and the response to it.
type request struct {
	kind, n  int // n bytes of response, or of body for the kinds that echo
	body     []byte
	response uint64 // the stream of the response's body
}

// web is a client of http1.
type web struct {
	id        int
	requests  []request
	pipelined bool
	asked     int // requests sent
	answered  int // responses received whole
	last      bool
	refused   bool // it was too slow for a hasty server

	buf     []byte // received and not judged
	inBody  bool
	chunked bool
	left    int // bytes of the body, or of the chunk
	off     int // bytes of the body received
}

func newWeb(w *world, c *client) *web {
	b := &web{id: c.id, pipelined: w.rng.IntN(2) == 0}
	c.halfOpen = w.rng.IntN(4) == 0
	for i := range 1 + w.rng.IntN(4) {
		q := request{kind: w.rng.IntN(finale), n: w.rng.IntN(1 << (1 + w.rng.IntN(11)))}
		stream := uint64(c.id)<<32 | uint64(i)<<1
		q.response = stream | 1
		switch q.kind {
		case large:
			q.n = w.rng.IntN(1 << (8 + w.rng.IntN(8)))
		case echoAll, echoFlow:
			q.response = stream
			q.body = pattern(stream, 0, q.n)
		case unread:
			q.body = pattern(stream, 0, w.rng.IntN(3000))
		}
		b.requests = append(b.requests, q)
	}
	if w.rng.IntN(4) == 0 {
		b.requests[len(b.requests)-1].kind = abort + w.rng.IntN(kinds-abort)
	}
	return b
}

func (b *web) more(c *client) []byte {
	if b.asked == len(b.requests) || !b.pipelined && b.asked > b.answered || b.last {
		return nil
	}
	q := b.requests[b.asked]
	var p []byte
	method := "GET"
	if q.body != nil {
		method = "POST"
	}
	p = fmt.Appendf(p, "%s /%d/%d/%d/%d HTTP/1.1\r\nHost: sim\r\nX-Key: %d/%d\r\n", method, b.id, b.asked, q.kind, q.n, b.id, b.asked)
	switch {
	case q.body == nil:
		p = append(p, "\r\n"...)
	case c.w.rng.IntN(2) == 0:
		p = fmt.Appendf(p, "Content-Length: %d\r\n\r\n%s", len(q.body), q.body)
	default:
		p = append(p, "Transfer-Encoding: chunked\r\n\r\n"...)
		for rest := q.body; len(rest) > 0; {
			n := c.w.piece(min(len(rest), 2000))
			p = fmt.Appendf(p, "%x\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		p = append(p, "0\r\n\r\n"...)
	}
	b.asked++
	return p
}

func (b *web) satisfied(*client) bool { return b.answered == len(b.requests) || b.last }
func (b *web) sentAll() bool          { return b.asked == len(b.requests) || b.last }
func (b *web) idle(*client) bool      { return b.answered == len(b.requests) && len(b.buf) == 0 }

func (b *web) endOK(*client) bool {
	return b.answered < len(b.requests) && b.requests[b.answered].kind >= abort
}

func (b *web) take(c *client, p []byte) error {
	b.buf = append(b.buf, p...)
	for !b.refused {
		if !b.inBody {
			n := bytes.Index(b.buf, []byte("\r\n\r\n"))
			if n < 0 {
				return nil
			}
			if c.w.hasty && bytes.HasPrefix(b.buf, []byte("HTTP/1.1 40")) {
				b.refused, b.last = true, true
				return nil
			}
			if err := b.head(string(b.buf[:n+2])); err != nil {
				return err
			}
			b.buf = b.buf[n+4:]
		}
		if more, err := b.body(); !more || err != nil {
			return err
		}
	}
	return nil
}

// head judges the head of a response.
func (b *web) head(head string) error {
	if b.satisfied(nil) {
		return fmt.Errorf("a response too many: %q", head)
	}
	if !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") {
		return fmt.Errorf("request %d is answered with %q", b.answered, head)
	}
	if key := field(head, "X-Key"); key != fmt.Sprintf("%d/%d", b.id, b.answered) {
		return fmt.Errorf("request %d/%d received the response to %q", b.id, b.answered, key)
	}
	b.inBody, b.off = true, 0
	b.last = field(head, "Connection") == "close"
	b.chunked = field(head, "Transfer-Encoding") == "chunked"
	b.left = -1
	if !b.chunked {
		n, err := strconv.Atoi(field(head, "Content-Length"))
		if err != nil {
			return fmt.Errorf("no length in %q", head)
		}
		b.left = n
	}
	return nil
}

func field(head, name string) string {
	_, rest, ok := strings.Cut(head, "\r\n"+name+": ")
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

// body judges what there is of a body and reports whether to look for more.
func (b *web) body() (more bool, err error) {
	if b.chunked && b.left < 0 {
		line, rest, ok := bytes.Cut(b.buf, []byte("\r\n"))
		if !ok {
			return false, nil
		}
		n, err := strconv.ParseUint(string(line), 16, 32)
		if err != nil {
			return false, fmt.Errorf("chunk size %q", line)
		}
		if n == 0 {
			if len(rest) < 2 {
				return false, nil
			}
			b.buf = rest[2:]
			return true, b.whole()
		}
		b.left, b.buf = int(n), rest
	}
	n := min(b.left, len(b.buf))
	if err := compare(b.buf[:n], b.requests[b.answered].response, b.off); err != nil {
		return false, fmt.Errorf("response %d: %w", b.answered, err)
	}
	b.buf, b.off, b.left = b.buf[n:], b.off+n, b.left-n
	switch {
	case b.left > 0:
		return false, nil
	case !b.chunked:
		return true, b.whole()
	case len(b.buf) < 2:
		return false, nil
	}
	b.buf, b.left = b.buf[2:], -1
	return true, nil
}

// whole is the end of a response.
func (b *web) whole() error {
	if want := b.requests[b.answered].n; b.off != want {
		return fmt.Errorf("response %d has %d bytes of %d", b.answered, b.off, want)
	}
	b.inBody = false
	b.answered++
	return nil
}

// webServer is http1 and websocket on the simulated kernel.
type webServer struct {
	w      *world
	http   *http1.Server
	closed chan struct{}
	once   sync.Once
	hub    *hub

	mu   sync.Mutex
	kept []keepsake // mu
}

// keepsake is what a handler kept after it had returned.
type keepsake struct {
	w  http.ResponseWriter
	r  *http.Request
	id int // whose
	k  int // which of its requests
}

func newWebServer(w *world) *webServer {
	s := &webServer{w: w, closed: make(chan struct{}), hub: newHub(w)}
	s.http = &http1.Server{
		Handler: s, Engine: w.eng, ErrorLog: log.New(w, "", 0), ConnState: s.connState,
		MaxQueued: 1 << (10 + w.rng.IntN(8)), MaxPipelined: 1 + w.rng.IntN(8),
	}
	if w.hasty {
		s.http.ReadHeaderTimeout, s.http.ReadTimeout = w.soon(), w.soon()
		s.http.WriteTimeout, s.http.IdleTimeout, s.http.WriteProgressTimeout = w.soon(), w.soon(), w.soon()
		s.http.MinBodyRate = 1000
		s.hub.options.WriteTimeout, s.hub.options.CloseTimeout = w.soon(), w.soon()
	}
	go func() { _ = s.http.Serve((*webListener)(s)) }()
	return s
}

func (s *webServer) stop() {
	_ = s.http.Close()
}

func (s *webServer) connState(nc net.Conn, state http.ConnState) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	c := s.w.clients[nc.RemoteAddr().(*net.TCPAddr).Port-1]
	switch state {
	case http.StateNew:
		c.opens++
	case http.StateClosed, http.StateHijacked:
		c.closes++
	}
}

func (s *webServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/ws/") {
		s.hub.accept(w, r)
		return
	}
	var id, k, kind, n int
	if _, err := fmt.Sscanf(r.URL.Path, "/%d/%d/%d/%d", &id, &k, &kind, &n); err != nil {
		s.w.fail("the server was asked for %q", r.URL.Path)
		return
	}
	key := fmt.Sprintf("%d/%d", id, k)
	if got := r.Header.Get("X-Key"); got != key || !strings.HasSuffix(r.RemoteAddr, ":"+strconv.Itoa(id)) {
		s.w.fail("request %s from %s has the header of %s", key, r.RemoteAddr, got)
	}
	w.Header().Set("X-Key", key)
	s.haunt()
	s.answer(w, r, kind, n, uint64(id)<<32|uint64(k)<<1)
}

func (s *webServer) answer(w http.ResponseWriter, r *http.Request, kind, n int, stream uint64) {
	rng := rand.New(rand.NewPCG(s.w.seed, stream))
	p := pattern(stream|1, 0, n)
	switch kind {
	case sleepy:
		s.w.Turn(stream<<8, "sleepy handler")
	case echoAll:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client has gone, and is told nothing
		}
		if err := compare(body, stream, 0); err != nil || len(body) != n {
			s.w.fail("request %s: %d bytes of %d, %v", r.URL.Path, len(body), n, err)
		}
		p = body
	case echoFlow:
		s.flow(w, r, n, stream, rng)
		return
	case hoarder:
		s.mu.Lock()
		s.kept = append(s.kept, keepsake{w, r, int(stream >> 32), int(uint32(stream) >> 1)})
		s.mu.Unlock()
	case abort:
		panic(http.ErrAbortHandler)
	case panics:
		panic("deliberate")
	}
	if kind != large {
		_, _ = w.Write(p) // an error says that the client has gone
		return
	}
	for len(p) > 0 {
		k := 1 + rng.IntN(min(len(p), 20000))
		_, err := w.Write(p[:k])
		if err != nil {
			return
		}
		clear(p[:k])
		p = p[k:]
		if rng.IntN(4) == 0 {
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// flow writes each piece of the body as it is read.
func (s *webServer) flow(w http.ResponseWriter, r *http.Request, n int, stream uint64, rng *rand.Rand) {
	_ = http.NewResponseController(w).EnableFullDuplex()
	p := make([]byte, 1+rng.IntN(3000))
	for off := 0; ; {
		k, err := r.Body.Read(p)
		if e := compare(p[:k], stream, off); e != nil {
			s.w.fail("request %s: %v", r.URL.Path, e)
		}
		off += k
		if _, e := w.Write(p[:k]); e != nil {
			return
		}
		clear(p)
		if err == io.EOF && off != n {
			s.w.fail("request %s: the body ends after %d bytes of %d", r.URL.Path, off, n)
		}
		if err == io.EOF {
			return
		}
		if err != nil { // half an echo must not look like a whole one
			panic(http.ErrAbortHandler)
		}
	}
}

// haunt uses what earlier requests left: none of it may reach anyone.
func (s *webServer) haunt() {
	for _, k := range s.ghosts() {
		k.w.Header().Set("X-Key", "0/0")
		if n, err := k.w.Write([]byte("late bytes")); err == nil {
			s.w.fail("a write after the handler returned took %d bytes", n)
		}
		if n, err := k.r.Body.Read(make([]byte, 10)); n > 0 || !errors.Is(err, http.ErrBodyReadAfterClose) && err != io.EOF {
			s.w.fail("a read after the handler returned: %d bytes, %v", n, err)
		}
		_ = k.r.Body.Close()
	}
}

// ghosts returns what belongs to exchanges that are certainly over: their client
// has an answer to a later request, or is gone.
func (s *webServer) ghosts() (over []keepsake) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.kept
	s.kept = nil
	for _, k := range kept {
		c := s.w.clients[k.id-1]
		if c.closes > 0 || c.p.(*web).answered > k.k+1 {
			over = append(over, k)
		} else {
			s.kept = append(s.kept, k)
		}
	}
	return over
}

// webListener is the server's listener, whose connections come one by one.
type webListener webServer

func (l *webListener) Accept() (net.Conn, error) {
	select {
	case f := <-l.w.accepts:
		l.w.Turn(1<<60|uint64(f.c.id), "accepting goroutine")
		return &conn{f}, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *webListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *webListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 2} }

// conn is a connection of the simulated kernel on its way to the engine.
type conn struct{ f *file }

func (c *conn) Simulated() (*sock.System, int, sock.Addr) {
	return c.f.c.w.k.sys, c.f.num, c.f.c.addr()
}

func (c *conn) Close() error {
	c.f.c.w.k.Close(c.f.num)
	return nil
}

func (c *conn) Read([]byte) (int, error)         { return 0, errors.ErrUnsupported }
func (c *conn) Write([]byte) (int, error)        { return 0, errors.ErrUnsupported }
func (c *conn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *conn) RemoteAddr() net.Addr             { return c.f.c.addr().Net("") }
func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

func (b *web) String() string {
	var kinds []string
	for _, q := range b.requests {
		kinds = append(kinds, fmt.Sprintf("kind %d, n %d, body %d", q.kind, q.n, len(q.body)))
	}
	return fmt.Sprintf("%q, pipelined %v, asked %d, answered %d, last %v, in body %v, chunked %v, off %d, left %d, buffer %.300q",
		kinds, b.pipelined, b.asked, b.answered, b.last, b.inBody, b.chunked, b.off, b.left, b.buf)
}
