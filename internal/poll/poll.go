// Package poll is the kernel's readiness calls and nothing else. Seven functions
// are the whole seam between strand and a platform:
//
//	Open() (Poller, error)
//	Add(fd, token)    report fd's readiness under token from now on, edge-triggered, once
//	                  for both directions; what is ready already is reported too
//	Delete(fd)        report nothing more; events that Wait returned before may still
//	                  name the token, so the token is never reused (its upper half is a
//	                  generation)
//	Wait(events, block)  fill events, waiting for the first if block; a spurious
//	                  return with none is allowed, an event that is not true is allowed
//	                  (but not Dead: that is believed for good)
//	Wake()            make a Wait that is blocked, or the next one, return; any goroutine
//	Look()            make a Wait that is blocked return if there are events, should whoever
//	                  wakes it be late: Go's poller is looked at only by a processor that
//	                  has nothing to run; any goroutine
//	Close()
//
// Add, Delete, Wait and Close are called by the loop's driver only, one at a
// time. A backend that cannot watch descriptors (Portable) serves a loop whose
// connections are all fed by goroutines.
package poll

import "errors"

// Ready says what a descriptor is ready for.
type Ready uint8

// The bits of Ready. Hangup says that the peer will send no more: there may be
// bytes to read before the end. Dead says that both directions ended, or that
// the socket has an error.
const (
	Readable Ready = 1 << iota
	Writable
	Hangup
	Dead
)

// Event is one report of Wait.
type Event struct {
	Token uint64
	Ready Ready
}

// Poller is one backend, one instance a loop.
type Poller interface {
	Add(fd int, token uint64) error
	Delete(fd int) error
	Wait(events []Event, block bool) (int, error)
	Wake() error
	Look() error
	Close() error
}

// ErrUnsupported is returned by the Add of a backend that watches no
// descriptors.
var ErrUnsupported = errors.New("poll: this backend watches no descriptors")

// Portable is the backend of platforms without a readiness call of ours, and
// of tests: it only waits to be woken.
type Portable struct{ wake chan struct{} }

// NewPortable returns a Portable.
func NewPortable() *Portable { return &Portable{wake: make(chan struct{}, 1)} }

// Add returns ErrUnsupported.
func (p *Portable) Add(int, uint64) error { return ErrUnsupported }

// Delete returns ErrUnsupported.
func (p *Portable) Delete(int) error { return ErrUnsupported }

// Wait returns no events; with block it returns after the next Wake.
func (p *Portable) Wait(_ []Event, block bool) (int, error) {
	if block {
		<-p.wake
	}
	return 0, nil
}

// Wake makes a blocked or the next blocking Wait return.
func (p *Portable) Wake() error {
	select {
	case p.wake <- struct{}{}:
	default: // a wake-up is pending already
	}
	return nil
}

// Look does nothing.
func (p *Portable) Look() error { return nil }

// Close does nothing.
func (p *Portable) Close() error { return nil }
