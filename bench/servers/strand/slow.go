package main

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/d74363f0/strand/bench/peer"
	"github.com/d74363f0/strand/bench/serve"
	"github.com/d74363f0/strand/http1"
	"github.com/d74363f0/strand/websocket"
	"github.com/d74363f0/strand/websocket/hub"
)

// strandSlow is strandBroadcast that remembers its subscribers, for their counts.
type strandSlow struct {
	strandBroadcast
	mu   sync.Mutex
	subs map[*websocket.Conn]struct{}
}

func (b *strandSlow) OnOpen(c *websocket.Conn) {
	b.mu.Lock()
	b.subs[c] = struct{}{}
	b.mu.Unlock()
	b.strandBroadcast.OnOpen(c)
}

func (b *strandSlow) OnClose(c *websocket.Conn, err error) {
	b.mu.Lock()
	delete(b.subs, c)
	b.mu.Unlock()
	b.strandBroadcast.OnClose(c, err)
}

// drops answers at peer.DropsPath.
func (b *strandSlow) drops(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	counts := map[string]uint64{}
	for c := range b.subs {
		d := c.Drops()
		n := d.Refused + d.Newest + d.Oldest + d.Superseded
		if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok && n > 0 {
			counts[strconv.Itoa(tcp.Port)] = n
		}
	}
	_ = json.NewEncoder(w).Encode(counts) // the client may have gone
}

func serveStrandSlow(addr string) error {
	h, err := hub.New(nil)
	if err != nil {
		return err
	}
	ln, err := serve.ListenSmall(addr)
	if err != nil {
		return err
	}
	b := &strandSlow{strandBroadcast: strandBroadcast{hub: h}, subs: map[*websocket.Conn]struct{}{}}
	o := &websocket.Options{Queue: websocket.DropOldest, MaxQueued: peer.SlowQueue}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
		// A refused handshake has been answered.
		_, _ = websocket.Accept(w, r, b, o)
	})
	mux.HandleFunc("GET "+peer.DropsPath, b.drops)
	return (&http1.Server{Handler: mux}).Serve(ln)
}
