package http2_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/http1"
	"github.com/d74363f0/strand/http2"
)

func identity(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{{127, 0, 0, 1}}}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// echo answers with what it was asked, and how.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("X-Proto", r.Proto)
	w.Header().Set("X-Secure", fmt.Sprint(r.TLS != nil))
	_, _ = w.Write(body)
}

// serve runs a server on a port of its own, with the fields that set sets, and returns it with its address.
func serve(t *testing.T, o *http2.Options, secure bool, h http.HandlerFunc, set ...func(*http1.Server)) (*http1.Server, string) {
	t.Helper()
	e, err := strand.New(strand.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &http1.Server{Engine: e, Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	if secure {
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{identity(t)}}
	}
	for _, f := range set {
		f(s)
	}
	if err := http2.Configure(s, o); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		if secure {
			done <- s.ServeTLS(l, "", "")
			return
		}
		done <- s.Serve(l)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; err != http.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
		_ = e.Close()
	})
	return s, l.Addr().String()
}

// client returns a client of one protocol.
func client(t *testing.T, set func(*http.Protocols)) *http.Client {
	t.Helper()
	p := new(http.Protocols)
	set(p)
	tr := &http.Transport{Protocols: p, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true} // the test's own certificate
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

func TestProtocols(t *testing.T) {
	_, secure := serve(t, nil, true, echo)
	_, clear := serve(t, &http2.Options{Unencrypted: true}, false, echo)
	_, only1 := serve(t, nil, false, echo)
	for _, tt := range []struct {
		name, url string
		set       func(*http.Protocols)
		want      string // "" for an error
	}{
		{"h2", "https://" + secure, func(p *http.Protocols) { p.SetHTTP2(true) }, "HTTP/2.0 true"},
		{"http/1.1 over TLS", "https://" + secure, func(p *http.Protocols) { p.SetHTTP1(true) }, "HTTP/1.1 true"},
		{"h2c", "http://" + clear, func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }, "HTTP/2.0 false"},
		{"http/1.1", "http://" + clear, func(p *http.Protocols) { p.SetHTTP1(true) }, "HTTP/1.1 false"},
		{"h2c not offered", "http://" + only1, func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := client(t, tt.set)
			var wg sync.WaitGroup
			for i := range 50 {
				wg.Go(func() {
					want := bytes.Repeat([]byte{byte('a' + i%26)}, 1+i*3000)
					res, err := c.Post(tt.url, "text/plain", bytes.NewReader(want))
					if tt.want == "" {
						if err == nil {
							t.Error("no error")
						}
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					defer res.Body.Close()
					got, err := io.ReadAll(res.Body)
					how := res.Header.Get("X-Proto") + " " + res.Header.Get("X-Secure")
					if err != nil || !bytes.Equal(got, want) || how != tt.want {
						t.Errorf("%d of %d bytes, %s, %v", len(got), len(want), how, err)
					}
				})
			}
			wg.Wait()
		})
	}
}

// Shutdown lets streams finish and then ends their connections.
func TestShutdown(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s, addr := serve(t, nil, true, func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "done")
	})
	answer := make(chan string, 1)
	c := client(t, func(p *http.Protocols) { p.SetHTTP2(true) })
	go func() {
		res, err := c.Get("https://" + addr)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		answer <- string(b)
	}()
	<-entered
	over := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	go func() { over <- s.Shutdown(ctx) }()
	select {
	case err := <-over:
		t.Fatalf("Shutdown did not wait: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	close(release)
	if got := <-answer; got != "done" {
		t.Errorf("the answer is %q", got)
	}
	if err := <-over; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestConfigureKeepsTheCallersConfig(t *testing.T) {
	mine := &tls.Config{NextProtos: []string{"x", "h2", "http/1.1"}}
	s := &http1.Server{TLSConfig: mine}
	if err := http2.Configure(s, nil); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(mine.NextProtos, " "); got != "x h2 http/1.1" {
		t.Errorf("the caller's: %s", got)
	}
	if got := strings.Join(s.TLSConfig.NextProtos, " "); got != "h2 x http/1.1" {
		t.Errorf("the server's: %s", got)
	}
	bad := &http1.Server{TLSConfig: &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}}
	if err := http2.Configure(bad, nil); err == nil {
		t.Error("prohibited cipher suites: no error")
	}
}
