package loop

import "github.com/d74363f0/strand/internal/poll"

// In a batch of events the system calls of one kind are made together: what the callbacks
// wrote is sent some turns later, many connections' at once, and in a large batch what
// has arrived is read for many before the first of them has its turn. The peers' processes are then
// woken once and find work until the next such burst, in place of being woken for each
// response, which is the dearest part of a small write; and each kind of work, in the kernel
// and above it, finds its instructions in the cache. Nobody waits for long: see burstSize,
// and burstLong for callbacks that are slow without warning.
const (
	burstBatch = 64                     // events of a batch from which a burst is burstMost
	burstMost  = 32                     // events of a large burst
	burstLeast = 8                      // events of a batch from which there are bursts at all
	burstFew   = 4                      // events of a burst in a batch below burstBatch: peers that are few wait for each
	burstLook  = 8                      // turns after which the clock is looked at
	burstQuick = 20 * 1000              // nanoseconds an event of the last batch may have taken, on average
	burstLong  = burstMost * burstQuick // nanoseconds after which a burst is sent as it is
)

// Defer reports whether s waits: its Deferred is called some events later, at
// the end of the batch's at the latest, or by the next driver if this one is
// replaced before. Only the driver may call it.
func (l *Loop) Defer(s Source) bool {
	if l.burst == 0 {
		return false
	}
	if len(l.late) == 0 {
		l.lateAt = l.at
	}
	l.late = append(l.late, s)
	return true
}

// flushInTime calls what Defer put off if a burst is over: that is a number of events, whether
// their turns wrote anything or not. It is called before each.
func (l *Loop) flushInTime() {
	n := l.at - l.lateAt + 1
	if n >= l.burst || n%burstLook == 0 && l.clock()-l.flushed > burstLong {
		l.flush()
		l.flushed = l.clock()
	}
}

// flush calls what Defer put off.
func (l *Loop) flush() {
	for i, s := range l.late {
		l.late[i] = nil
		s.Deferred()
	}
	l.late = l.late[:0]
}

// readAhead offers the next events of the batch to their sources, before the first of them
// has its turn. Who takes it up is in early from then on, and whoever drives the loop by then runs it.
func (l *Loop) readAhead() {
	l.aheadTo = min(l.at+burstMost, l.n)
	for i := l.at; i < l.aheadTo; i++ {
		ev := &l.events[i]
		if ev.Ready&poll.Readable == 0 {
			continue
		}
		if _, src := l.slots.find(ev.Token); src != nil && src.Ahead(ev.Ready) {
			l.early[i%burstMost] = src
		}
	}
}

// burstSize returns the size of the bursts for a batch of n events, fetched when the one
// before had ended at now; 0 if its turns are not to be put off: only if the last batch was
// quick need the first not wait long for those behind it.
func (l *Loop) burstSize(n int, now int64) int {
	if l.n > 0 {
		l.quick = now-l.began < int64(l.n)*burstQuick
	}
	least, few := burstLeast, burstFew
	if l.sim != nil {
		least, few = 2, burstMost // a simulation has no large batches
	}
	switch {
	case !l.quick || n < least:
		return 0
	case n < burstBatch:
		return few
	}
	return burstMost
}
