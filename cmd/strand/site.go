package main

import (
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/http1"
)

// site is the server and what its handlers share.
type site struct {
	config  config
	files   uint64 // file descriptors the process may have
	started time.Time
	log     *slog.Logger

	// Set by start, before anything is served.
	engine *strand.Engine
	server *http1.Server
	failed chan error // why accepting ended, if nobody asked for it

	// Set by startTLS.
	tlsAddr     net.Addr // nil without -tls-addr
	fingerprint string   // of the certificate

	requests atomic.Uint64
	messages atomic.Uint64 // WebSocket messages, both ways
	draining atomic.Bool

	sockets sockets // all open WebSockets, the chat's too
	room    room
}
