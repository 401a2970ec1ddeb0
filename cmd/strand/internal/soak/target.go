package soak

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"time"
)

// A Target is a server library under test: it can be started with a handler. The handler is hostile; the library has
// to keep its connections apart all the same.
type Target interface {
	// Start serves handler on a loopback port until stop is called, with TLS if tc is not nil. stats, which may be
	// nil, gives figures of the library by name; "blocks" is the number of pooled blocks in use.
	Start(handler http.Handler, tc *tls.Config) (url string, stop func(), stats func() map[string]float64, err error)
	// String is the target's name for the -target flag.
	String() string
}

// NetHTTP is the standard library's server as a Target, for comparison.
type NetHTTP struct{}

func (NetHTTP) String() string { return "nethttp" }

// Start implements Target.
func (NetHTTP) Start(handler http.Handler, tc *tls.Config) (string, func(), func() map[string]float64, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, nil, err
	}
	srv := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	srv.Protocols = new(http.Protocols)
	srv.Protocols.SetHTTP1(true)
	url := "http://" + ln.Addr().String()
	if tc != nil {
		ln = tls.NewListener(ln, tc)
		url = "https" + url[len("http"):]
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(ln) // returns when stop closes it
	}()
	stop := func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if srv.Shutdown(ctx) != nil {
			srv.Close()
		}
		<-done
	}
	return url, stop, nil, nil
}

// targets are the servers that can be named with -target, the default first.
var targets = []Target{Strand{}, NetHTTP{}}

// DefaultTarget is what a soak without URL runs against.
func DefaultTarget() Target { return targets[0] }

// certificate makes a certificate for the loopback names, good for a day, if one is wanted.
func certificate(wanted bool) (*tls.Config, error) {
	if !wanted {
		return nil, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "strand soak"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}, nil
}
