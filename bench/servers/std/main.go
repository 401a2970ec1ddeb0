// Command std serves the standard library for the measurements.
package main

import (
	"crypto/tls"
	"net"
	"net/http"

	"github.com/d74363f0/strand/bench/app"
	"github.com/d74363f0/strand/bench/peer"
	"github.com/d74363f0/strand/bench/serve"
)

func main() {
	serve.Main(map[string]serve.Services{
		"net/http": {
			peer.HTTP:  func(addr string) error { return http.ListenAndServe(addr, app.Mux(nil)) },
			peer.HTTPS: serveNetHTTPS,
		},
		"net": {
			peer.TCP: func(addr string) error {
				return serve.AcceptLoop(addr, echoNet)
			},
		},
	})
}

func serveNetHTTPS(addr string) error {
	cfg, err := serve.TLSConfig()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: app.Mux(nil)}
	return srv.Serve(tls.NewListener(ln, cfg))
}

func echoNet(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}
