// Command gws serves gws for the measurements.
package main

import (
	"net"
	"sync"

	"github.com/lxzan/gws"

	"github.com/d74363f0/strand/bench/peer"
	"github.com/d74363f0/strand/bench/serve"
)

func main() {
	serve.Main(map[string]serve.Services{
		"gws": {
			peer.WS:          func(addr string) error { return serveGWS(addr, gwsEcho{}, nil) },
			peer.WSDeflate:   serveGWSDeflate,
			peer.WSBroadcast: func(addr string) error { return serveGWS(addr, &gwsBroadcast{subs: map[*gws.Conn]struct{}{}}, nil) },
			peer.WSSlow:      serveGWSSlow,
		},
	})
}

func serveGWS(addr string, h gws.Event, o *gws.ServerOption) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	s := gws.NewServer(h, o)
	s.OnError = func(net.Conn, error) {}
	return s.RunListener(ln)
}

func serveGWSDeflate(addr string) error {
	return serveGWS(addr, gwsEcho{}, &gws.ServerOption{
		PermessageDeflate: gws.PermessageDeflate{Enabled: true},
	})
}

type gwsEcho struct{ gws.BuiltinEventHandler }

func (gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	c.WriteMessage(m.Opcode, m.Bytes())
}

type gwsBroadcast struct {
	gws.BuiltinEventHandler
	mu   sync.Mutex
	subs map[*gws.Conn]struct{}
}

func (b *gwsBroadcast) OnOpen(c *gws.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs[c] = struct{}{}
}

func (b *gwsBroadcast) OnClose(c *gws.Conn, _ error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.subs, c)
}

func (b *gwsBroadcast) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	all := gws.NewBroadcaster(m.Opcode, m.Bytes())
	defer all.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.subs {
		all.Broadcast(c)
	}
}

// serveGWSSlow has no policy to set: gws keeps what a subscriber does not read.
func serveGWSSlow(addr string) error {
	ln, err := serve.ListenSmall(addr)
	if err != nil {
		return err
	}
	s := gws.NewServer(&gwsBroadcast{subs: map[*gws.Conn]struct{}{}}, nil)
	s.OnError = func(net.Conn, error) {}
	return s.RunListener(ln)
}
