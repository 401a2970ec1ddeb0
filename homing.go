package strand

import (
	"strings"
	"sync"
	"time"

	"github.com/d74363f0/strand/internal/buf"
)

// homing is the debug build's list of an engine's connections, by which it
// knows, when the engine has ended, whether all their Blocks have come home.
type homing struct {
	mu    sync.Mutex
	conns map[uint64]*Conn // mu
}

func (h *homing) add(c *Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conns == nil {
		h.conns = make(map[uint64]*Conn)
	}
	h.conns[c.id] = c
}

// ended reports whether the connection id was ours and has seen its last
// callback. One that has not, because a callback outlives the engine, still
// holds what it needs.
func (h *homing) ended(id uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.conns[id]
	return c != nil && c.is(stClosed) && !c.is(stBusy)
}

// homeTime is how long, at the most, a goroutine that waits in a foreign net.Conn may take to
// notice that it was closed.
var homeTime = 5 * time.Second

// check panics if a Block of an ended connection is still taken.
func (h *homing) check() {
	var lost []string
	for end := time.Now().Add(homeTime); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if lost = buf.Held(h.ended); len(lost) == 0 {
			return
		}
	}
	panic("strand: the engine has ended, and nobody has released\n" + strings.Join(lost, "\n"))
}
