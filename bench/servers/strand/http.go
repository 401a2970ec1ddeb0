package main

import (
	"net"
	"net/http"
	"sync"

	"github.com/d74363f0/strand/bench/app"
	"github.com/d74363f0/strand/bench/serve"
	"github.com/d74363f0/strand/http1"
	"github.com/d74363f0/strand/websocket"
	"github.com/d74363f0/strand/websocket/hub"
)

func serveStrandHTTP(addr string) error { return http1.ListenAndServe(addr, app.Mux(nil)) }

func serveStrandHTTPS(addr string) error {
	cfg, err := serve.TLSConfig()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	srv := &http1.Server{Handler: app.Mux(nil), TLSConfig: cfg}
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
	return serveStrandWS(addr, strandWSFresh{}, &websocket.Options{
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

// strandWSFresh echoes, and lets each message be garbage.
type strandWSFresh struct{}

func (strandWSFresh) OnOpen(*websocket.Conn)         {}
func (strandWSFresh) OnClose(*websocket.Conn, error) {}

func (strandWSFresh) OnMessage(c *websocket.Conn, t websocket.MessageType, msg []byte) {
	c.WriteMessage(t, msg)
}

// strandWSEcho echoes from memory of its own, which it uses again.
type strandWSEcho struct {
	strandWSFresh
	free *freeList
}

func (e strandWSEcho) Buffer(_ *websocket.Conn, n int) []byte { return e.free.take(n) }

func (e strandWSEcho) OnMessage(c *websocket.Conn, t websocket.MessageType, msg []byte) {
	c.WriteMessage(t, msg)
	e.free.put(msg)
}

// freeList is memory for messages: small ones and others.
type freeList struct {
	mu           sync.Mutex
	small, large [][]byte
}

const (
	smallMessage = 4 << 10
	largeMessage = 64<<10 + 16
	mostFree     = 64 // of each size
)

func (f *freeList) take(n int) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	list, size := &f.small, smallMessage
	if n > smallMessage {
		list, size = &f.large, largeMessage
	}
	last := len(*list) - 1
	if last < 0 {
		return make([]byte, size)
	}
	p := (*list)[last]
	*list = (*list)[:last]
	return p
}

func (f *freeList) put(p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case cap(p) == smallMessage && len(f.small) < mostFree:
		f.small = append(f.small, p)
	case cap(p) == largeMessage && len(f.large) < mostFree:
		f.large = append(f.large, p)
	}
}

type strandBroadcast struct{ hub *hub.Hub }

const strandTopic = "all"

func (b strandBroadcast) OnOpen(c *websocket.Conn)     { b.hub.Join(c, strandTopic) }
func (strandBroadcast) OnClose(*websocket.Conn, error) {}

func (b strandBroadcast) OnMessage(_ *websocket.Conn, t websocket.MessageType, msg []byte) {
	b.hub.Publish(strandTopic, t, msg)
}
