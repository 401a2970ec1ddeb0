package http1

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/buf"
)

// The crosstalk test: every byte a client sends or expects is a function of the connection
// and the request it belongs to, and handlers do with their request and response whatever
// net/http's types let them. A byte that is foreign, lost or damaged fails.

// mark fills p with the bytes at offset of the stream that belongs to id.
func mark(p []byte, id uint64, offset int) {
	var word [8]byte
	for i := range p {
		at := offset + i
		if i == 0 || at%8 == 0 {
			z := id*0x9e3779b97f4a7c15 + uint64(at/8)*0xbf58476d1ce4e5b9
			z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
			z = (z ^ z>>27) * 0x94d049bb133111eb
			binary.LittleEndian.PutUint64(word[:], z^z>>31)
		}
		p[i] = word[at%8]
	}
}

func marked(id uint64, n int) []byte {
	p := make([]byte, n)
	mark(p, id, 0)
	return p
}

// answerTo is the stream of the response to the request id.
func answerTo(id uint64) uint64 { return id ^ 0xa5a5a5a5a5a5a5a5 }

// crosstalk is one run of the test.
type crosstalk struct {
	t        *testing.T
	late     sync.WaitGroup // what handlers started and left behind
	replies  atomic.Int64
	complain sync.Once
}

func (x *crosstalk) fail(format string, args ...any) {
	x.complain.Do(func() { x.t.Errorf(format, args...) })
}

// crosstalkDeeds are what handlers do; the client asks for one by name.
var crosstalkDeeds = []string{"plain", "echo", "close", "lateread", "latewrite", "keep", "panic", "abort", "hijack", "flush", "unread", "racewrite"}

// ServeHTTP reads the request's stream, misbehaves, and answers with the response's stream.
func (x *crosstalk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	id, err := strconv.ParseUint(q.Get("id"), 16, 64)
	if err != nil || r.Header.Get("X-Id") != q.Get("id") {
		x.fail("request %q has X-Id %q (%v)", r.RequestURI, r.Header.Get("X-Id"), err)
	}
	size, _ := strconv.Atoi(q.Get("size"))
	answer := marked(answerTo(id), size)
	w.Header().Set("X-Id", q.Get("id"))
	deed := q.Get("do")
	returned := make(chan struct{})
	defer close(returned)
	if deed == "hijack" {
		x.hijack(w, r, id, answer)
		return
	}
	if deed != "unread" && deed != "lateread" {
		x.readBody(r, id)
	}
	switch deed {
	case "close":
		_, _ = r.Body.Close(), r.Body.Close()
	case "lateread":
		x.lateRead(r, id, returned)
	case "latewrite":
		x.lateWrite(w, r, id, returned)
	case "keep":
		x.keep(r, id)
	case "panic":
		_, _ = w.Write(answer[:size/2])
		panic("crosstalk: on purpose")
	case "abort":
		_, _ = w.Write(answer[:size/2])
		panic(http.ErrAbortHandler)
	case "flush":
		_, _ = w.Write(answer[:size/3])
		w.(http.Flusher).Flush()
		answer = answer[size/3:]
	case "racewrite":
		x.raceWrite(w, r, id)
	}
	_, _ = w.Write(answer)
	for i := range answer { // ours again: whatever is still queued must be a copy
		answer[i] = 0xee
	}
}

func (x *crosstalk) readBody(r *http.Request, id uint64) {
	got := 0
	p, want := make([]byte, 3000), make([]byte, 3000)
	for {
		n, err := r.Body.Read(p)
		mark(want[:n], id, got)
		if !bytes.Equal(p[:n], want[:n]) {
			x.fail("request %x: foreign bytes at %d of its body", id, got)
		}
		got += n
		if err == io.EOF {
			if r.ContentLength >= 0 && int64(got) != r.ContentLength {
				x.fail("request %x: body of %d bytes, %d announced", id, got, r.ContentLength)
			}
			return
		}
		if err != nil {
			return // the client went away
		}
	}
}

// over waits until the exchange has certainly ended: its handler has returned, its context is
// done, and, in case that was for the client's sake, a little longer.
func over(r *http.Request, returned <-chan struct{}) {
	<-returned
	<-r.Context().Done()
	time.Sleep(5 * time.Millisecond)
}

// lateRead goes on reading the body, which the handler has left unread, after it returned.
func (x *crosstalk) lateRead(r *http.Request, id uint64, returned <-chan struct{}) {
	body := r.Body
	x.late.Add(1)
	go func() {
		defer x.late.Done()
		over(r, returned)
		p := make([]byte, 512)
		for range 20 {
			time.Sleep(100 * time.Microsecond)
			if n, err := body.Read(p); n != 0 || err == nil {
				x.fail("request %x: a late read returned %d bytes, %v", id, n, err)
			}
		}
		_ = body.Close()
	}()
}

