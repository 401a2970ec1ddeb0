package http1_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// stdIdentity makes one certificate for 127.0.0.1 for all tests.
var stdIdentity = sync.OnceValues(func() (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"example.com"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
})

// stdServeTLS serves cfg over TLS and returns the address.
func stdServeTLS(t testing.TB, cfg *stdServer, certFile, keyFile string) (addr string, stop func()) {
	t.Helper()
	if cfg.ErrorLog == nil {
		cfg.ErrorLog = log.New(io.Discard, "", 0)
	}
	ln := stdListen(t)
	srv := stdPeerOf(cfg)
	served := make(chan error, 1)
	go func() { served <- srv.ServeTLS(ln, certFile, keyFile) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			srv.Close()
			ln.Close()
			select {
			case err := <-served:
				if !errors.Is(err, http.ErrServerClosed) {
					t.Errorf("ServeTLS: %v", err)
				}
			case <-time.After(stdPatience):
				t.Errorf("ServeTLS has not returned %v after Close", stdPatience)
			}
		})
	}
	t.Cleanup(stop)
	return ln.Addr().String(), stop
}

func stdTLSClient(t testing.TB) *http.Client {
	_, pool := stdIdentity()
	c := stdClient(t)
	c.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool}
	return c
}

func stdTLSInfo(w http.ResponseWriter, r *http.Request) {
	if r.TLS == nil {
		io.WriteString(w, "no TLS")
		return
	}
	fmt.Fprint(w, r.TLS.HandshakeComplete, " ", r.Proto)
}

func TestStdTLS(t *testing.T) {
	t.Parallel()
	cert, _ := stdIdentity()
	for name, conf := range map[string]*tls.Config{
		"Certificates": {Certificates: []tls.Certificate{cert}},
		"GetCertificate": {GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return &cert, nil
		}},
		"GetConfigForClient": {GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return &tls.Config{Certificates: []tls.Certificate{cert}}, nil
		}},
	} {
		addr, _ := stdServeTLS(t, &stdServer{TLSConfig: conf, Handler: http.HandlerFunc(stdTLSInfo)}, "", "")
		// A client that does not shake hands must not hold up the next one.
		silent := stdDial(t, addr)
		got := stdDo(t, stdTLSClient(t), stdRequest(t, "GET", "https://"+addr, nil))
		if got.body != "true HTTP/1.1" {
			t.Errorf("%s: %q", name, got.body)
		}
		silent.c.Close()
	}
}

func TestStdTLSFiles(t *testing.T) {
	t.Parallel()
	cert, _ := stdIdentity()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "cert"), filepath.Join(dir, "key")}
	for i, b := range []*pem.Block{{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}, {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(files[i], pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	addr, _ := stdServeTLS(t, &stdServer{Handler: http.HandlerFunc(stdTLSInfo)}, files[0], files[1])
	got := stdDo(t, stdTLSClient(t), stdRequest(t, "GET", "https://"+addr, nil))
	if got.body != "true HTTP/1.1" {
		t.Errorf("%q", got.body)
	}
	srv := stdPeerOf(&stdServer{Addr: "127.0.0.1:0"})
	if err := srv.ListenAndServeTLS(filepath.Join(dir, "missing"), files[1]); err == nil {
		t.Error("serving without a certificate succeeded")
	}
}

func TestStdTLSNextProtos(t *testing.T) {
	t.Parallel()
	cert, pool := stdIdentity()
	want := []string{"http/1.1", "other"}
	protos := slices.Clone(want)
	addr, _ := stdServeTLS(t, &stdServer{TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: protos},
		Handler: http.HandlerFunc(stdTLSInfo)}, "", "")
	c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
		t.Errorf("negotiated %q", got)
	}
	if !slices.Equal(protos, want) {
		t.Errorf("the caller's NextProtos became %q", protos)
	}
}

func TestStdTLSHandshakeTimeout(t *testing.T) {
	t.Parallel()
	cert, _ := stdIdentity()
	const d = 100 * time.Millisecond
	for name, cfg := range map[string]*stdServer{
		"ReadTimeout":       {ReadTimeout: d},
		"ReadHeaderTimeout": {ReadHeaderTimeout: d, ReadTimeout: stdPatience},
		"WriteTimeout":      {WriteTimeout: d, ReadTimeout: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log stdLog
			cfg.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
			cfg.ErrorLog = log.logger()
			addr, _ := stdServeTLS(t, cfg, "", "")
			stdDial(t, addr).wantClosed() // hazard 77
			stdEventually(t, "the handshake's end in the log", func() bool {
				return strings.Contains(log.String(), "TLS handshake")
			})
		})
	}
}

func TestStdTLSPlainRequest(t *testing.T) {
	t.Parallel()
	cert, _ := stdIdentity()
	addr, _ := stdServeTLS(t, &stdServer{ErrorLog: new(stdLog).logger(),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}},
		Handler:   http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") })}, "", "")
	w := stdDial(t, addr)
	w.send("GET / HTTP/1.1\r\nHost: foo\r\n\r\n")
	if got := w.rest(); !strings.HasPrefix(got, "HTTP/1.0 400 Bad Request\r\n") && !strings.HasPrefix(got, "HTTP/1.1 400 Bad Request\r\n") {
		t.Errorf("%q; want a 400 that says what happened", got)
	}
}

// stdFakeTLS is a connection of a TLS terminator that is not crypto/tls.
type stdFakeTLS struct{ net.Conn }

func (stdFakeTLS) ConnectionState() tls.ConnectionState {
	return tls.ConnectionState{ServerName: "example.com"}
}

func TestStdTLSOfAnotherKind(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	defer client.Close()
	srv := stdPeerOf(&stdServer{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil {
			io.WriteString(w, r.TLS.ServerName)
		}
	})})
	defer srv.Close()
	srv.Serve(&stdOneConn{conn: stdFakeTLS{server}})
	client.SetDeadline(time.Now().Add(stdPatience))
	go io.WriteString(client, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if got, _ := io.ReadAll(client); !strings.HasSuffix(string(got), "\r\n\r\nexample.com") {
		t.Errorf("%q; want the name from the connection's TLS state", got)
	}
}

func TestStdTLSListener(t *testing.T) {
	t.Parallel()
	cert, _ := stdIdentity()
	ln := stdListen(t)
	stdServe(t, &stdServer{Handler: http.HandlerFunc(stdTLSInfo)},
		tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}}))
	got := stdDo(t, stdTLSClient(t), stdRequest(t, "GET", "https://"+ln.Addr().String(), nil))
	if got.body != "true HTTP/1.1" {
		t.Errorf("%q", got.body)
	}
}

func TestStdListenAndServeTLS(t *testing.T) {
	t.Parallel()
	cert, _ := stdIdentity()
	addrs := make(chan string, 1)
	srv := stdPeerOf(&stdServer{Addr: "127.0.0.1:0", Handler: http.HandlerFunc(stdTLSInfo),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}},
		BaseContext: func(l net.Listener) context.Context {
			addrs <- l.Addr().String()
			return context.Background()
		}})
	served := make(chan error, 1)
	go func() { served <- srv.ListenAndServeTLS("", "") }()
	got := stdDo(t, stdTLSClient(t), stdRequest(t, "GET", "https://"+stdAwait(t, addrs, "the address"), nil))
	if got.body != "true HTTP/1.1" {
		t.Errorf("%q", got.body)
	}
	stdShutdown(t, srv)
	if err := stdAwait(t, served, "ListenAndServeTLS"); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("ListenAndServeTLS: %v; want ErrServerClosed", err)
	}
}
