package strand

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/d74363f0/strand/internal/buf"
)

// Stats are an engine's counts since it began. Blocks are the process's.
type Stats struct {
	Conns        int64  // open connections
	Accepted     uint64 // connections accepted, also those beyond Options.MaxConns, which are in neither Conns nor Closed
	Closed       uint64 // connections closed
	AcceptErrors uint64 // failed accepts
	BytesIn      uint64 // bytes read from sockets
	BytesOut     uint64 // bytes the kernel took
	BytesDropped uint64 // accepted by a Write, and never sent because the connection or its output ended

	// Closes counts the ends of connections by what ended them: "local" (Close or
	// Abort, also one that answers the peer's FIN or an error that Read returned, as
	// most ends of HTTP and WebSocket do), "peer" (it had gone, and nobody called
	// Close), "idle timeout", "read timeout", "write timeout", "error" (of the
	// socket, and nobody called Close), "panic" (in a callback), "isolation" and
	// "other".
	Closes map[string]uint64

	// DroppedBytes divides BytesDropped by what ended the connection, with the keys
	// of Closes. A write that failed counts as "error", whatever closes the
	// connection afterwards.
	DroppedBytes map[string]uint64

	// Drops counts the messages that protocols did not send, with the keys that
	// DropReason names. Their bytes were never given to a connection and are not
	// in BytesDropped.
	Drops map[string]uint64

	QueuedBytes int64 // output that waits for peers that do not read

	// What follows with Max is the most that was seen in the present window of 10
	// seconds and the one before. To ask resets nothing.

	MaxQueuedBytes int64 // the most that waited for one peer, seen when it changed or a write was refused

	// MaxBlocks is the most Blocks that the output of one connection held while
	// its peer did not read, seen like MaxQueuedBytes. Output that only waits for
	// its callback to end, strings that are queued without a copy, and what is
	// held for reading are not in it.
	MaxBlocks int64

	BlocksInUse    int64        // pooled Blocks that are taken and not released
	BlocksTaken    int64        // Blocks handed out
	BlocksReleased int64        // Blocks given back
	Blocks         []BlockStats // by size class

	HandOffs   uint64        // known waits: a callback was about to block and gave its loop away first
	Noticed    uint64        // unknown waits: a callback was found blocking
	Spawned    uint64        // turns run in a goroutine because a wait was expected
	Batches    uint64        // turns of the loops
	MaxBatch   time.Duration // the longest a loop went without yielding
	Violations uint64        // isolation violations: 0, or there is a bug in strand
	Uptime     time.Duration // since New
	Loops      int           // event loops
}

// BlockStats are the counts of one size class of Blocks.
type BlockStats struct {
	Size            int // bytes; 0 for memory too large to be pooled
	Taken, Released int64
}

// Stats returns the engine's counts. It is cheap, and consistent enough for a
// graph.
func (e *Engine) Stats() Stats {
	s := Stats{
		Conns:        e.conns.Load(),
		AcceptErrors: e.acceptErrors.Load(),
		Violations:   e.violations.Load(),
		Uptime:       time.Since(e.start),
		Loops:        len(e.shards),
		Closes:       make(map[string]uint64, causes),
		DroppedBytes: make(map[string]uint64, causes),
		Drops:        make(map[string]uint64, dropReasons),
	}
	for _, lp := range e.shards {
		s.Accepted += lp.accepted.Load()
		s.Closed += lp.closedConns.Load()
		s.BytesIn += lp.in.Load()
		s.BytesOut += lp.out.Load()
		s.QueuedBytes += lp.queued.Load()
		now := lp.Now()
		s.MaxQueuedBytes = max(s.MaxQueuedBytes, lp.maxQueued.Load(now))
		s.MaxBlocks = max(s.MaxBlocks, lp.maxBlocks.Load(now))
		for i := range lp.closes {
			lost := lp.dropped[i].Load()
			s.BytesDropped += lost
			s.Closes[cause(i).String()] += lp.closes[i].Load()
			s.DroppedBytes[cause(i).String()] += lost
		}
		for i := range lp.drops {
			s.Drops[DropReason(i).String()] += lp.drops[i].Load()
		}
		ls := lp.Loop.Stats()
		s.HandOffs += ls.HandOffs
		s.Noticed += ls.Noticed
		s.Spawned += ls.Spawned
		s.Batches += ls.Turns
		s.MaxBatch = max(s.MaxBatch, ls.MaxBatch)
	}
	for _, b := range buf.Stats() {
		s.Blocks = append(s.Blocks, BlockStats(b))
		s.BlocksTaken += b.Taken
		s.BlocksReleased += b.Released
	}
	s.BlocksInUse = s.BlocksTaken - s.BlocksReleased
	return s
}

// cause is what ended a connection, for counting.
type cause int

const (
	causeLocal cause = iota
	causePeer
	causeIdle
	causeRead
	causeWrite
	causeError
	causePanic
	causeIsolation
	causeOther
	causes = iota
)

func (k cause) String() string {
	return [causes]string{"local", "peer", "idle timeout", "read timeout", "write timeout", "error", "panic", "isolation", "other"}[k]
}

func causeOf(err error) cause {
	var op *net.OpError
	switch {
	case err == errLocalClose:
		return causeLocal
	case errors.Is(err, io.EOF):
		return causePeer
	case err == ErrIdleTimeout:
		return causeIdle
	case err == ErrReadTimeout:
		return causeRead
	case err == ErrWriteTimeout:
		return causeWrite
	case errors.Is(err, ErrPanic):
		return causePanic
	case errors.Is(err, ErrIsolation):
		return causeIsolation
	case errors.As(err, &op):
		return causeError
	}
	return causeOther
}
