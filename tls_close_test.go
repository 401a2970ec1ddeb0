package strand_test

import (
	"bufio"
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/http1"
	"github.com/d74363f0/strand/websocket"
)

// ending tells when a WebSocket begins and ends.
type ending struct {
	open chan *websocket.Conn
	end  chan error
}

func (h *ending) OnOpen(c *websocket.Conn)                                 { h.open <- c }
func (h *ending) OnMessage(*websocket.Conn, websocket.MessageType, []byte) {}
func (h *ending) OnClose(_ *websocket.Conn, err error)                     { h.end <- err }

// A peer that does not answer a WebSocket's close frame, and has the TLS layer answer it again and again, does not
// put the end off: what is sent behind the close frame does not count.
func TestCloseBesideKeyUpdates(t *testing.T) { // hazards 97, 120
	const limit = 400 * time.Millisecond
	e := newEngine(t, strand.Options{})
	h := &ending{make(chan *websocket.Conn, 1), make(chan error, 1)}
	s := &http1.Server{Engine: e, TLSConfig: serverConfig(t), ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if _, err := websocket.Accept(w, r, h, &websocket.Options{CloseTimeout: limit}); err != nil {
				t.Error(err)
			}
		})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.ServeTLS(l, "", "") }()
	defer s.Close()
	nc := dial(t, l.Addr())
	p, err := shakeHands(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.send(recordData, []byte("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	b, err := p.read()
	if err != nil {
		t.Fatal(err)
	}
	if res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil); err != nil || res.StatusCode != 101 {
		t.Fatal(res, err)
	}
	c := <-h.open
	go func() { _, _ = io.Copy(io.Discard, nc) }()
	// The beginning of a long message, whose bytes then come one at a time.
	if err := p.send(recordData, []byte("\x82\xff\x00\x00\x00\x00\x00\x0f\xff\xff\x00\x00\x00\x00")); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; time.Sleep(limit / 8) {
		select {
		case <-h.end:
			return
		default:
		}
		if time.Since(began) > 50*limit {
			t.Fatalf("still open %v after Close", time.Since(began))
		}
		out := p.out.seal(recordHandshake, keyUpdateRequested)
		p.out = p.out.next()
		_, _ = nc.Write(append(out, p.out.seal(recordData, []byte("x"))...)) // until it ends
	}
}
