// Command gorilla serves gorilla/websocket for the measurements.
package main

import (
	"net/http"

	"github.com/gorilla/websocket"

	"github.com/d74363f0/strand/bench/peer"
	"github.com/d74363f0/strand/bench/serve"
)

func main() {
	serve.Main(map[string]serve.Services{
		"gorilla": {
			peer.WS:          func(addr string) error { return serve.Upgrade(addr, gorillaEcho(false)) },
			peer.WSDeflate:   func(addr string) error { return serve.Upgrade(addr, gorillaEcho(true)) },
			peer.WSBroadcast: func(addr string) error { return serve.Upgrade(addr, gorillaBroadcast()) },
		},
	})
}

func gorillaEcho(deflate bool) http.HandlerFunc {
	u := websocket.Upgrader{EnableCompression: deflate}
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			t, p, err := c.ReadMessage()
			if err != nil {
				return
			}
			if err := c.WriteMessage(t, p); err != nil {
				return
			}
		}
	}
}

func gorillaBroadcast() http.HandlerFunc {
	var u websocket.Upgrader
	h := serve.NewChanHub[*websocket.PreparedMessage]()
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		s := h.Join(c.WritePreparedMessage, func() { c.Close() })
		defer h.Leave(s)
		for {
			t, p, err := c.ReadMessage()
			if err != nil {
				return
			}
			m, err := websocket.NewPreparedMessage(t, p)
			if err != nil {
				return
			}
			h.Publish(m)
		}
	}
}
