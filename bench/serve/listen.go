package serve

import (
	"context"
	"net"
	"net/http"
	"syscall"

	"github.com/d74363f0/strand/bench/peer"
)

// AcceptLoop gives every connection to serve in a goroutine of its own.
func AcceptLoop(addr string, serve func(net.Conn)) error {
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

// Upgrade runs h at /ws under net/http.
func Upgrade(addr string, h http.HandlerFunc) error {
	mux := http.NewServeMux()
	mux.Handle("GET /ws", h)
	return http.ListenAndServe(addr, mux)
}

// ListenSmall listens for connections with a small send buffer, so that what a
// subscriber does not read soon waits in the server's memory.
func ListenSmall(addr string) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error {
		var err error
		if e := rc.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, peer.SlowSendBuffer/2)
		}); e != nil {
			return e
		}
		return err
	}}
	return lc.Listen(context.Background(), "tcp", addr)
}
