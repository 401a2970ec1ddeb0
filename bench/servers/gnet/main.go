// Command gnet serves gnet for the measurements.
package main

import (
	"runtime"

	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/logging"

	"github.com/d74363f0/strand/bench/peer"
	"github.com/d74363f0/strand/bench/serve"
)

func main() {
	serve.Main(map[string]serve.Services{
		"gnet": {peer.TCP: serveGnet},
	})
}

type gnetEcho struct{ gnet.BuiltinEventEngine }

func (*gnetEcho) OnTraffic(c gnet.Conn) gnet.Action {
	buf, err := c.Next(-1)
	if err != nil {
		return gnet.Close
	}
	if _, err := c.Write(buf); err != nil {
		return gnet.Close
	}
	return gnet.None
}

func serveGnet(addr string) error {
	return gnet.Run(&gnetEcho{}, "tcp://"+addr,
		gnet.WithNumEventLoop(runtime.GOMAXPROCS(0)), gnet.WithLogLevel(logging.ErrorLevel))
}
