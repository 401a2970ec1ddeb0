// Command strand serves strand for the measurements.
package main

import (
	"github.com/d74363f0/strand/bench/peer"
	"github.com/d74363f0/strand/bench/serve"
)

func main() {
	serve.Main(map[string]serve.Services{
		"strand": {
			peer.TCP:         serveStrandTCP,
			peer.HTTP:        serveStrandHTTP,
			peer.HTTPS:       serveStrandHTTPS,
			peer.WS:          func(addr string) error { return serveStrandWS(addr, strandWSEcho{free: new(freeList)}, nil) },
			peer.WSDeflate:   serveStrandDeflate,
			peer.WSBroadcast: serveStrandBroadcast,
			peer.WSSlow:      serveStrandSlow,
		},
		"strand-fresh": {
			peer.WS: func(addr string) error { return serveStrandWS(addr, strandWSFresh{}, nil) },
		},
	})
}
