package serve

import (
	"sync"
	"sync/atomic"
)

// queueLength is how many messages a subscriber of a hub may be behind before
// it is cut off.
const queueLength = 64

// ChanHub is the broadcast that goroutine-per-connection libraries document: a
// bounded channel and a writing goroutine a subscriber, who is disconnected
// when the channel is full.
type ChanHub[M any] struct {
	mu   sync.Mutex
	subs map[*Subscriber[M]]struct{}
}

// Subscriber is one of a ChanHub.
type Subscriber[M any] struct {
	queue chan M
	cut   func() // disconnects; may be called twice
	gone  atomic.Bool
}

// NewChanHub returns one without subscribers.
func NewChanHub[M any]() *ChanHub[M] { return &ChanHub[M]{subs: map[*Subscriber[M]]struct{}{}} }

// Join subscribes, and starts the goroutine that writes.
func (h *ChanHub[M]) Join(write func(M) error, cut func()) *Subscriber[M] {
	s := &Subscriber[M]{queue: make(chan M, queueLength), cut: cut}
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

// Leave ends a subscription and its goroutine.
func (h *ChanHub[M]) Leave(s *Subscriber[M]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dropLocked(s)
}

func (h *ChanHub[M]) dropLocked(s *Subscriber[M]) {
	if s.gone.Swap(true) {
		return
	}
	delete(h.subs, s)
	close(s.queue)
}

// Publish queues m for every subscriber.
func (h *ChanHub[M]) Publish(m M) {
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
