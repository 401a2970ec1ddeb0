package websocket

import (
	"errors"
	"slices"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/ws"
)

// Drops counts what the queue policy did with messages, each in one of the counts.
// The engine's Stats.Drops counts the same for all its connections.
type Drops struct {
	Refused    uint64 // ErrQueueFull was returned
	Newest     uint64 // thrown away when written
	Oldest     uint64 // thrown away after waiting
	Superseded uint64 // replaced by a later message of the same key
}

// Drops returns the counts so far.
func (c *Conn) Drops() Drops {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.x == nil {
		return Drops{}
	}
	return c.x.drops
}

// queue is messages that the transport has not got yet, because the policy may
// still drop them or because a streamed message is not finished.
type queue struct {
	list  []*outgoing // payloads are copies, or prepared
	keyed map[string]*outgoing
	bytes int
}

// entryCost is what a waiting message takes beside its payload, so that a bound
// in bytes also bounds how many empty messages wait.
const entryCost = 96

func (q *queue) add(m *outgoing) {
	if m.key != "" {
		if q.keyed == nil {
			q.keyed = make(map[string]*outgoing)
		}
		q.keyed[m.key] = m
	}
	q.list = append(q.list, m)
	q.bytes += m.size() + entryCost
}

// shift removes the oldest message.
func (q *queue) shift() *outgoing {
	m := q.list[0]
	q.list[0] = nil
	q.list = q.list[1:]
	q.bytes -= m.size() + entryCost
	if m.key != "" && q.keyed[m.key] == m {
		delete(q.keyed, m.key)
	}
	if len(q.list) == 0 {
		*q = queue{}
	}
	return m
}

// remove takes out a message that is there.
func (q *queue) remove(m *outgoing) {
	i := slices.Index(q.list, m)
	q.list = slices.Delete(q.list, i, i+1)
	q.bytes -= m.size() + entryCost
	delete(q.keyed, m.key)
}

// keep returns what may wait in a queue.
func (m *outgoing) keep() *outgoing {
	k := *m
	k.wait = false
	if k.prep == nil {
		k.p = append(make([]byte, 0, len(m.p)), m.p...)
	}
	return &k
}

// overflowLocked does with a message what the policy says when the transport's
// queue is full.
func (c *Conn) overflowLocked(m *outgoing) error {
	x := c.extraLocked()
	if m.wait {
		return ErrQueueFull
	}
	switch c.o.Queue {
	case DropNewest:
		x.drops.Newest++
		c.sc.CountDrops(strand.DropNewest, 1)
		return nil
	case DropOldest, KeepLatest:
		return c.enqueueLocked(m)
	case CloseSlow:
		x.drops.Refused++
		c.sc.CountDrops(strand.DropSlow, 1)
		c.failLocked(Policy, "slow reader", errSlow)
		return ErrClosed
	}
	x.drops.Refused++
	c.sc.CountDrops(strand.DropRefused, 1)
	return ErrQueueFull
}

// enqueueLocked lets a message wait in our own queue.
func (c *Conn) enqueueLocked(m *outgoing) error {
	x := c.extraLocked()
	q := &x.pending
	if c.o.Queue == KeepLatest && m.key != "" {
		if old := q.keyed[m.key]; old != nil {
			x.drops.Superseded++
			c.sc.CountDrops(strand.DropSuperseded, 1)
			if q.bytes+m.size()-old.size() <= c.o.maxQueued() {
				k := m.keep()
				q.bytes += k.size() - old.size()
				*old = *k
				return nil
			}
			q.remove(old) // it does not fit there: like any other, it may have others dropped
		}
	}
	limit := c.o.maxQueued()
	if m.wait {
		limit /= 2
	}
	need := m.size() + entryCost
	if len(q.list) > 0 && q.bytes+need > limit {
		if m.wait {
			return ErrQueueFull
		}
		switch c.o.Queue {
		case DropOldest, KeepLatest:
			for len(q.list) > 0 && q.bytes+need > limit {
				q.shift()
				x.drops.Oldest++
				c.sc.CountDrops(strand.DropOldest, 1)
			}
		default:
			return c.overflowLocked(m)
		}
	}
	q.add(m.keep())
	c.pumpLocked()
	return nil
}

// pumpLocked gives the transport what waits, as far as there is room. When it
// returns with something left, the kernel takes no more, and OnDrained follows.
func (c *Conn) pumpLocked() {
	x := c.x
	if x == nil || c.state.Load() != stateOpen {
		return
	}
	if x.pong != nil && c.sc.Buffered() <= pongsAtOnce {
		p := x.pong
		x.pong = nil
		_ = c.sendLocked(ws.Header{Fin: true, Op: ws.OpPong}, p)
	}
	for len(x.pending.list) > 0 && !x.streaming {
		if !c.roomLocked(x.pending.list[0]) {
			_ = c.sc.Flush()
			if !c.roomLocked(x.pending.list[0]) {
				return
			}
		}
		if c.sendNextLocked() != nil {
			return
		}
	}
}

// sendNextLocked gives the transport the oldest message that waits. An error
// means that the transport has gone; a message that is too large is dropped.
func (c *Conn) sendNextLocked() error {
	err := c.sendMessageLocked(c.x.pending.shift())
	if err != nil {
		c.sc.CountDrops(strand.DropUnsent, 1)
	}
	if errors.Is(err, strand.ErrTooLarge) {
		return nil
	}
	return err
}

// discardLocked throws away what waits: the connection ends.
func (c *Conn) discardLocked() {
	if c.x != nil {
		c.sc.CountDrops(strand.DropUnsent, len(c.x.pending.list))
		c.x.pending = queue{}
	}
}

// sendPendingLocked gives the transport all that waits, before a close frame.
// Behind an unfinished streamed message nothing can be sent any more.
func (c *Conn) sendPendingLocked() {
	for !c.x.streaming && len(c.x.pending.list) > 0 {
		if c.sendNextLocked() != nil {
			return
		}
	}
}
