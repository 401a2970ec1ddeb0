// Command coder serves coder/websocket for the measurements.
package main

import (
	"context"
	"net/http"

	"github.com/coder/websocket"

	"github.com/d74363f0/strand/bench/peer"
	"github.com/d74363f0/strand/bench/serve"
)

func main() {
	serve.Main(map[string]serve.Services{
		"coder": {
			peer.WS:          func(addr string) error { return serve.Upgrade(addr, coderEcho(websocket.CompressionDisabled)) },
			peer.WSDeflate:   func(addr string) error { return serve.Upgrade(addr, coderEcho(websocket.CompressionNoContextTakeover)) },
			peer.WSBroadcast: func(addr string) error { return serve.Upgrade(addr, coderBroadcast()) },
		},
	})
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
	h := serve.NewChanHub[[]byte]()
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		ctx := context.Background()
		s := h.Join(func(m []byte) error {
			return c.Write(ctx, websocket.MessageBinary, m)
		}, func() { c.CloseNow() })
		defer h.Leave(s)
		for {
			_, p, err := c.Read(ctx)
			if err != nil {
				return
			}
			h.Publish(p)
		}
	}
}
