package strand_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// identity makes a self-signed certificate for the names.
func identity(t testing.TB, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{{127, 0, 0, 1}},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func poolOf(certs ...tls.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c.Leaf)
	}
	return pool
}

// The types of records and the messages that the tests make by hand.
const (
	recordCCS       = 20
	recordAlert     = 21
	recordHandshake = 22
	recordData      = 23
)

var (
	keyUpdate          = []byte{24, 0, 0, 1, 0}
	keyUpdateRequested = []byte{24, 0, 0, 1, 1}
	closeNotify        = []byte{1, 0}
)

// half is one direction of a TLS 1.3 connection with AES-128-GCM.
type half struct {
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

func newHalf(secret []byte) *half {
	h := &half{secret: secret, iv: expandLabel(secret, "iv", 12)}
	block, err := aes.NewCipher(expandLabel(secret, "key", 16))
	if err != nil {
		panic(err)
	}
	if h.aead, err = cipher.NewGCM(block); err != nil {
		panic(err)
	}
	return h
}

// next returns the half behind a KeyUpdate.
func (h *half) next() *half { return newHalf(expandLabel(h.secret, "traffic upd", len(h.secret))) }

func (h *half) nonce() []byte {
	n := bytes.Clone(h.iv)
	var seq [8]byte
	binary.BigEndian.PutUint64(seq[:], h.seq)
	for i, b := range seq {
		n[4+i] ^= b
	}
	h.seq++
	return n
}

// seal makes one record.
func (h *half) seal(typ byte, data []byte) []byte {
	n := len(data) + 1 + h.aead.Overhead()
	rec := []byte{recordData, 3, 3, byte(n >> 8), byte(n)}
	return h.aead.Seal(rec, h.nonce(), append(bytes.Clone(data), typ), rec)
}

// open reads one record.
func (h *half) open(r io.Reader) (typ byte, data []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	body := make([]byte, int(head[3])<<8|int(head[4]))
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, err
	}
	if head[0] != recordData {
		return head[0], body, nil
	}
	plain, err := h.aead.Open(nil, h.nonce(), body, head[:])
	if err != nil {
		return 0, nil, err
	}
	plain = bytes.TrimRight(plain, "\x00")
	if len(plain) == 0 {
		return 0, nil, errors.New("record without a type")
	}
	return plain[len(plain)-1], plain[:len(plain)-1], nil
}

func expandLabel(secret []byte, label string, n int) []byte {
	label = "tls13 " + label
	info := append([]byte{byte(n >> 8), byte(n), byte(len(label))}, label...)
	out, err := hkdf.Expand(sha256.New, secret, string(append(info, 0)), n)
	if err != nil {
		panic(err)
	}
	return out
}

// handmade is a TLS 1.3 peer that makes its records itself, as no proper client
// would.
type handmade struct {
	nc      net.Conn
	in, out *half
}

// shakeHands has crypto/tls make the handshake and takes its keys. The server
// must not send tickets.
func shakeHands(nc net.Conn) (*handmade, error) {
	var log keyLog
	tc := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, KeyLogWriter: &log}) // the test's own certificate
	if err := tc.Handshake(); err != nil {
		return nil, err
	}
	if s := tc.ConnectionState().CipherSuite; s != tls.TLS_AES_128_GCM_SHA256 {
		return nil, fmt.Errorf("the handmade peer knows AES-128-GCM only, not %s", tls.CipherSuiteName(s))
	}
	return &handmade{nc: nc, in: newHalf(log.secret("SERVER_TRAFFIC_SECRET_0")), out: newHalf(log.secret("CLIENT_TRAFFIC_SECRET_0"))}, nil
}

// send sends one record.
func (p *handmade) send(typ byte, data []byte) error {
	_, err := p.nc.Write(p.out.seal(typ, data))
	return err
}

// read returns the next data; an alert is an error, and KeyUpdates are followed.
func (p *handmade) read() ([]byte, error) {
	for {
		typ, data, err := p.in.open(p.nc)
		switch {
		case err != nil:
			return nil, err
		case typ == recordAlert:
			return nil, alertError(data[1])
		case typ == recordHandshake && bytes.Equal(data, keyUpdate):
			p.in = p.in.next()
		case typ == recordData:
			return data, nil
		}
	}
}

// alertError is an alert the peer sent.
type alertError byte

func (a alertError) Error() string { return fmt.Sprintf("alert %d", byte(a)) }

// The alerts that the tests expect.
const (
	alertUnexpectedMessage alertError = 10
	alertBadRecordMAC      alertError = 20
	alertRecordOverflow    alertError = 22
)

// keyLog collects what Config.KeyLogWriter is told.
type keyLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *keyLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *keyLog) secret(label string) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == label {
			b, err := hex.DecodeString(f[2])
			if err != nil {
				panic(err)
			}
			return b
		}
	}
	panic("no " + label)
}
