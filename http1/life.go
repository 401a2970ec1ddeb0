package http1

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/d74363f0/strand"
)

// lifeCtx is the exchange's life. As a context it ends with the exchange, and not when the
// client hangs up: a client that has only closed its half still gets its answer. It bounds
// the waits of Read and Write, and holds the deadlines a handler may set while one of them
// waits, which is why it has a lock of its own.
type lifeCtx struct {
	writeBy atomic.Int64 // until when the response may be written, Unix nanoseconds; 0: no limit

	mu      sync.Mutex
	done    chan struct{}      // mu: made by Done
	waiting context.CancelFunc // mu: wakes the write that waits
	ended   bool               // mu
	readSet bool               // mu: the handler has set a read deadline
	gone    atomic.Bool        // the client hung up
}

// Deadline says that there is none.
func (l *lifeCtx) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done returns a channel that is closed when the exchange ends.
func (l *lifeCtx) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		if l.ended {
			close(l.done)
		}
	}
	return l.done
}

// Err returns errEnded once the exchange has ended.
func (l *lifeCtx) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return errEnded
	}
	return nil
}

// Value returns nil.
func (l *lifeCtx) Value(any) any { return nil }

// end ends the exchange's life: what waits for the client returns, and no deadline of this
// exchange reaches the connection any more.
func (l *lifeCtx) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	if l.done != nil {
		close(l.done)
	}
}

// setRead sets a read deadline on c unless the exchange has ended.
func (l *lifeCtx) setRead(c *strand.Conn, t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return ErrResponseDone
	}
	l.readSet = true
	c.SetReadDeadline(t)
	return nil
}

// setWrite sets the write deadline, also for a write that waits.
func (l *lifeCtx) setWrite(t time.Time) error {
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return ErrResponseDone
	}
	l.writeBy.Store(nanos(t))
	wake := l.waiting
	l.mu.Unlock()
	if wake != nil {
		wake() // without mu: the context's end looks at this one
	}
	return nil
}

// nanos returns t for writeBy, in which the zero Time is 0.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(t.UnixNano(), 1)
}

// expired returns os.ErrDeadlineExceeded once the write deadline has passed.
func (l *lifeCtx) expired() error {
	if by := l.writeBy.Load(); by != 0 && time.Now().UnixNano() >= by {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// patience is the context of a write that may have to wait: it ends with parent, or at the write
// deadline, or limit after it was first asked for, or when the deadline is changed. Most writes never
// wait, so what it takes is made when it is asked for. It is for the goroutine that writes.
type patience struct {
	life   *lifeCtx
	parent context.Context
	limit  time.Duration // 0: none
	ctx    context.Context
	stop   context.CancelFunc
	timer  context.CancelFunc // nil without a deadline
}

func (p *patience) begin() context.Context {
	if p.ctx != nil {
		return p.ctx
	}
	ctx, cancel := context.WithCancel(p.parent)
	l := p.life
	l.mu.Lock()
	l.waiting = cancel // before the deadline is looked at: see setWrite
	l.mu.Unlock()
	by := l.writeBy.Load()
	if p.limit > 0 {
		if next := time.Now().Add(p.limit).UnixNano(); by == 0 || next < by {
			by = next
		}
	}
	if by != 0 {
		ctx, p.timer = context.WithDeadline(ctx, time.Unix(0, by))
	}
	p.ctx, p.stop = ctx, cancel
	return ctx
}

func (p *patience) Deadline() (time.Time, bool) { return p.begin().Deadline() }
func (p *patience) Done() <-chan struct{}       { return p.begin().Done() }
func (p *patience) Err() error                  { return p.begin().Err() }
func (p *patience) Value(any) any               { return nil }

// end gives back what was made.
func (p *patience) end() {
	if p.ctx == nil {
		return
	}
	if p.timer != nil {
		p.timer()
	}
	p.life.mu.Lock()
	p.life.waiting = nil
	p.life.mu.Unlock()
	p.stop()
}