// lateWrite goes on writing, setting headers and flushing after the handler has returned.
func (x *crosstalk) lateWrite(w http.ResponseWriter, r *http.Request, id uint64, returned <-chan struct{}) {
	poison := bytes.Repeat([]byte{0xdd}, 3000)
	x.late.Add(1)
	go func() {
		defer x.late.Done()
		over(r, returned)
		for range 20 {
			time.Sleep(100 * time.Microsecond)
			w.Header().Set("X-Late", "yes")
			w.WriteHeader(500)
			if n, err := w.Write(poison); n != 0 || err == nil {
				x.fail("request %x: a late write returned %d, %v", id, n, err)
			}
			w.(http.Flusher).Flush()
			if _, _, err := w.(http.Hijacker).Hijack(); err == nil {
				x.fail("request %x: a late hijack succeeded", id)
			}
		}
	}()
}

// raceWrite reads and closes the body from another goroutine at the moment of the return.
func (x *crosstalk) raceWrite(w http.ResponseWriter, r *http.Request, id uint64) {
	x.late.Add(1)
	body := r.Body
	go func() {
		defer x.late.Done()
		p := make([]byte, 64)
		for range 50 {
			if n, _ := body.Read(p); n != 0 {
				x.fail("request %x: read %d bytes behind its end", id, n)
			}
			w.(http.Flusher).Flush() // may be in time: then it sends what there is
		}
	}()
}

// keep holds on to the request and looks at it much later.
func (x *crosstalk) keep(r *http.Request, id uint64) {
	x.late.Add(1)
	uri, want := r.RequestURI, strconv.FormatUint(id, 16)
	uriCopy := string([]byte(uri))
	go func() {
		defer x.late.Done()
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
			x.fail("request %x: its context outlives its handler", id)
		}
		time.Sleep(20 * time.Millisecond)
		if r.RequestURI != uriCopy || uri != uriCopy || r.Header.Get("X-Id") != want || r.URL.Query().Get("id") != want {
			x.fail("request %x changed: %q, X-Id %q", id, r.RequestURI, r.Header.Get("X-Id"))
		}
	}()
}

// hijack answers on the connection itself and closes it, some time after returning.
func (x *crosstalk) hijack(w http.ResponseWriter, r *http.Request, id uint64, answer []byte) {
	length := int(r.ContentLength)
	c, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		x.fail("request %x: hijack: %v", id, err)
		return
	}
	x.late.Add(1)
	go func() {
		defer x.late.Done()
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if length < 0 {
			return
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(rw, body); err != nil {
			return // the client went away
		}
		if !bytes.Equal(body, marked(id, length)) {
			x.fail("request %x: foreign bytes behind a hijack", id)
		}
		_, _ = fmt.Fprintf(rw, "HTTP/1.1 200 OK\r\nX-Id: %x\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", id, len(answer))
		_, _ = rw.Write(answer)
		_ = rw.Flush()
		// The client may have sent more behind it, and a close with unread input is a reset,
		// which would destroy the answer.
		if half, ok := c.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
		_, _ = io.Copy(io.Discard, rw)
		if _, err := w.Write([]byte("x")); err == nil {
			x.fail("request %x: wrote through the response of a hijacked connection", id)
		}
	}()
}

// fewest is how many replies make a run worth something; a slow machine takes longer for them.
const fewest = 50

// client runs short connections until the deadline, and on while there were too few replies, to ten times that.
func (x *crosstalk) client(rnd *rand.Rand, dial func() (net.Conn, error), began time.Time, span time.Duration) {
	for !x.t.Failed() {
		if ran := time.Since(began); ran > span && x.replies.Load() >= fewest || ran > 10*span {
			return
		}
		c, err := dial()
		if err != nil {
			x.fail("dial: %v", err)
			return
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		x.conversation(rnd, c)
	}
}

// conversation is one connection: a few requests, pipelined, and maybe a sudden end.
func (x *crosstalk) conversation(rnd *rand.Rand, c net.Conn) {
	defer c.Close()
	br := bufio.NewReader(c)
	for range 1 + rnd.IntN(4) {
		n := 1 + rnd.IntN(4)
		ids, deeds, sizes := make([]uint64, n), make([]string, n), make([]int, n)
		var out bytes.Buffer
		for i := range n {
			ids[i], deeds[i], sizes[i] = rnd.Uint64(), crosstalkDeeds[rnd.IntN(len(crosstalkDeeds))], rnd.IntN(9000)
			x.request(rnd, &out, ids[i], deeds[i], sizes[i])
		}
		if rnd.IntN(8) == 0 { // a reset in the middle of everything
			out.Truncate(rnd.IntN(out.Len()))
			_, _ = c.Write(out.Bytes())
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			return
		}
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			_, _ = c.Write(out.Bytes()) // the server may close early
		}()
		for i := range n {
			if !x.reply(br, ids[i], deeds[i], sizes[i]) {
				_ = c.Close()
				<-sent
				return
			}
		}
		<-sent
	}
}

