package peer

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"

	"github.com/lxzan/gws"

	"github.com/d74363f0/strand/http1"
	"github.com/d74363f0/strand/websocket"
	"github.com/d74363f0/strand/websocket/hub"
)

// listenSmall listens for connections with a small send buffer, so that what a
// subscriber does not read soon waits in the server's memory.
func listenSmall(addr string) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error {
		var err error
		if e := rc.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, SlowSendBuffer/2)
		}); e != nil {
			return e
		}
		return err
	}}
	return lc.Listen(context.Background(), "tcp", addr)
}

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

// drops answers at DropsPath.
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
	ln, err := listenSmall(addr)
	if err != nil {
		return err
	}
	b := &strandSlow{strandBroadcast: strandBroadcast{hub: h}, subs: map[*websocket.Conn]struct{}{}}
	o := &websocket.Options{Queue: websocket.DropOldest, MaxQueued: SlowQueue}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
		// A refused handshake has been answered.
		_, _ = websocket.Accept(w, r, b, o)
	})
	mux.HandleFunc("GET "+DropsPath, b.drops)
	return (&http1.Server{Handler: mux}).Serve(ln)
}

// serveGWSSlow has no policy to set: gws keeps what a subscriber does not read.
func serveGWSSlow(addr string) error {
	ln, err := listenSmall(addr)
	if err != nil {
		return err
	}
	s := gws.NewServer(&gwsBroadcast{subs: map[*gws.Conn]struct{}{}}, nil)
	s.OnError = func(net.Conn, error) {}
	return s.RunListener(ln)
}
