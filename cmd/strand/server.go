package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/http1"
	"github.com/d74363f0/strand/websocket"
)

// start makes the engine, listens and serves, and returns the address that was bound.
func (s *site) start() (net.Addr, error) {
	l, err := listen("-addr", s.config.addr)
	if err != nil {
		return nil, err
	}
	s.engine, err = strand.New(strand.Options{Loops: s.config.loops, Logger: s.log})
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.server = &http1.Server{
		Engine:            s.engine,
		Handler:           s.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelError),
	}
	s.server.RegisterOnShutdown(s.closeSockets)
	s.failed = make(chan error, 2)
	if err := s.startTLS(); err != nil {
		return nil, errors.Join(err, l.Close(), s.engine.Close())
	}
	go func() { // ends when the listener does: with Shutdown, or by itself, which failed tells
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	}()
	return l.Addr(), nil
}

// closeSockets says goodbye to every WebSocket: Shutdown knows of none that has left HTTP.
func (s *site) closeSockets() {
	for _, c := range s.sockets.list() {
		goodbye(c)
	}
}

func goodbye(c *websocket.Conn) {
	_ = c.WriteClose(websocket.GoingAway, "the server is shutting down") // an error says that it is closing already
}

// stop lets everything end until ctx does, cuts the rest, and returns how many connections that were.
func (s *site) stop(ctx context.Context) int64 {
	_ = s.server.Shutdown(ctx) // an error only says that ctx ended, and so does the count
	for s.engine.Stats().Conns > 0 && ctx.Err() == nil {
		time.Sleep(2 * time.Millisecond)
	}
	left := s.engine.Stats().Conns
	_ = s.engine.Close()
	return left
}

func (s *site) engineFigures(n *snapshot) {
	e := s.engine.Stats()
	n.Engine = e
	n.Loops = e.Loops
	n.Connections, n.Accepted = e.Conns, e.Accepted
	n.BytesIn, n.BytesOut = e.BytesIn, e.BytesOut
	n.Blocks = e.BlocksInUse
	n.Handoffs = e.HandOffs + e.Noticed
	n.Violations = e.Violations
}