func (x *crosstalk) request(rnd *rand.Rand, out *bytes.Buffer, id uint64, deed string, size int) {
	body := marked(id, rnd.IntN(9000))
	fmt.Fprintf(out, "POST /?id=%x&do=%s&size=%d HTTP/1.1\r\nHost: h\r\nX-Id: %x\r\n", id, deed, size, id)
	if deed == "hijack" || rnd.IntN(2) == 0 {
		fmt.Fprintf(out, "Content-Length: %d\r\n\r\n%s", len(body), body)
		return
	}
	out.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	for len(body) > 0 {
		n := 1 + rnd.IntN(len(body))
		fmt.Fprintf(out, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	out.WriteString("0\r\n\r\n")
}

// reply reads and judges one response; it reports whether another may follow.
func (x *crosstalk) reply(br *bufio.Reader, id uint64, deed string, size int) bool {
	cut := deed == "panic" || deed == "abort"
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		if !cut {
			x.fail("request %x (%s): no response: %v", id, deed, err)
		}
		return false
	}
	got, err := io.ReadAll(res.Body)
	if err != nil && !cut {
		x.fail("request %x (%s): body: %v", id, deed, err)
	}
	if res.StatusCode != 200 || res.Header.Get("X-Id") != strconv.FormatUint(id, 16) || res.Header.Get("X-Late") != "" {
		x.fail("request %x (%s): response %d of %q", id, deed, res.StatusCode, res.Header)
	}
	if cut && len(got) <= size/2 {
		size = len(got)
	}
	if !bytes.Equal(got, marked(answerTo(id), size)) {
		x.fail("request %x (%s): %d foreign, lost or damaged bytes of %d", id, deed, len(got), size)
	}
	x.replies.Add(1)
	return !cut && !res.Close
}

func TestCrosstalk(t *testing.T) {
	config := &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
	old := config.Clone()
	old.MaxVersion = tls.VersionTLS12
	same := func(l net.Listener) net.Listener { return l }
	foreign := func(l net.Listener) net.Listener { return foreignConns{l} }
	for _, tt := range []struct {
		name   string
		listen func(net.Listener) net.Listener
		config *tls.Config // for ServeTLS; nil: Serve
		dial   func(addr string) (net.Conn, error)
	}{
		{"native", same, nil, dialPlain},
		{"foreign", foreign, nil, dialPlain},
		{"a TLS listener", func(l net.Listener) net.Listener { return tls.NewListener(l, config) }, nil, dialTLS},
		{"TLS 1.3", same, config, dialTLS},
		{"TLS 1.2", same, old, dialTLS},
		{"TLS over foreign", foreign, config, dialTLS},
	} {
		t.Run(tt.name, func(t *testing.T) { runCrosstalk(t, tt.listen, tt.config, tt.dial) })
	}
}

func dialPlain(addr string) (net.Conn, error) { return net.Dial("tcp", addr) }

func dialTLS(addr string) (net.Conn, error) {
	return tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true}) // the certificate is the test's own
}

// foreignConns hands out connections that the engine does not know.
type foreignConns struct{ net.Listener }

func (l foreignConns) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return struct{ net.Conn }{c}, nil
}

func runCrosstalk(t *testing.T, listen func(net.Listener) net.Listener, config *tls.Config, dial func(string) (net.Conn, error)) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("STRAND_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("STRAND_SEED=%d", seed)
	blocks, goroutines := atRest(t)
	e, err := strand.New(strand.Options{Loops: 2, OnViolation: func(v strand.Violation) { t.Errorf("isolation violation: %+v", v) }})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	x := &crosstalk{t: t}
	srv := &Server{Handler: x, Engine: e, ErrorLog: log.New(io.Discard, "", 0), TLSConfig: config}
	done := make(chan error, 1)
	go func() {
		if config != nil {
			done <- srv.ServeTLS(listen(l), "", "")
			return
		}
		done <- srv.Serve(listen(l))
	}()
	began := time.Now()
	var clients sync.WaitGroup
	for i := range 24 {
		clients.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(i)))
			x.client(rnd, func() (net.Conn, error) { return dial(l.Addr().String()) }, began, 1500*time.Millisecond)
		})
	}
	clients.Wait()
	x.late.Wait()
	if err := errors.Join(srv.Close(), e.Close()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != http.ErrServerClosed {
		t.Errorf("Serve: %v", err)
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) { // invariant I4
		b, g := buf.InUse(), runtime.NumGoroutine()
		if b == blocks && g <= goroutines+5 {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("left behind: %d blocks, %d goroutines", b-blocks, g-goroutines)
			break
		}
	}
	if n := x.replies.Load(); n < fewest {
		t.Errorf("only %d replies were checked", n)
	} else {
		t.Logf("%d replies checked", n)
	}
}

// selfSigned makes a certificate for 127.0.0.1.
func selfSigned(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{{127, 0, 0, 1}}}
	der, err := x509.CreateCertificate(crand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
