package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/d74363f0/strand/http2"
)

// selfSignedFor is how long a certificate made at start is good.
const selfSignedFor = 30 * 24 * time.Hour

// startTLS serves the same on -tls-addr, with HTTP/2 for who wants it. The certificate is that of -cert and -key, or
// one made now, which no client trusts: its fingerprint is printed so that a person can compare.
func (s *site) startTLS() error {
	if s.config.tlsAddr == "" {
		return nil
	}
	cert, err := s.config.certificate()
	if err != nil {
		return err
	}
	s.fingerprint = fingerprint(cert)
	s.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	if err := http2.Configure(s.server, nil); err != nil {
		return err
	}
	l, err := listen("-tls-addr", s.config.tlsAddr)
	if err != nil {
		return err
	}
	s.tlsAddr = l.Addr()
	go func() { // ends as the plain one does
		if err := s.server.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	}()
	return nil
}

func (c config) certificate() (tls.Certificate, error) {
	if c.certFile != "" {
		return loadPair(c.certFile, c.keyFile)
	}
	host, _, err := net.SplitHostPort(c.tlsAddr)
	if err != nil {
		return tls.Certificate{}, err
	}
	return selfSigned(host)
}

// loadPair is tls.LoadX509KeyPair with errors that name the flag.
func loadPair(certFile, keyFile string) (tls.Certificate, error) {
	chain, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("-cert: %w", err)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("-key: %w", err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("-cert %s, -key %s: %w", certFile, keyFile, err)
	}
	return pair, nil
}

// selfSigned makes a certificate for this machine and, if it is a name or an address, host.
func selfSigned(host string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, err
	}
	template := x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "strand serve"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(selfSignedFor),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = append(template.IPAddresses, ip)
	} else if host != "" {
		template.DNSNames = append(template.DNSNames, host)
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// fingerprint is what browsers and openssl x509 -fingerprint -sha256 show.
func fingerprint(cert tls.Certificate) string {
	sum := sha256.Sum256(cert.Certificate[0])
	return strings.ReplaceAll(strings.ToUpper(fmt.Sprintf("% x", sum)), " ", ":")
}
