package http1

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// serveTLS runs a server with TLS and returns its address.
func serveTLS(t *testing.T, s *Server) string {
	t.Helper()
	e, err := strand.New(strand.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Engine = e
	if s.ErrorLog == nil {
		s.ErrorLog = log.New(io.Discard, "", 0)
	}
	done := make(chan error, 1)
	go func() { done <- s.ServeTLS(l, "", "") }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; err != http.ErrServerClosed {
			t.Errorf("ServeTLS: %v", err)
		}
		_ = e.Close()
	})
	return l.Addr().String()
}

// ask sends one request on a connection of its own.
func ask(config *tls.Config, addr string) (string, error) {
	tr := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	res, err := (&http.Client{Transport: tr, Timeout: 20 * time.Second}).Get("https://" + addr)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

// Certificates of clients are asked for, checked, and shown to handlers as net/http shows them.
func TestClientCertificates(t *testing.T) {
	server, client, stranger := selfSigned(t), selfSigned(t), selfSigned(t)
	pool := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(client.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(leaf)
	addr := serveTLS(t, &Server{
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := r.TLS
			fmt.Fprintln(w, s.HandshakeComplete, s.Version == tls.VersionTLS13, s.NegotiatedProtocol, s.ServerName,
				len(s.PeerCertificates) == 1 && s.PeerCertificates[0].Equal(leaf), len(s.VerifiedChains))
		}),
	})
	config := func(certs ...tls.Certificate) *tls.Config {
		return &tls.Config{InsecureSkipVerify: true, ServerName: "some.name", Certificates: certs, NextProtos: []string{"http/1.1"}}
	}
	if got, err := ask(config(client), addr); err != nil || got != "true true http/1.1 some.name true 1\n" {
		t.Errorf("%q, %v", got, err)
	}
	for name, c := range map[string]*tls.Config{"none": config(), "a stranger's": config(stranger)} {
		if got, err := ask(c, addr); err == nil {
			t.Errorf("%s: let in: %q", name, got)
		}
	}
}

// A certificate is replaced while the server runs; connections that are open keep theirs.
func TestCertificateReplaced(t *testing.T) {
	certs := [2]tls.Certificate{selfSigned(t), selfSigned(t)}
	var now atomic.Int32
	addr := serveTLS(t, &Server{
		TLSConfig: &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certs[now.Load()], nil }},
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") }),
	})
	dial := func() (*tls.Conn, string) {
		c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c, string(c.ConnectionState().PeerCertificates[0].Raw)
	}
	first, was := dial()
	now.Store(1)
	_, is := dial()
	if was != string(certs[0].Certificate[0]) || is != string(certs[1].Certificate[0]) {
		t.Error("not the certificates of their times")
	}
	_, _ = io.WriteString(first, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(first), nil); err != nil || res.StatusCode != 200 {
		t.Errorf("the first connection: %v", err)
	}
}

func TestInsecureAllowPlain(t *testing.T) {
	addr := serveTLS(t, &Server{
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}, InsecureAllowPlain: true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.TLS != nil) }),
	})
	if got, err := ask(&tls.Config{InsecureSkipVerify: true}, addr); err != nil || got != "true" {
		t.Errorf("https: %q, %v", got, err)
	}
	res, err := http.Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || string(b) != "false" {
		t.Errorf("http: %q, %v", b, err)
	}
}

// Hijack over TLS gives a net.Conn that encrypts, with what came behind the request.
func TestHijackOverTLS(t *testing.T) {
	addr := serveTLS(t, &Server{
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			go func() {
				defer c.Close()
				line, err := rw.ReadString('\n')
				if s, ok := c.(interface{ ConnectionState() tls.ConnectionState }); err != nil || !ok || !s.ConnectionState().HandshakeComplete {
					t.Errorf("%q, %v, a ConnectionState: %v", line, err, ok)
				}
				_, _ = io.WriteString(c, strings.ToUpper(line))
			}()
		}),
	})
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\nbeh")
	time.Sleep(10 * time.Millisecond) // another record
	_, _ = io.WriteString(c, "ind\n")
	if got, err := io.ReadAll(c); err != nil || string(got) != "BEHIND\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// A protocol of TLSNextProto has the connection; Close ends it with the others.
func TestTLSNextProto(t *testing.T) {
	served := make(chan bool, 1)
	s := &Server{TLSConfig: &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}, NextProtos: []string{"shout"}}}
	s.TLSNextProto = map[string]func(*Server, net.Conn, http.Handler){"shout": func(_ *Server, c net.Conn, h http.Handler) {
		defer close(served)
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(c, strings.ToUpper(line))
		if n, err := c.Read(make([]byte, 1)); err == nil {
			t.Errorf("%d bytes behind the end", n)
		}
	}}
	addr := serveTLS(t, s)
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"shout", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "hello\n")
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != "HELLO\n" {
		t.Errorf("%q, %v", line, err)
	}
	if n := s.nconns.Load(); n != 1 {
		t.Errorf("%d connections counted", n)
	}
	_ = s.Close()
	<-served
}
