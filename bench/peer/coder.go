package peer

import (
	"context"
	"net/http"

	"github.com/coder/websocket"
)

var coderPeer = &Peer{
	Name:   "coder",
	Module: "github.com/coder/websocket",
	Note:   "over net/http",
	serve: map[Kind]func(string) error{
		WS:          func(addr string) error { return serveUpgrade(addr, coderEcho(websocket.CompressionDisabled)) },
		WSDeflate:   func(addr string) error { return serveUpgrade(addr, coderEcho(websocket.CompressionNoContextTakeover)) },
		WSBroadcast: func(addr string) error { return serveUpgrade(addr, coderBroadcast()) },
	},
}

func coderEcho(mode websocket.CompressionMode) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: mode})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		ctx := context.Background()
		for {
			t, p, err := c.Read(ctx)
			if err != nil {
				return
			}
			if err := c.Write(ctx, t, p); err != nil {
				return
			}
		}
	}
}

func coderBroadcast() http.HandlerFunc {
	h := newChanHub[[]byte]()
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		ctx := context.Background()
		s := h.join(func(m []byte) error {
			return c.Write(ctx, websocket.MessageBinary, m)
		}, func() { c.CloseNow() })
		defer h.leave(s)
		for {
			_, p, err := c.Read(ctx)
			if err != nil {
				return
			}
			h.publish(p)
		}
	}
}
