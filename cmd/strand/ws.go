package main

import (
	"net/http"
	"sync"

	websocket "github.com/d74363f0/strand/cmd/strand/internal/devws"
)

// maxMessage bounds a message on /ws and maxChat one on /chat, in bytes.
const (
	maxMessage = 64 << 20
	maxChat    = 64 << 10
)

// ws echoes each message as it came.
func (s *site) ws(w http.ResponseWriter, r *http.Request) {
	s.accept(w, r, &echoSocket{s}, maxMessage)
}

// chat sends each message to everyone in the room, its sender included.
func (s *site) chat(w http.ResponseWriter, r *http.Request) {
	s.accept(w, r, &chatSocket{s}, maxChat)
}

func (s *site) accept(w http.ResponseWriter, r *http.Request, h websocket.Handler, limit int64) {
	// Accept has answered the client when it fails, so there is nothing left to do with the error.
	_, _ = websocket.Accept(w, r, h, &websocket.Options{AllowAnyOrigin: s.config.anyOrigin, MaxMessage: limit})
}

type echoSocket struct{ site *site }

func (h *echoSocket) OnOpen(c *websocket.Conn) { h.site.sockets.add(c) }

func (h *echoSocket) OnMessage(c *websocket.Conn, t websocket.MessageType, msg []byte) {
	h.site.messages.Add(1)
	if c.Write(t, msg) == nil {
		h.site.messages.Add(1)
	}
}

func (h *echoSocket) OnClose(c *websocket.Conn, _ error) { h.site.sockets.remove(c) }

type chatSocket struct{ site *site }

func (h *chatSocket) OnOpen(c *websocket.Conn) {
	h.site.sockets.add(c)
	h.site.room.members.add(c)
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

// say queues msg to every member and returns to how many. A write never blocks: who does not read
// fills his own queue, and the socket's policy deals with him.
func (r *room) say(t websocket.MessageType, msg []byte) uint64 {
	r.order.Lock()
	defer r.order.Unlock()
	var n uint64
	for _, c := range r.members.list() {
		if c.Write(t, msg) == nil {
			n++
		}
	}
	return n
}
