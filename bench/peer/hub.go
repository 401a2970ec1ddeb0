package peer

import (
	"sync"
	"sync/atomic"
)

// queueLength is how many messages a subscriber of a hub may be behind before
// it is cut off.
const queueLength = 64

// chanHub is the broadcast that goroutine-per-connection libraries document: a
// bounded channel and a writing goroutine a subscriber, who is disconnected
// when the channel is full.
type chanHub[M any] struct {
	mu   sync.Mutex
	subs map[*subscriber[M]]struct{}
}

type subscriber[M any] struct {
	queue chan M
	cut   func() // disconnects; may be called twice
	gone  atomic.Bool
}

func newChanHub[M any]() *chanHub[M] { return &chanHub[M]{subs: map[*subscriber[M]]struct{}{}} }

// join subscribes, and starts the goroutine that writes.
func (h *chanHub[M]) join(write func(M) error, cut func()) *subscriber[M] {
	s := &subscriber[M]{queue: make(chan M, queueLength), cut: cut}
	h.mu.Lock()
	h.subs[s] = struct{}{}
	h.mu.Unlock()
	go func() {
		for m := range s.queue {
			if write(m) != nil {
				s.cut()
				return
			}
		}
	}()
	return s
}

// leave ends a subscription and its goroutine.
func (h *chanHub[M]) leave(s *subscriber[M]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dropLocked(s)
}

func (h *chanHub[M]) dropLocked(s *subscriber[M]) {
	if s.gone.Swap(true) {
		return
	}
	delete(h.subs, s)
	close(s.queue)
}

// publish queues m for every subscriber.
func (h *chanHub[M]) publish(m M) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		select {
		case s.queue <- m:
		default:
			h.dropLocked(s)
			go s.cut()
		}
	}
}
