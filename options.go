package strand

import (
	"log/slog"
	"runtime"
	"time"
)

// Options are the parameters of an Engine. The zero Options are useful.
type Options struct {
	// Loops is the number of event loops. Default: GOMAXPROCS.
	Loops int

	// MaxQueued is the most output, in bytes, that waits for one peer that does
	// not read; a Write beyond it fails with ErrQueueFull. A single write
	// larger than that is accepted when nothing else waits. Default: 1 MiB.
	MaxQueued int

	// MaxConns is the most connections the engine holds; a connection accepted
	// beyond it is closed at once. Default: no limit but the descriptors'.
	MaxConns int

	// CloseTimeout bounds how long Close waits for the peer to take some of what
	// is queued; a write timeout of the connection takes its place. Default: 5 s.
	CloseTimeout time.Duration

	// HandshakeTimeout bounds a TLS handshake, from StartTLS to its end. A
	// server's StartTLS is called when the connection comes, so it also bounds
	// the wait for the first byte. Default: 10 s.
	HandshakeTimeout time.Duration

	// MaxHandshakes is how many TLS handshakes compute at a time; those that wait
	// for their peer are not counted. Default: GOMAXPROCS.
	MaxHandshakes int

	// KeepAlive is the idle time and the interval of TCP keep-alive probes on
	// accepted connections, in whole seconds, a part of one rounded up. Default:
	// 15 s; negative: off.
	KeepAlive time.Duration

	// Ballast is memory, in bytes, that the engine holds and never touches, which
	// takes no RAM where the process has not used it before. Go's collector runs when
	// the heap is twice what was live, or 4 MiB (GOGC=100), and a small server has
	// little that is live: it would collect 70 times a second under load. Ballast counts as
	// live and makes that rarer, for GOGC per cent of its own size of garbage at most.
	// It counts towards GOMEMLIMIT. Default: 4 MiB; at most 1 GiB; negative: none.
	Ballast int

	// Logger receives what nobody else can be told: panics of callbacks, accept
	// errors (once a period), violations. Default: slog.Default().
	Logger *slog.Logger

	// OnViolation is called, on any goroutine, when the belt-and-braces check
	// found memory of one connection about to be sent on another.
	OnViolation func(Violation)
}

func (o Options) withDefaults() Options {
	if o.Loops <= 0 {
		o.Loops = runtime.GOMAXPROCS(0)
	}
	if o.MaxQueued <= 0 {
		o.MaxQueued = 1 << 20
	}
	if o.CloseTimeout <= 0 {
		o.CloseTimeout = 5 * time.Second
	}
	if o.HandshakeTimeout <= 0 {
		o.HandshakeTimeout = 10 * time.Second
	}
	if o.MaxHandshakes <= 0 {
		o.MaxHandshakes = runtime.GOMAXPROCS(0)
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = 15 * time.Second
	}
	if o.Ballast == 0 {
		o.Ballast = defaultBallast
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Violation describes bytes that were about to reach the wrong connection and
// did not.
type Violation struct {
	Conn  uint64 // the connection that was aborted
	Owner uint64 // 0 if not known
	Where string // the call sites
}
