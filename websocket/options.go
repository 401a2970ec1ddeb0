package websocket

import (
	"log/slog"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/ws"
)

// QueuePolicy says what happens to a message when the peer has not taken what
// was written before it and the queue is at Options.MaxQueued. Control frames
// are never subject to it. Conn.Drops counts what each policy did.
type QueuePolicy uint8

const (
	// RefuseNew returns ErrQueueFull from the write. It is the default.
	RefuseNew QueuePolicy = iota
	// DropNewest throws the message away and returns nil from the write.
	DropNewest
	// DropOldest throws away the messages that have waited longest.
	DropOldest
	// KeepLatest replaces a waiting message of the same key (Conn.WriteKeyed), and
	// beyond that drops the oldest. The later message takes the place of the earlier
	// one if it fits there, and so may overtake messages that were written between them.
	KeepLatest
	// CloseSlow closes the connection with code Policy.
	CloseSlow
)

// Defaults of Options.
const (
	DefaultMaxMessage   = 1 << 20
	DefaultMaxFragments = 1 << 19
	DefaultMaxQueued    = 1 << 20
	DefaultPingInterval = 30 * time.Second
	DefaultWriteTimeout = time.Minute
	DefaultCloseTimeout = 5 * time.Second
)

// Options is what both sides may set. The zero value, and a nil pointer, mean
// the defaults. Options are shared by the connections made with them and must
// not be modified afterwards.
type Options struct {
	// Origins are the foreign origins that a server lets in, beside its own host:
	// patterns as of path.Match for the host and port ("*.example.com"), or for
	// the whole origin if they contain "://" ("file://", "http://[::1]:3000"). Case
	// does not matter. "*" lets every page in but one whose origin is "null", which
	// must be named. A malformed pattern makes Accept fail. Ignored by clients.
	Origins []string

	// Subprotocols are the application protocols, in order of preference. A server
	// takes the first that the client offers.
	Subprotocols []string

	// MaxMessage bounds a received message in bytes, after decompression; beyond
	// it the connection is closed with TooBig. Zero means 1 MiB, a negative number
	// no bound, which only a FrameHandler should use; for one, what is held of a
	// compressed message, until that is complete, is bounded by 1 MiB all the same.
	MaxMessage int64

	// MaxFragments bounds the frames of a received message. Zero means 524,288.
	MaxFragments int

	// MaxQueued bounds in bytes what waits for a slow peer, one message excepted.
	// Zero means 1 MiB; more than 512 MiB is taken for 512 MiB. It bounds each of two
	// queues, the transport's and the one in which messages wait for the policy or for
	// the end of a Writer's, so up to twice as much may wait; under DropOldest and
	// KeepLatest the transport has 128 KiB of it at most.
	MaxQueued int

	// Queue is what happens beyond MaxQueued.
	Queue QueuePolicy

	// Compression enables permessage-deflate where the peer has it too. Nil means
	// no compression.
	Compression *Compression

	// PingInterval is the time between pings. A peer that sends nothing for a whole
	// interval after one is dead. Zero means 30 seconds, a negative number none.
	PingInterval time.Duration

	// WriteTimeout ends a connection whose peer takes nothing of what is queued for
	// that long. Zero means a minute, a negative number no limit until the close begins,
	// from when on it is CloseTimeout.
	WriteTimeout time.Duration

	// CloseTimeout bounds the closing handshake: how long, and an eighth or 50 ms, the peer may take
	// to answer from when it last acknowledged some of what was sent; what is queued is
	// WriteTimeout's. It is a callback that ends it: a handler that waits for its own OnClose
	// waits for ever. Zero means 5 seconds.
	CloseTimeout time.Duration

	// MaxLifetime closes connections with GoingAway at this age, give or take a
	// tenth, so that those which began together do not end together. Zero means
	// no limit.
	MaxLifetime time.Duration

	// Engine drives connections taken over from net/http.Server, and dialed ones.
	// Nil means strand.Default().
	Engine *strand.Engine

	// Logger receives a record for each panic of a handler. Nil means slog.Default().
	Logger *slog.Logger
}

// Compression configures permessage-deflate. Its zero value is a good choice.
type Compression struct {
	// Level is from 1, fastest and the default, to 9. It is ignored for windows
	// smaller than 32 KiB.
	Level int

	// Threshold is the size in bytes below which messages are sent uncompressed.
	// Zero means 256, a negative number compresses every message.
	Threshold int

	// ServerNoTakeover and ClientNoTakeover make that side compress each message
	// by itself, which spares both sides a window of memory per connection.
	ServerNoTakeover, ClientNoTakeover bool

	// ServerBits and ClientBits bound that side's window to 1<<bits bytes, from 8
	// to 15. Zero means 15.
	ServerBits, ClientBits int
}

var defaults Options

func (o *Options) orDefault() *Options {
	if o == nil {
		return &defaults
	}
	return o
}

func (o *Options) limits() ws.Limits {
	l := ws.Limits{Message: o.MaxMessage, Fragments: o.MaxFragments}
	if l.Message == 0 {
		l.Message = DefaultMaxMessage
	}
	if l.Message < 0 {
		l.Message = 0
	}
	if l.Fragments <= 0 {
		l.Fragments = DefaultMaxFragments
	}
	return l
}

// mostQueued is the largest bound of a queue. The transport counts in an int32, and at
// a close it gets what waits in our own queue on top of what waits in its own.
const mostQueued = 512 << 20

func (o *Options) maxQueued() int {
	if o.MaxQueued <= 0 {
		return DefaultMaxQueued
	}
	return min(o.MaxQueued, mostQueued)
}

// transportLimit is how much the transport may hold before writers wait, who go on
// at half of it. What it holds can no longer be dropped, so it gets little where
// the policy is to drop.
func (o *Options) transportLimit() int {
	if o.Queue == DropOldest || o.Queue == KeepLatest {
		return min(o.maxQueued(), 128<<10)
	}
	return o.maxQueued()
}

func (o *Options) pingInterval() time.Duration {
	return orDuration(o.PingInterval, DefaultPingInterval)
}
func (o *Options) writeTimeout() time.Duration {
	return orDuration(o.WriteTimeout, DefaultWriteTimeout)
}
func (o *Options) closeTimeout() time.Duration {
	if o.CloseTimeout <= 0 {
		return DefaultCloseTimeout
	}
	return o.CloseTimeout
}

// orDuration makes zero the default and a negative number zero.
func orDuration(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return max(d, 0)
}

func (o *Options) engine() *strand.Engine {
	if o.Engine == nil {
		return strand.Default()
	}
	return o.Engine
}

func (o *Options) logger() *slog.Logger {
	if o.Logger == nil {
		return slog.Default()
	}
	return o.Logger
}

func (p *Compression) wish() ws.Deflate {
	return ws.Deflate{
		ServerNoTakeover: p.ServerNoTakeover,
		ClientNoTakeover: p.ClientNoTakeover,
		ServerBits:       p.ServerBits,
		ClientBits:       p.ClientBits,
	}
}

func (p *Compression) threshold() int {
	if p.Threshold == 0 {
		return 256
	}
	return p.Threshold
}

func (p *Compression) level() int {
	if p.Level < 1 || p.Level > 9 {
		return 1
	}
	return p.Level
}
