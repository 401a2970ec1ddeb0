package strand

import (
	"fmt"
	"sync"
	"time"

	"github.com/d74363f0/strand/internal/loop"
)

// ConnInfo is what Engine.Conns says of one connection, for a person who looks
// for the one that is slow.
type ConnInfo struct {
	ID            uint64        // Conn.ID
	Local, Remote string        // addresses; empty if not known
	Handler       string        // the type of its Handler, which is what it speaks
	State         string        // idle, running, waiting, handshake, paused, hijacked, closing, closed
	Age           time.Duration // since the loop took it, coarse; begins anew after 834 days
	Idle          time.Duration // since a byte last moved, coarse
	Buffered      int           // bytes accepted and not taken by the kernel
	Blocks        int           // pooled Blocks that its output holds; see Stats.MaxBlocks

	// BytesIn and BytesOut are what the socket moved, in all: of a TLS connection
	// records and handshake. For a connection that was made of another kind of
	// net.Conn they are what that one moved, of its own TLS therefore the plain
	// text, and what was read ahead counts when it is taken.
	BytesIn, BytesOut uint64
}

// Conns describes the connections that are open at this moment, in no order. It
// visits each loop in turn and is meant for looking, not for steering.
func (e *Engine) Conns() []ConnInfo {
	var mu sync.Mutex
	var all []ConnInfo
	e.each(func(c *Conn) {
		i := c.info()
		mu.Lock()
		defer mu.Unlock()
		all = append(all, i)
	})
	return all
}

// info is run by the driver. It makes nothing that outlives it.
func (c *Conn) info() ConnInfo {
	i := ConnInfo{ID: c.id, State: c.activity(), Buffered: int(c.outSize.Load()), BytesIn: c.BytesIn()}
	c.mu.Lock() // SetHandler may run at this moment
	i.Handler = fmt.Sprintf("%T", c.handler)
	i.Blocks, i.BytesOut = c.blocks(), c.taken()
	c.mu.Unlock()
	if a := c.link.local(); a != nil {
		i.Local = a.String()
	}
	if a := c.RemoteAddr(); a != nil {
		i.Remote = a.String()
	}
	i.Age = time.Duration(c.lp.Now()-c.lp.Since(c.token)) * loop.TickDuration
	if ticks := int32(c.lp.Now() - c.lastIO.Load()); ticks > 0 {
		i.Idle = time.Duration(ticks) * loop.TickDuration
	}
	return i
}

// activity names the state for a person.
func (c *Conn) activity() string {
	c.mu.Lock()
	phase := c.phase
	c.mu.Unlock()
	s := c.state.Load()
	switch {
	case phase == closed:
		return "closed"
	case phase == closing:
		return "closing"
	case s&stOwned != 0:
		return "hijacked"
	case s&stShaking != 0:
		return "handshake"
	case s&stParked != 0:
		return "waiting"
	case s&stBusy != 0:
		return "running"
	case s&stPaused != 0:
		return "paused"
	}
	return "idle"
}
