package strand

import (
	"sync"
	"sync/atomic"
	"time"
)

// gate bounds how many handshakes compute at a time, so that a crowd of them
// does not keep the loops from the processors. A handshake that waits for its
// peer holds no turn. One that waits for something else (a certificate being
// fetched, a key in another machine) is found out, as a callback on a loop is:
// after gatePatience its turn goes to the next.
type gate struct {
	slots   chan struct{}
	waiting atomic.Int32

	mu      sync.Mutex
	holders map[*turn]time.Time // mu
	watched bool                // mu: look is about to run
}

// turn is one handshake's place in a gate. It is its goroutine's, but for what
// stands in gate.holders.
type turn struct{ taken bool }

// gatePatience is longer than any computation of a handshake takes.
const gatePatience = 50 * time.Millisecond

func newGate(n int) *gate {
	return &gate{slots: make(chan struct{}, n), holders: make(map[*turn]time.Time, n)}
}

// enter waits for a turn, or for done.
func (g *gate) enter(t *turn, done <-chan struct{}) {
	select {
	case g.slots <- struct{}{}:
	default:
		g.waiting.Add(1)
		g.watch()
		select {
		case g.slots <- struct{}{}:
			g.waiting.Add(-1)
		case <-done:
			g.waiting.Add(-1)
			return
		}
	}
	t.taken = true
	g.mu.Lock()
	g.holders[t] = time.Now()
	g.mu.Unlock()
}

// leave gives the turn back, if t has it, and reports whether it had.
func (g *gate) leave(t *turn) bool {
	if !t.taken {
		return false
	}
	t.taken = false
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.holders[t]; ok { // else it was taken away
		delete(g.holders, t)
		<-g.slots
	}
	return true
}

// watch has look run, while anyone waits.
func (g *gate) watch() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.watched {
		g.watched = true
		time.AfterFunc(gatePatience/2, g.look)
	}
}

// look takes the turns of those that have had them for too long.
func (g *gate) look() {
	g.mu.Lock()
	g.watched = false
	for t, since := range g.holders {
		if time.Since(since) > gatePatience {
			delete(g.holders, t)
			<-g.slots
		}
	}
	g.mu.Unlock()
	if g.waiting.Load() > 0 {
		g.watch()
	}
}
