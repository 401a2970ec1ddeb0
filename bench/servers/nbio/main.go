// Command nbio serves nbio for the measurements.
package main

import (
	"net/http"
	"sync"

	"github.com/lesismal/llib/std/crypto/tls"
	"github.com/lesismal/nbio"
	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"

	"github.com/d74363f0/strand/bench/app"
	"github.com/d74363f0/strand/bench/peer"
	"github.com/d74363f0/strand/bench/serve"
)

func main() {
	serve.Main(map[string]serve.Services{
		"nbio":          nbioMode{}.services(),
		"nbio-inline":   nbioMode{inline: true}.services(),
		"nbio-blocking": nbioMode{blocking: true}.services(),
	})
}

// nbioMode is one way to run nbio: handlers in its goroutine pool, on its loops, or a goroutine a connection.
type nbioMode struct{ inline, blocking bool }

func (m nbioMode) services() serve.Services {
	s := serve.Services{
		peer.HTTP:        func(addr string) error { return m.http(addr, false, app.Mux(app.SetLength)) },
		peer.HTTPS:       func(addr string) error { return m.http(addr, true, app.Mux(app.SetLength)) },
		peer.WS:          func(addr string) error { return m.http(addr, false, m.wsMux(false)) },
		peer.WSDeflate:   func(addr string) error { return m.http(addr, false, m.wsMux(true)) },
		peer.WSBroadcast: func(addr string) error { return m.http(addr, false, m.broadcastMux()) },
	}
	if m == (nbioMode{}) {
		s[peer.TCP] = nbioTCP
	}
	return s
}

func (m nbioMode) http(addr string, secure bool, h http.Handler) error {
	logging.SetLevel(logging.LevelNone)
	cfg := nbhttp.Config{Network: "tcp", Handler: h, ReleaseWebsocketPayload: true}
	if m.inline {
		cfg.ServerExecutor = func(f func()) { f() }
	}
	if m.blocking {
		cfg.IOMod = nbhttp.IOModBlocking
	}
	cfg.Addrs = []string{addr}
	if secure {
		cert, key, err := serve.SelfSigned()
		if err != nil {
			return err
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return err
		}
		cfg.Addrs, cfg.AddrsTLS = nil, []string{addr}
		cfg.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, SessionTicketsDisabled: true}
	}
	engine := nbhttp.NewEngine(cfg)
	if err := engine.Start(); err != nil {
		return err
	}
	select {}
}

func (m nbioMode) wsMux(deflate bool) http.Handler {
	u := websocket.NewUpgrader()
	u.EnableCompression(deflate)
	u.SetCompressionLevel(1)
	u.OnMessage(func(c *websocket.Conn, t websocket.MessageType, msg []byte) {
		c.EnableWriteCompression(deflate)
		c.WriteMessage(t, msg)
	})
	return nbioUpgrade(u)
}

func nbioUpgrade(u *websocket.Upgrader) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
		if _, err := u.Upgrade(w, r, nil); err != nil {
			return
		}
	})
	return mux
}

func (m nbioMode) broadcastMux() http.Handler {
	var mu sync.Mutex
	subs := map[*websocket.Conn]struct{}{}
	u := websocket.NewUpgrader()
	u.OnOpen(func(c *websocket.Conn) {
		mu.Lock()
		defer mu.Unlock()
		subs[c] = struct{}{}
	})
	u.OnClose(func(c *websocket.Conn, _ error) {
		mu.Lock()
		defer mu.Unlock()
		delete(subs, c)
	})
	u.OnMessage(func(_ *websocket.Conn, t websocket.MessageType, msg []byte) {
		mu.Lock()
		all := make([]*websocket.Conn, 0, len(subs))
		for c := range subs {
			all = append(all, c)
		}
		mu.Unlock()
		for _, c := range all {
			c.WriteMessage(t, msg)
		}
	})
	return nbioUpgrade(u)
}

func nbioTCP(addr string) error {
	logging.SetLevel(logging.LevelNone)
	engine := nbio.NewEngine(nbio.Config{Network: "tcp", Addrs: []string{addr}})
	engine.OnData(func(c *nbio.Conn, data []byte) { c.Write(data) })
	if err := engine.Start(); err != nil {
		return err
	}
	select {}
}
