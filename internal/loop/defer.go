package loop

// What the callbacks of a large batch wrote is sent some turns later, many
// connections' at once: the peers' processes are then woken once and find work
// until the next such burst, in place of being woken for each response, which is
// the dearest part of a small write. Nobody waits for long: see mayGather, and deferLong
// for callbacks that are slow without warning.
const (
	deferBatch = 64                    // events of a batch from which it is worth it
	deferMax   = 32                    // sources that wait at the most
	deferLook  = 8                     // turns after which the clock is looked at
	deferQuick = 20 * 1000             // nanoseconds an event of the last batch may have taken, on average
	deferLong  = deferMax * deferQuick // nanoseconds after which a burst is sent as it is
)

// Defer reports whether s waits: its Deferred is called after some more turns, at
// the end of the batch's events at the latest, or by the next driver if this one is
// replaced before. Only the driver may call it.
func (l *Loop) Defer(s Source) bool {
	if !l.gather {
		return false
	}
	l.late = append(l.late, s)
	if n := len(l.late); n >= deferMax || n%deferLook == 0 && l.clock()-l.flushed > deferLong {
		l.flush()
		l.flushed = l.clock()
	}
	return true
}

// flush calls what Defer put off.
func (l *Loop) flush() {
	for i, s := range l.late {
		l.late[i] = nil
		s.Deferred()
	}
	l.late = l.late[:0]
}

// mayGather decides for a batch of n events, fetched when the one before had ended at
// now, whether its turns may be put off: only if the last batch was quick, so that the
// first need not wait long for those behind it.
func (l *Loop) mayGather(n int, now int64) bool {
	if l.n > 0 {
		l.quick = now-l.began < int64(l.n)*deferQuick
	}
	least := deferBatch
	if l.sim != nil {
		least = 2 // a simulation has no large batches
	}
	return l.quick && n >= least
}
