package main

import (
	"sync"

	"github.com/d74363f0/strand/websocket"
)

// sockets is a set of open WebSockets.
type sockets struct {
	mu  sync.Mutex
	all map[*websocket.Conn]struct{} // guarded by mu
}

func (s *sockets) add(c *websocket.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = make(map[*websocket.Conn]struct{})
	}
	s.all[c] = struct{}{}
}

func (s *sockets) remove(c *websocket.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, c)
}

func (s *sockets) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// list is a copy, so that nobody writes to a socket with the lock held.
func (s *sockets) list() []*websocket.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*websocket.Conn, 0, len(s.all))
	for c := range s.all {
		list = append(list, c)
	}
	return list
}
