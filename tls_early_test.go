package strand_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/d74363f0/strand"
)

// earlyConn sends junk right behind its first write, which is the ClientHello.
type earlyConn struct {
	net.Conn
	junk []byte
}

func (c *earlyConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(append(bytes.Clone(p), c.junk...))
	c.junk = nil
	return min(n, len(p)), err
}

// Early data that nobody offered, or that is garbage, never reaches a handler: the handshake fails, and the server
// goes on.
func TestEarlyDataGarbage(t *testing.T) { // hazard 126
	e := newEngine(t, strand.Options{})
	one := identity(t, "one")
	a := tlsServer(t, e, &tls.Config{Certificates: []tls.Certificate{one}}, nil, echoHandler)
	config := &tls.Config{RootCAs: poolOf(one), ServerName: "one"}
	for _, junk := range [][]byte{
		append([]byte{23, 3, 3, 0, 32}, bytes.Repeat([]byte{0x5a}, 32)...), // a record of application data
		append([]byte{23, 3, 3, 0x41, 0x00}, make([]byte, 0x4100)...),      // the longest, and all zero
		bytes.Repeat([]byte{0xff}, 1000),                                   // no record at all
	} {
		tc := tls.Client(&earlyConn{dial(t, a), junk}, config)
		if err := tc.Handshake(); err == nil {
			// TLS 1.3: the client is done before the server has read what it must refuse.
			_, _ = tc.Write([]byte("hello"))
			if p, err := io.ReadAll(tc); err == nil || len(p) != 0 {
				t.Errorf("junk % x…: got %q, %v", junk[:5], p, err)
			}
		}
		_ = tc.Close()
	}
	tc := tls.Client(dial(t, a), config)
	roundTrip(t, tc, "alive")
	_ = tc.Close()
}
