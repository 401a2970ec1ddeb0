package peer

import (
	"net/http"

	"github.com/gorilla/websocket"
)

var gorillaPeer = &Peer{
	Name:   "gorilla",
	Module: "github.com/gorilla/websocket",
	Note:   "over net/http",
	serve: map[Kind]func(string) error{
		WS:          func(addr string) error { return serveUpgrade(addr, gorillaEcho(false)) },
		WSDeflate:   func(addr string) error { return serveUpgrade(addr, gorillaEcho(true)) },
		WSBroadcast: func(addr string) error { return serveUpgrade(addr, gorillaBroadcast()) },
	},
}

// serveUpgrade runs h at /ws under net/http.
func serveUpgrade(addr string, h http.HandlerFunc) error {
	mux := http.NewServeMux()
	mux.Handle("GET /ws", h)
	return http.ListenAndServe(addr, mux)
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
	h := newChanHub[*websocket.PreparedMessage]()
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		s := h.join(c.WritePreparedMessage, func() { c.Close() })
		defer h.leave(s)
		for {
			t, p, err := c.ReadMessage()
			if err != nil {
				return
			}
			m, err := websocket.NewPreparedMessage(t, p)
			if err != nil {
				return
			}
			h.publish(m)
		}
	}
}
