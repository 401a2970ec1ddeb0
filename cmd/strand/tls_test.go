package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

var servingTLS = regexp.MustCompile(`serving https://(\S+) \(HTTP/1\.1 and HTTP/2; certificate SHA-256 (\S+)\)`)

func TestServeTLS(t *testing.T) {
	cert, err := selfSigned("localhost")
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePEM(t, certFile, "CERTIFICATE", cert.Certificate[0])
	writePEM(t, keyFile, "PRIVATE KEY", key)
	for name, flags := range map[string][]string{
		"certificate made at start": nil,
		"certificate from files":    {"-cert", certFile, "-key", keyFile},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, append([]string{"-tls-addr", "127.0.0.1:0"}, flags...)...)
			addr, want := p.secureAddr(t)
			for proto, next := range map[string]string{"HTTP/1.1": "http/1.1", "HTTP/2.0": "h2"} {
				var seen string
				tr := &http.Transport{ForceAttemptHTTP2: next == "h2", TLSClientConfig: &tls.Config{
					InsecureSkipVerify: true, // the fingerprint is compared instead
					VerifyConnection: func(s tls.ConnectionState) error {
						seen = fingerprint(tls.Certificate{Certificate: [][]byte{s.PeerCertificates[0].Raw}})
						return nil
					},
				}}
				defer tr.CloseIdleConnections()
				resp, err := (&http.Client{Transport: tr, Timeout: 20 * time.Second}).Get("https://" + addr + "/plaintext")
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || string(body) != "Hello, World!" || resp.Proto != proto || seen != want {
					t.Errorf("%q, %v, %s instead of %s, fingerprint %s instead of %s", body, err, resp.Proto, proto, seen, want)
				}
			}
		})
	}
}

func writePEM(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// secureAddr waits until the program says where it serves https, and with which certificate.
func (p *program) secureAddr(t *testing.T) (addr, fingerprint string) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if m := servingTLS.FindStringSubmatch(p.stdout.String()); m != nil {
			return m[1], m[2]
		}
		if time.Now().After(end) {
			t.Fatalf("strand serve does not say where it serves https:\n%s\n%s", p.stdout, p.stderr)
		}
	}
}
