package http2_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/d74363f0/strand/http1"
	"github.com/d74363f0/strand/http2"
	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// memory is an autocert.Cache.
type memory map[string][]byte

func (m memory) Get(_ context.Context, key string) ([]byte, error) {
	if b, ok := m[key]; ok {
		return b, nil
	}
	return nil, autocert.ErrCacheMiss
}

func (m memory) Put(context.Context, string, []byte) error { return nil }
func (m memory) Delete(context.Context, string) error      { return nil }

// issued makes what autocert keeps of a certificate it has got for name.
func issued(t *testing.T, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour), DNSNames: []string{name}}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	_ = pem.Encode(&b, &pem.Block{Type: "EC PRIVATE KEY", Bytes: private}) // a Buffer takes all
	_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	return b.Bytes()
}

// An autocert.Manager is put in as into net/http. Its certificates come from its cache here: no network.
func TestAutocert(t *testing.T) {
	m := &autocert.Manager{
		Prompt: autocert.AcceptTOS, HostPolicy: autocert.HostWhitelist("one.test", "two.test"),
		Cache:  memory{"one.test": issued(t, "one.test"), "two.test": issued(t, "two.test")},
		Client: &acme.Client{DirectoryURL: "http://127.0.0.1:1"}, // nobody is there
	}
	s := &http1.Server{TLSConfig: m.TLSConfig(), ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.TLS.ServerName)
	})}
	if err := http2.Configure(s, nil); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.ServeTLS(l, "", "") }()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	for name, ok := range map[string]bool{"one.test": true, "two.test": true, "three.test": false} {
		for _, h2 := range []bool{false, true} {
			tr := &http.Transport{ForceAttemptHTTP2: h2, DisableKeepAlives: true, TLSClientConfig: &tls.Config{
				InsecureSkipVerify: true, ServerName: name,
				VerifyConnection: func(s tls.ConnectionState) error { return s.PeerCertificates[0].VerifyHostname(name) },
			}}
			res, err := (&http.Client{Transport: tr, Timeout: 20 * time.Second}).Get("https://" + l.Addr().String())
			if !ok {
				if err == nil {
					t.Errorf("%s: served", name)
					_ = res.Body.Close()
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			got, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || string(got) != name || (res.ProtoMajor == 2) != h2 {
				t.Errorf("%s: %q by %s, %v", name, got, res.Proto, err)
			}
		}
	}
}
