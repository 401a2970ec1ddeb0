package main

import (
	"context"
	"net/http"
	"sync"

	"github.com/d74363f0/strand/websocket"
)

// maxMessage bounds a message on /ws and maxChat one on /chat, in bytes.
const (
	maxMessage = 64 << 20
	maxChat    = 64 << 10
)

// options are those of a WebSocket whose messages have at most limit bytes, and which loses the oldest ones
// when the peer does not read.
func (s *site) options(limit int64) *websocket.Options {
	o := &websocket.Options{
		MaxMessage:  limit,
		Queue:       websocket.DropOldest,
		Compression: &websocket.Compression{},
		Engine:      s.engine,
		Logger:      s.log,
	}
	if s.config.anyOrigin {
		o.Origins = []string{"*", "null"}
	}
	return o
}

// ws echoes each message as it came.
func (s *site) ws() http.HandlerFunc {
	o := s.options(maxMessage)
	return func(w http.ResponseWriter, r *http.Request) {
		// Accept has answered the client when it fails: nothing is left to do with the error.
		_, _ = websocket.Accept(w, r, &echoSocket{s}, o)
	}
}

// chat sends each message to everyone in the room, its sender included.
func (s *site) chat() http.HandlerFunc {
	o := s.options(maxChat)
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = websocket.Accept(w, r, &chatSocket{s}, o)
	}
}

// welcome makes c known to the drain, and says goodbye at once if that has begun: it may have looked already.
func (s *site) welcome(c *websocket.Conn) {
	s.sockets.add(c)
	if s.draining.Load() {
		goodbye(c)
	}
}

type echoSocket struct{ site *site }

func (h *echoSocket) OnOpen(c *websocket.Conn) { h.site.welcome(c) }

// OnMessage waits until the peer has taken enough of the earlier answers: an echo loses nothing, and
// reads no faster than it is read.
func (h *echoSocket) OnMessage(c *websocket.Conn, t websocket.MessageType, msg []byte) {
	h.site.messages.Add(1)
	if c.Send(context.Background(), t, msg) == nil {
		h.site.messages.Add(1)
	}
}

func (h *echoSocket) OnClose(c *websocket.Conn, _ error) { h.site.sockets.remove(c) }

type chatSocket struct{ site *site }

func (h *chatSocket) OnOpen(c *websocket.Conn) {
	h.site.room.members.add(c)
	h.site.welcome(c)
}

func (h *chatSocket) OnMessage(_ *websocket.Conn, t websocket.MessageType, msg []byte) {
	h.site.messages.Add(1 + h.site.room.say(t, msg))
}

func (h *chatSocket) OnClose(c *websocket.Conn, _ error) {
	h.site.room.members.remove(c)
	h.site.sockets.remove(c)
}

// room is the one chat there is.
type room struct {
	members sockets
	order   sync.Mutex // held while one message goes out, so that everyone hears the same order
}

func (r *room) count() int { return r.members.count() }

// say queues msg, framed once, to every member and returns to how many. It never blocks: who does not read
// fills a queue of his own and misses the oldest of what waits there.
func (r *room) say(t websocket.MessageType, msg []byte) uint64 {
	p := websocket.Prepare(t, msg)
	r.order.Lock()
	defer r.order.Unlock()
	var n uint64
	for _, c := range r.members.list() {
		if c.WritePrepared(p) == nil {
			n++
		}
	}
	return n
}
