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
	Idle          time.Duration // since a byte last moved, coarse
	Buffered      int           // bytes accepted and not taken by the kernel
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

// info makes nothing that outlives it: RemoteAddr would keep what it finds.
func (c *Conn) info() ConnInfo {
	i := ConnInfo{ID: c.id, State: c.activity(), Buffered: int(c.outSize.Load())}
	c.mu.Lock() // SetHandler may run at this moment
	i.Handler = fmt.Sprintf("%T", c.handler)
	c.mu.Unlock()
	if a := c.link.local(); a != nil {
		i.Local = a.String()
	}
	if a := c.link.remote(c.peer); a != nil {
		i.Remote = a.String()
	}
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
