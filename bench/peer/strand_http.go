package peer

import (
	"net"
	"net/http"

	"github.com/d74363f0/strand/http1"
	"github.com/d74363f0/strand/websocket"
	"github.com/d74363f0/strand/websocket/hub"
)

func serveStrandHTTP(addr string) error { return http1.ListenAndServe(addr, stdMux(setLength)) }

func serveStrandHTTPS(addr string) error {
	cfg, err := serverTLS()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	srv := &http1.Server{Handler: stdMux(setLength), TLSConfig: cfg}
	return srv.ServeTLS(ln, "", "")
}

// serveStrandWS upgrades at /ws.
func serveStrandWS(addr string, h websocket.Handler, o *websocket.Options) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
		// A refused handshake has been answered.
		_, _ = websocket.Accept(w, r, h, o)
	})
	return http1.ListenAndServe(addr, mux)
}

func serveStrandDeflate(addr string) error {
	return serveStrandWS(addr, strandWSEcho{}, &websocket.Options{
		Compression: &websocket.Compression{ServerNoTakeover: true, ClientNoTakeover: true},
	})
}

func serveStrandBroadcast(addr string) error {
	h, err := hub.New(nil)
	if err != nil {
		return err
	}
	return serveStrandWS(addr, strandBroadcast{hub: h}, nil)
}

type strandWSEcho struct{}

func (strandWSEcho) OnOpen(*websocket.Conn)         {}
func (strandWSEcho) OnClose(*websocket.Conn, error) {}

func (strandWSEcho) OnMessage(c *websocket.Conn, t websocket.MessageType, msg []byte) {
	c.WriteMessage(t, msg)
}

type strandBroadcast struct{ hub *hub.Hub }

const strandTopic = "all"

func (b strandBroadcast) OnOpen(c *websocket.Conn)     { b.hub.Join(c, strandTopic) }
func (strandBroadcast) OnClose(*websocket.Conn, error) {}

func (b strandBroadcast) OnMessage(_ *websocket.Conn, t websocket.MessageType, msg []byte) {
	b.hub.Publish(strandTopic, t, msg)
}
