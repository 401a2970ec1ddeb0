// Command netpoll serves netpoll for the measurements.
package main

import (
	"context"
	"net"

	"github.com/cloudwego/netpoll"

	"github.com/d74363f0/strand/bench/peer"
	"github.com/d74363f0/strand/bench/serve"
)

func main() {
	serve.Main(map[string]serve.Services{
		"netpoll": {peer.TCP: serveNetpoll},
	})
}

func serveNetpoll(addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	loop, err := netpoll.NewEventLoop(netpollEcho)
	if err != nil {
		return err
	}
	return loop.Serve(ln)
}

func netpollEcho(_ context.Context, c netpoll.Connection) error {
	r, w := c.Reader(), c.Writer()
	p, err := r.Next(r.Len())
	if err != nil {
		return err
	}
	out, err := w.Malloc(len(p))
	if err != nil {
		return err
	}
	copy(out, p)
	if err := r.Release(); err != nil {
		return err
	}
	return w.Flush()
}
