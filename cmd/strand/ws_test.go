package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/d74363f0/strand/websocket"
)

// A client collects what it hears.
type client struct {
	*websocket.Conn
	heard chan message
	ended chan error
}

type message struct {
	t    websocket.MessageType
	body []byte
}

func (c *client) OnOpen(*websocket.Conn) {}

func (c *client) OnMessage(_ *websocket.Conn, t websocket.MessageType, body []byte) {
	c.heard <- message{t, body}
}

func (c *client) OnClose(_ *websocket.Conn, err error) { c.ended <- err }

func (p *program) dial(t *testing.T, path string, o websocket.Options) *client {
	t.Helper()
	c := &client{heard: make(chan message, 1000), ended: make(chan error, 1)}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	o.MaxMessage = maxMessage
	conn, _, err := websocket.Dial(ctx, "ws://"+p.addr+path, c, &websocket.DialOptions{Options: o})
	if err != nil {
		t.Fatal(err)
	}
	c.Conn = conn
	t.Cleanup(func() { conn.Abort() })
	return c
}

func (c *client) send(t *testing.T, kind websocket.MessageType, body []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := c.Send(ctx, kind, body); err != nil {
		t.Fatal(err)
	}
}

func (c *client) hear(t *testing.T) message {
	t.Helper()
	select {
	case m := <-c.heard:
		return m
	case err := <-c.ended:
		t.Fatalf("the WebSocket ended: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("heard nothing for 20 s")
	}
	return message{}
}

func TestWebSockets(t *testing.T) {
	p := start(t)
	t.Run("echo", p.wsEcho)
	t.Run("compression", p.wsCompression)
	t.Run("limit of a message", p.wsLimit)
	t.Run("chat", p.chatOrder)
}

// wsEcho sends many messages before it hears the first: none may be lost, and the order stays.
func (p *program) wsEcho(t *testing.T) {
	c := p.dial(t, "/ws", websocket.Options{})
	const n = 500
	body := func(i int) []byte { return bytes.Repeat([]byte{byte(i), byte(i >> 8)}, i*31) }
	kind := func(i int) websocket.MessageType {
		if i%3 == 0 {
			return websocket.Text
		}
		return websocket.Binary
	}
	text := func(i int) []byte {
		if kind(i) == websocket.Text {
			return fmt.Appendf(nil, "naïve %d", i)
		}
		return body(i)
	}
	for i := range n {
		c.send(t, kind(i), text(i))
	}
	for i := range n {
		if m := c.hear(t); m.t != kind(i) || !bytes.Equal(m.body, text(i)) {
			t.Fatalf("message %d of type %d and %d bytes came back as type %d and %d bytes", i, kind(i), len(text(i)), m.t, len(m.body))
		}
	}
}

func (p *program) wsCompression(t *testing.T) {
	c := p.dial(t, "/ws", websocket.Options{Compression: &websocket.Compression{}})
	if !c.Compressed() {
		t.Error("the server does not take up compression")
	}
	sent := bytes.Repeat([]byte("over and over "), 300000) // far more than what other connections may still be counted for
	before := p.look(t)
	c.send(t, websocket.Text, sent)
	if m := c.hear(t); !bytes.Equal(m.body, sent) {
		t.Errorf("%d bytes came back as %d", len(sent), len(m.body))
	}
	after := p.look(t)
	if moved := after.BytesOut - before.BytesOut; moved > uint64(len(sent))/10 {
		t.Errorf("%d bytes were sent for a message that compresses well", moved)
	}
}

// wsLimit sends a message of exactly 64 MiB, which comes back, and one byte more, which is refused with 1009.
func (p *program) wsLimit(t *testing.T) {
	c := p.dial(t, "/ws", websocket.Options{})
	sent := bytes.Repeat([]byte("0123456789abcdef"), maxMessage/16)
	c.send(t, websocket.Binary, sent)
	if m := c.hear(t); !bytes.Equal(m.body, sent) {
		t.Fatalf("64 MiB came back as %d bytes", len(m.body))
	}
	_ = c.WriteMessage(websocket.Binary, append(sent, 'x')) // it may be refused while it is being sent
	select {
	case err := <-c.ended:
		var end *websocket.CloseError
		if !errors.As(err, &end) || end.Code != websocket.TooBig {
			t.Errorf("one byte too many: %v", err)
		}
	case <-c.heard:
		t.Error("one byte too many came back")
	case <-time.After(20 * time.Second):
		t.Error("one byte too many: no answer in 20 s")
	}
}

// chatOrder has several people talk at once: everyone hears everything, in the same order.
func (p *program) chatOrder(t *testing.T) {
	const people, each = 4, 50
	var all []*client
	for range people {
		all = append(all, p.dial(t, "/chat", websocket.Options{}))
	}
	p.until(t, "everyone to be in the room", func() bool { return p.look(t).Chat == people })
	for i, c := range all {
		go func() {
			for k := range each {
				_ = c.WriteMessage(websocket.Text, fmt.Appendf(nil, "%d: %d", i, k)) // a loss shows below
			}
		}()
	}
	var first []string
	for i, c := range all {
		next := [people]int{}
		for n := range people * each {
			m := string(c.hear(t).body)
			if i == 0 {
				first = append(first, m)
			}
			if first[n] != m {
				t.Fatalf("message %d is %q to one and %q to another", n, first[n], m)
			}
			var who, what int
			if _, err := fmt.Sscanf(m, "%d: %d", &who, &what); err != nil || what != next[who] {
				t.Fatalf("%q, expected message %d of %d", m, next[who], who)
			}
			next[who]++
		}
	}
}
