package interop

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/d74363f0/strand/http1"
	"github.com/d74363f0/strand/websocket"
)

// sizes are those of the messages that go to and fro, in bytes.
var sizes = []int{0, 1, 7, 125, 126, 127, 1000, 4096, 65535, 65536, 200_001, 1 << 20}

const maxMessage = 64 << 20

// payload is a message: text that compresses well, or bytes that do not.
func payload(n int, text bool) []byte {
	if text {
		return []byte(strings.Repeat("é", n/2) + strings.Repeat("x", n%2))
	}
	b := make([]byte, n)
	x := uint32(n + 1)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

// client is what a peer's client offers to the test.
type client interface {
	// exchange sends a message and returns the next that comes.
	exchange(text bool, msg []byte) (bool, []byte, error)
	// close ends the connection with 4321 and returns the code that comes back.
	close() (int, error)
}

// converse lets a client talk to an echo server.
func converse(t *testing.T, c client) {
	t.Helper()
	for _, n := range sizes {
		for _, text := range []bool{true, false} {
			msg := payload(n, text)
			gotText, got, err := c.exchange(text, bytes.Clone(msg))
			if err != nil {
				t.Fatalf("%d bytes: %v", n, err)
			}
			if gotText != text || !bytes.Equal(got, msg) {
				t.Fatalf("%d bytes came back as %d others", n, len(got))
			}
		}
	}
	if code, err := c.close(); err != nil || code != 4321 {
		t.Errorf("close: %d, %v", code, err)
	}
}

// compression returns the options of strand's side.
func compression(on bool) *websocket.Compression {
	if !on {
		return nil
	}
	return &websocket.Compression{Threshold: -1}
}

// echo is strand's echo handler, which also tells how the connection ended.
type echo struct{ closed chan error }

func (echo) OnOpen(*websocket.Conn) {}
func (echo) OnMessage(c *websocket.Conn, t websocket.MessageType, msg []byte) {
	_ = c.Send(context.Background(), t, msg)
}
func (h echo) OnClose(_ *websocket.Conn, err error) { h.closed <- err }

// strandServer starts an echo server and returns its address and the ends of its
// connections.
func strandServer(t *testing.T, compressed bool) (string, chan error) {
	t.Helper()
	closed := make(chan error, 100)
	o := &websocket.Options{MaxMessage: maxMessage, Compression: compression(compressed)}
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := websocket.Accept(w, r, echo{closed}, o); err != nil {
			t.Error(err)
		}
	}), closed
}

// serve starts an http1 server with one handler.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http1.Server{Handler: h}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

// expectEnd wants the close frame that the client sent.
func expectEnd(t *testing.T, closed chan error) {
	t.Helper()
	select {
	case err := <-closed:
		if ce, ok := err.(*websocket.CloseError); !ok || ce.Code != 4321 || ce.Local {
			t.Errorf("the server's connection ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the server's connection did not end")
	}
}

// strandClient is strand as a client.
type strandClient struct {
	c   *websocket.Conn
	got chan []byte
	typ chan websocket.MessageType
	end chan error
}

func (s *strandClient) OnOpen(*websocket.Conn) {}
func (s *strandClient) OnMessage(_ *websocket.Conn, t websocket.MessageType, msg []byte) {
	s.typ <- t
	s.got <- msg
}
func (s *strandClient) OnClose(_ *websocket.Conn, err error) { s.end <- err }

func dialStrand(t *testing.T, addr string, compressed bool) *strandClient {
	t.Helper()
	s := &strandClient{got: make(chan []byte, 1), typ: make(chan websocket.MessageType, 1), end: make(chan error, 1)}
	o := &websocket.DialOptions{Options: websocket.Options{MaxMessage: maxMessage, Compression: compression(compressed)}}
	c, _, err := websocket.Dial(t.Context(), "ws://"+addr+"/", s, o)
	if err != nil {
		t.Fatal(err)
	}
	if c.Compressed() != compressed {
		t.Fatalf("compression agreed: %v", c.Compressed())
	}
	s.c = c
	return s
}

func (s *strandClient) exchange(text bool, msg []byte) (bool, []byte, error) {
	t := websocket.Binary
	if text {
		t = websocket.Text
	}
	if err := s.c.Send(context.Background(), t, msg); err != nil {
		return false, nil, err
	}
	select {
	case t = <-s.typ:
		return t == websocket.Text, <-s.got, nil
	case err := <-s.end:
		return false, nil, err
	case <-time.After(10 * time.Second):
		return false, nil, fmt.Errorf("no answer")
	}
}

func (s *strandClient) close() (int, error) {
	if err := s.c.WriteClose(4321, "enough"); err != nil {
		return 0, err
	}
	err := <-s.end
	ce, ok := err.(*websocket.CloseError)
	if !ok || ce.Cause != nil {
		return 0, err
	}
	return int(ce.Code), nil
}
