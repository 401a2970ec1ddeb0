package http1

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// serveForeign runs a server on a listener that does TLS itself and returns its address.
func serveForeign(t *testing.T, s *Server, config *tls.Config) string {
	t.Helper()
	return serveForeignOn(t, s, config, func(l net.Listener) net.Listener { return l })
}

// serveForeignOn is serveForeign with something between TLS and TCP.
func serveForeignOn(t *testing.T, s *Server, config *tls.Config, between func(net.Listener) net.Listener) string {
	t.Helper()
	e, err := strand.New(strand.Options{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if config.GetCertificate == nil {
		config.Certificates = []tls.Certificate{selfSigned(t)}
	}
	s.Engine = e
	if s.ErrorLog == nil {
		s.ErrorLog = log.New(io.Discard, "", 0)
	}
	if s.Handler == nil {
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello") })
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(tls.NewListener(between(l), config)) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; err != http.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
		_ = e.Close()
	})
	return l.Addr().String()
}

// dialRaw connects and says nothing.
func dialRaw(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// ended fails the test if the peer does not close c.
func ended(t *testing.T, c net.Conn, when string) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%s: %d bytes, %v; want the end", when, n, err)
	}
}

// getOver does the handshake on c and a request, and returns the response.
func getOver(t *testing.T, c net.Conn, name string) *http.Response {
	t.Helper()
	tc := tls.Client(c, &tls.Config{InsecureSkipVerify: true, ServerName: name})
	_, _ = io.WriteString(tc, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(tc), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(res.Body); err != nil || string(b) != "hello" {
		t.Fatalf("%q, %v", b, err)
	}
	return res
}

// waitCounted waits until n connections are counted, and by their addresses, too, if that is limited.
func waitCounted(t *testing.T, s *Server, n int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		total, byIP := int(s.nconns.Load()), 0
		for _, k := range s.perIP {
			byIP += k
		}
		s.mu.Unlock()
		if total == n && (s.MaxConnsPerIP == 0 || byIP == n) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d connections are counted, %d by address; want %d", total, byIP, n)
		}
	}
}

// began changes when the handshakes in progress began.
func (s *Server) began(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for hs := range s.shaking {
		hs.began += uint32(int64(by / time.Second))
	}
}

// A panic, or Goexit, in a callback of a foreign listener's tls.Config ends its connection, which gives its place up.
func TestPanicInForeignHandshake(t *testing.T) {
	cert := selfSigned(t)
	out := &lockedBuffer{}
	s := &Server{MaxConns: 1, MaxConnsPerIP: 1, ErrorLog: log.New(out, "", 0)}
	addr := serveForeign(t, s, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		switch hello.ServerName {
		case "panic":
			panic("from GetCertificate")
		case "abort":
			panic(http.ErrAbortHandler)
		case "goexit":
			runtime.Goexit()
		}
		return &cert, nil
	}})
	for _, name := range []string{"abort", "goexit", "panic"} {
		if logged := out.String(); logged != "" {
			t.Errorf("before %s: %q is in the log", name, logged)
		}
		c := dialRaw(t, addr)
		err := tls.Client(c, &tls.Config{InsecureSkipVerify: true, ServerName: name}).Handshake()
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the handshake: %v", name, err)
		}
		waitCounted(t, s, 0)
	}
	if logged := out.String(); !strings.Contains(logged, "panic serving 127.0.0.1") || !strings.Contains(logged, "from GetCertificate") {
		t.Errorf("the log: %q", logged)
	}
	getOver(t, dialRaw(t, addr), "good")
}

// A panic, or Goexit, in a function of TLSNextProto ends its connection.
func TestPanicInTLSNextProto(t *testing.T) {
	out := &lockedBuffer{}
	s := &Server{MaxConnsPerIP: 1, ErrorLog: log.New(out, "", 0)}
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}, NextProtos: []string{"abort", "goexit", "panic"}}
	s.TLSNextProto = map[string]func(*Server, net.Conn, http.Handler){
		"abort":  func(*Server, net.Conn, http.Handler) { panic(http.ErrAbortHandler) },
		"goexit": func(*Server, net.Conn, http.Handler) { runtime.Goexit() },
		"panic":  func(*Server, net.Conn, http.Handler) { panic("from TLSNextProto") },
	}
	addr := serveTLS(t, s)
	for _, proto := range s.TLSConfig.NextProtos {
		if logged := out.String(); logged != "" {
			t.Errorf("before %s: %q is in the log", proto, logged)
		}
		c := tls.Client(dialRaw(t, addr), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{proto}})
		ended(t, c, proto)
		waitCounted(t, s, 0)
	}
	if logged := out.String(); !strings.Contains(logged, "panic serving 127.0.0.1") || !strings.Contains(logged, "from TLSNextProto") {
		t.Errorf("the log: %q", logged)
	}
}

