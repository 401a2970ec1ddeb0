package peer

import (
	"crypto/tls"
	"net"
	"net/http"
)

var netHTTP = &Peer{
	Name: "net/http",
	serve: map[Kind]func(string) error{
		HTTP:  func(addr string) error { return http.ListenAndServe(addr, stdMux(setLength)) },
		HTTPS: serveNetHTTPS,
	},
}

func serveNetHTTPS(addr string) error {
	cfg, err := serverTLS()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: stdMux(setLength)}
	return srv.Serve(tls.NewListener(ln, cfg))
}

var netPeer = &Peer{
	Name: "net",
	Note: "a goroutine and a 4 KiB buffer a connection",
	serve: map[Kind]func(string) error{
		TCP: func(addr string) error {
			return acceptLoop(addr, echoNet)
		},
	},
}

// acceptLoop gives every connection to serve in a goroutine of its own.
func acceptLoop(addr string, serve func(net.Conn)) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go serve(c)
	}
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
