package http1

import (
	"crypto/tls"
	"flag"
	"io"
	"net"
	"testing"
)

// overTLSFlag puts TLS between the tests and the server: what a test says to its port is encrypted on the way by a
// proxy, and the server serves TLS. Tests about TCP itself (resets, addresses, r.TLS) may differ then.
//
//	go test ./http1 -args -overtls
var overTLSFlag = flag.Bool("overtls", false, "put TLS between the tests and the server")

// ServeForTest is serveForTest for the tests outside the package.
var ServeForTest = serveForTest

// serveForTest returns what serves the connections of l.
func serveForTest(t testing.TB, l net.Listener, config **tls.Config, plain, secure func(net.Listener) error) func() error {
	if _, ok := l.(*net.TCPListener); !ok || !*overTLSFlag || *config != nil {
		return func() error { return plain(l) }
	}
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	*config = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go encrypt(c.(*net.TCPConn), inner.Addr().String())
		}
	}()
	return func() error {
		defer l.Close()
		return secure(inner)
	}
}

// encrypt carries c to a TLS server, and its ends, too.
func encrypt(c *net.TCPConn, addr string) {
	defer c.Close()
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer raw.Close()
	s := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if _, err := io.Copy(s, c); err != nil {
			_ = raw.(*net.TCPConn).SetLinger(0)
			_ = raw.Close()
			return
		}
		_ = s.CloseWrite()
		_ = raw.(*net.TCPConn).CloseWrite()
	}()
	if _, err := io.Copy(c, s); err != nil {
		_ = c.SetLinger(0)
		return
	}
	_ = c.CloseWrite()
	<-sent
}