// Close closes connections that are in a foreign listener's handshake, whoever the handshake waits for.
func TestCloseInForeignHandshake(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	s := &Server{MaxConnsPerIP: 10}
	addr := serveForeign(t, s, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		close(asked)
		<-answer
		return nil, errors.New("too late")
	}})
	defer close(answer)
	silent, waiting := dialRaw(t, addr), dialRaw(t, addr)
	failed := make(chan error, 1)
	go func() { failed <- tls.Client(waiting, &tls.Config{InsecureSkipVerify: true}).Handshake() }()
	select {
	case <-asked:
	case err := <-failed:
		t.Fatal(err)
	}
	waitCounted(t, s, 2)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	ended(t, silent, "a client that says nothing")
	if err := <-failed; err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a client that waits for the callback: %v", err)
	}
	waitCounted(t, s, 0)
}

// Shutdown lets a handshake that has just begun go on to its request, and closes those that take long.
func TestShutdownInForeignHandshake(t *testing.T) {
	s := &Server{MaxConnsPerIP: 10}
	addr := serveForeign(t, s, &tls.Config{})
	old := dialRaw(t, addr)
	waitCounted(t, s, 1)
	s.began(-time.Hour)
	young := dialRaw(t, addr)
	waitCounted(t, s, 2)
	s.began(30 * time.Minute) // one began half an hour ago, the other will in half an hour, however slow this machine is
	s.dropHandshakes(time.Hour)
	waitCounted(t, s, 2)
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	ended(t, old, "a handshake that takes long")
	waitCounted(t, s, 1)
	if res := getOver(t, young, "h"); !res.Close {
		t.Error("the connection is kept")
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	waitCounted(t, s, 0)
}

// MaxConns and MaxConnsPerIP count a foreign connection once, from before its handshake to its end.
func TestLimitsCountForeignHandshakes(t *testing.T) {
	for name, s := range map[string]*Server{
		"MaxConns":      {MaxConns: 2},
		"MaxConnsPerIP": {MaxConnsPerIP: 2, ConnState: func(net.Conn, http.ConnState) {}},
	} {
		t.Run(name, func(t *testing.T) {
			addr := serveForeign(t, s, &tls.Config{})
			a, b := dialRaw(t, addr), dialRaw(t, addr)
			waitCounted(t, s, 2)
			ended(t, dialRaw(t, addr), "a third in their handshakes")
			s.began(-time.Hour)
			getOver(t, a, "h")
			for _, hc := range s.snapshot() {
				if time.Since(time.Unix(int64(hc.opened), 0)) < 30*time.Minute {
					t.Error("the connection is younger than its handshake")
				}
			}
			waitCounted(t, s, 2)
			ended(t, dialRaw(t, addr), "a third when one is served")
			_, _ = io.WriteString(b, "no TLS at all")
			_, _ = io.Copy(io.Discard, b)
			waitCounted(t, s, 1)
			b = dialRaw(t, addr)
			getOver(t, b, "h")
			waitCounted(t, s, 2)
			_, _ = a.Close(), b.Close()
			waitCounted(t, s, 0)
		})
	}
}

// A connection that the engine refuses behind its handshake is not counted any more.
func TestEngineRefusesAfterForeignHandshake(t *testing.T) {
	s := &Server{MaxConnsPerIP: 10}
	addr := serveForeign(t, s, &tls.Config{})
	c := dialRaw(t, addr)
	waitCounted(t, s, 1)
	if err := s.Engine.Close(); err != nil {
		t.Fatal(err)
	}
	ended(t, tls.Client(c, &tls.Config{InsecureSkipVerify: true}), "after the handshake")
	waitCounted(t, s, 0)
}

// droppedConn is a foreign connection whose handshake is dropped when it is over, before the engine has the
// connection; the Close of that comes to nothing.
type droppedConn struct {
	net.Conn
	s       *Server
	dropped bool
}

func (c *droppedConn) SetDeadline(by time.Time) error {
	if by.IsZero() {
		c.dropped = true
		c.s.dropHandshakes(0)
		c.dropped = false
	}
	return c.Conn.SetDeadline(by)
}

func (c *droppedConn) Close() error {
	if c.dropped {
		return nil
	}
	return c.Conn.Close()
}

type droppedListener struct {
	net.Listener
	s *Server
}

func (l droppedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &droppedConn{Conn: c, s: l.s}, err
}

// A handshake that Close drops when it is just over is not served, nor counted, whatever became of the Close.
func TestForeignHandshakeDroppedAtItsEnd(t *testing.T) {
	s := &Server{MaxConnsPerIP: 10}
	addr := serveForeignOn(t, s, &tls.Config{}, func(l net.Listener) net.Listener { return droppedListener{l, s} })
	c := tls.Client(dialRaw(t, addr), &tls.Config{InsecureSkipVerify: true})
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	ended(t, c, "dropped")
	waitCounted(t, s, 0)
}
