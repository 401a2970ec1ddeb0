package devws

import (
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

type MessageType int
type Conn struct {
	mu sync.Mutex
	c  *websocket.Conn
}
type Handler interface {
	OnOpen(*Conn)
	OnMessage(*Conn, MessageType, []byte)
	OnClose(*Conn, error)
}
type Options struct {
	AllowAnyOrigin bool
	MaxMessage     int64
}

func Accept(w http.ResponseWriter, r *http.Request, h Handler, o *Options) (*Conn, error) {
	up := websocket.Upgrader{}
	if o.AllowAnyOrigin {
		up.CheckOrigin = func(*http.Request) bool { return true }
	}
	g, err := up.Upgrade(w, r, nil)
	if err != nil {
		return nil, err
	}
	g.SetReadLimit(o.MaxMessage)
	c := &Conn{c: g}
	go func() {
		h.OnOpen(c)
		for {
			t, p, err := g.ReadMessage()
			if err != nil {
				g.Close()
				h.OnClose(c, err)
				return
			}
			h.OnMessage(c, MessageType(t), p)
		}
	}()
	return c, nil
}
func (c *Conn) Write(t MessageType, p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.c.WriteMessage(int(t), p)
}
func (c *Conn) Close(code int, reason string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason))
}
