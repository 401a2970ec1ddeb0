package main

import (
	"sync/atomic"
	"time"
)

// site is what the handlers share.
type site struct {
	config  config
	files   uint64 // file descriptors the process may have
	started time.Time

	requests atomic.Uint64
	messages atomic.Uint64 // WebSocket messages, both ways
	draining atomic.Bool

	sockets sockets // all open WebSockets, the chat's too
	room    room
	engine
}
