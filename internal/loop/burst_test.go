package loop

import (
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand/internal/poll"
)

// scripted is a poller that reports batches it is told, then waits to be woken.
type scripted struct {
	*poll.Portable
	batches chan []poll.Event
}

func (p *scripted) Wait(events []poll.Event, block bool) (int, error) {
	select {
	case b := <-p.batches:
		return copy(events, b), nil
	default:
		return p.Portable.Wait(events, block)
	}
}

// talker is a Source each of whose turns leaves output that waits.
type talker struct {
	l        *Loop
	id       uint64
	turn     func()
	silent   bool        // but for this one, which leaves nothing
	more     func() bool // whether another turn follows
	holds    atomic.Bool // output waits
	deferred func()
	ahead    func() bool
}

func (s *talker) Event(poll.Ready) bool {
	ticket := s.l.Enter(s.id, s)
	if s.turn != nil {
		s.turn()
	}
	more := s.more != nil && s.more()
	s.holds.Store(!s.silent)
	driving := s.l.Leave(ticket)
	if !driving || !s.silent && !s.l.Defer(s) {
		s.Deferred()
	}
	if more {
		if driving {
			s.l.Again(s)
		} else {
			s.l.Schedule(s)
		}
	}
	return driving
}

func (s *talker) Deferred() {
	if s.holds.CompareAndSwap(true, false) && s.deferred != nil {
		s.deferred()
	}
}

func (s *talker) Ahead(poll.Ready) bool {
	if s.ahead == nil {
		return false
	}
	return s.ahead()
}

func (s *talker) Run() bool          { return s.Event(0) }
func (s *talker) Expire(uint32) bool { return true }
func (s *talker) Unlink() bool       { return true }
func (s *talker) Replaced()          { s.Deferred() }

// talkers starts a loop with n talkers, whose batch fire reports.
func talkers(t *testing.T, n int) (all []*talker, fire func()) {
	t.Helper()
	p := &scripted{poll.NewPortable(), make(chan []poll.Event, 8)}
	watch := NewWatchdog()
	watch.Start()
	began := time.Now()
	l := New(p, watch, slog.New(slog.NewTextHandler(io.Discard, nil)), func() int64 { return int64(time.Since(began)) })
	var batch []poll.Event
	for i := range n {
		s := &talker{l: l, id: uint64(i + 1)}
		batch = append(batch, poll.Event{Token: l.Link(s), Ready: poll.Readable})
		all = append(all, s)
	}
	l.Start()
	t.Cleanup(func() {
		l.Post(func() {
			for _, ev := range batch {
				l.Unlink(ev.Token)
			}
		})
		l.Stop()
		soon(t, l.Done(), "the loop's end")
		watch.Stop()
	})
	return all, func() {
		p.batches <- batch
		if err := p.Wake(); err != nil {
			t.Error(err)
		}
	}
}

// TestDefer: the output of a large batch that follows a quick one is sent in bursts,
// and all of it before the loop waits.
func TestDefer(t *testing.T) {
	all, fire := talkers(t, 100)
	var turns, most, sent atomic.Int64
	done := make(chan struct{}, 1)
	for _, s := range all {
		s.turn = func() {
			most.Store(max(most.Load(), turns.Add(1)-sent.Load()))
		}
		s.deferred = func() {
			if sent.Add(1)%100 == 0 {
				done <- struct{}{}
			}
		}
	}
	for range 20 {
		fire()
		soon(t, done, "the last output")
		if most.Load() > burstMost {
			t.Fatalf("%d turns' output waited", most.Load())
		}
		if most.Load() == burstMost {
			return // it does wait; a batch that followed one that was held up by the machine need not
		}
	}
	t.Errorf("at the most the output of %d turns waited, want %d", most.Load(), burstMost)
}

// TestDeferBehindOneThatBlocks: what earlier turns wrote does not wait for a callback
// that blocks unannounced; the next driver sends it.
func TestDeferBehindOneThatBlocks(t *testing.T) {
	all, fire := talkers(t, 100)
	release := make(chan struct{})
	defer close(release)
	sent := make(chan struct{}, 1000)
	var block atomic.Bool
	for i, s := range all {
		s.deferred = func() { sent <- struct{}{} }
		if i == 40 {
			s.turn = func() {
				if block.Load() {
					<-release
				}
			}
		}
	}
	for range 3 { // so that a quick batch has been seen
		fire()
		for range all {
			<-sent
		}
	}
	block.Store(true)
	fire()
	for range len(all) - 1 {
		select {
		case <-sent:
		case <-time.After(20 * time.Second):
			t.Fatal("output waits for a callback that blocks")
		}
	}
}

// TestDeferBehindHandOff is the same for a callback that says that it blocks, and the
// next driver sends before it does anything else.
func TestDeferBehindHandOff(t *testing.T) {
	all, fire := talkers(t, 100)
	const blocks = 40
	release := make(chan struct{})
	defer close(release)
	sent := make(chan struct{}, 1000)
	waited := make(chan int, 10)
	var block atomic.Bool
	for i, s := range all {
		s.deferred = func() { sent <- struct{}{} }
		switch i {
		case blocks:
			s.turn = func() {
				if block.Load() {
					s.l.HandOff(s.id)
					<-release
				}
			}
		case blocks + 1:
			s.turn = func() {
				n := 0
				for _, earlier := range all[:blocks] {
					if earlier.holds.Load() {
						n++
					}
				}
				waited <- n
			}
		}
	}
	for range 3 {
		fire()
		for range all {
			<-sent
		}
		<-waited
	}
	block.Store(true)
	stats := &all[0].l.stats
	noticed := stats.noticed.Load()
	fire()
	if n := <-waited; n > 0 && stats.noticed.Load() == noticed { // else one that was held up sends by itself
		t.Errorf("the output of %d turns waits behind the next driver's first", n)
	}
	for range len(all) - 1 {
		select {
		case <-sent:
		case <-time.After(20 * time.Second):
			t.Fatal("output waits for a callback that blocks")
		}
	}
}

// TestDeferNotBehindTheEvents: a turn behind a batch's events is not put off, for
// nothing but the next event would send its output.
func TestDeferNotBehindTheEvents(t *testing.T) {
	all, fire := talkers(t, 100)
	sent := make(chan struct{}, 1000)
	for _, s := range all {
		first := false
		s.more = func() bool {
			first = !first
			return first
		}
		s.deferred = func() { sent <- struct{}{} }
	}
	for range 5 { // the batch behind a quick one is gathered
		fire()
		for i := range 2 * len(all) {
			select {
			case <-sent:
			case <-time.After(20 * time.Second):
				t.Fatalf("the output of %d turns is not sent", 2*len(all)-i)
			}
		}
	}
}

// TestDeferNotBehindSlowTurns: turns that become slow within a batch do not hold the output of those before for as
// long as many of them take.
func TestDeferNotBehindSlowTurns(t *testing.T) {
	var now int64
	l := &Loop{burst: burstMost, clock: func() int64 { return now }}
	for i := range 2 * burstMost {
		now += 10 * burstQuick
		l.at++
		l.Defer(&talker{})
		l.flushInTime()
		if len(l.late) >= burstLook {
			t.Fatalf("turn %d: the output of %d waits for %v", i, len(l.late), time.Duration(now-l.flushed))
		}
	}
}

// TestReadAhead: the sources of a group read before the first of them has its turn, those that
// did are run and the others told of their event, each once.
func TestReadAhead(t *testing.T) {
	all, fire := talkers(t, 100)
	var ahead, begun atomic.Int64
	var first atomic.Int64 // how many had read when the first of the batch had its turn
	done := make(chan struct{}, 1)
	for i, s := range all {
		s.ahead = func() bool {
			ahead.Add(1)
			return i%2 == 0
		}
		s.turn = func() {
			if n := begun.Add(1); n%100 == 1 {
				first.Store(ahead.Load())
			}
			if n := begun.Load(); n%100 == 0 {
				done <- struct{}{}
			}
		}
	}
	for range 20 {
		ahead.Store(0)
		fire()
		soon(t, done, "the last turn")
		if n := begun.Load(); n%100 != 0 {
			t.Fatalf("%d turns", n)
		}
		if n := ahead.Load(); n == 100 && first.Load() == burstMost {
			return
		} else if n != 0 && n != 100 {
			t.Fatalf("%d of 100 were asked to read ahead", n)
		}
	}
	t.Error("nobody was asked to read ahead")
}

// TestReadAheadBehindOneThatBlocks: those that have read ahead have their turns though the
// driver is held up by one of them; the next driver runs them.
func TestReadAheadBehindOneThatBlocks(t *testing.T) {
	all, fire := talkers(t, 100)
	release := make(chan struct{})
	defer close(release)
	var ahead atomic.Int64
	var block atomic.Bool
	turns := make(chan int, 1000)
	for i, s := range all {
		s.ahead = func() bool { ahead.Add(1); return true }
		s.turn = func() {
			turns <- i
			if i == 40 && block.Load() {
				<-release
			}
		}
	}
	for range 20 {
		if ahead.Load() >= 100 {
			block.Store(true)
		}
		ahead.Store(0)
		fire()
		seen := make(map[int]bool)
		for range all {
			select {
			case i := <-turns:
				if seen[i] {
					t.Fatalf("two turns of %d", i)
				}
				seen[i] = true
			case <-time.After(20 * time.Second):
				t.Fatalf("%d turns of 100", len(seen))
			}
		}
		if block.Load() {
			return
		}
	}
	t.Error("nobody was asked to read ahead")
}

// TestDeferNotBehindSilentTurns: a burst is a number of events, not of outputs; else the only one of a batch would wait for all of it.
func TestDeferNotBehindSilentTurns(t *testing.T) {
	for _, c := range []struct{ events, burst int }{{burstBatch - 1, burstFew}, {burstBatch, burstMost}} {
		all, fire := talkers(t, c.events)
		var turns, waited atomic.Int64
		done := make(chan struct{}, 1)
		for i, s := range all {
			s.silent = i > 0
			s.turn = func() {
				if n := turns.Add(1); n == int64(c.events) {
					turns.Store(0)
					done <- struct{}{}
				}
			}
		}
		all[0].deferred = func() { waited.Store(turns.Load()) }
		most := int64(0)
		for range 20 {
			fire()
			soon(t, done, "the last turn")
			most = max(most, waited.Load())
		}
		if most != int64(c.burst) { // the first turn is its own
			t.Errorf("of %d events the first one's output waited for %d, want %d", c.events, most, c.burst)
		}
	}
}

// TestBurstSize: few are put off in a batch of few, and none in one of hardly any or behind a slow one.
func TestBurstSize(t *testing.T) {
	l := &Loop{n: 100}
	for _, c := range []struct {
		n    int
		took int64
		want int
	}{
		{burstBatch, 100*burstQuick - 1, burstMost},
		{burstBatch - 1, 0, burstFew},
		{burstLeast, 0, burstFew},
		{burstLeast - 1, 0, 0},
		{burstBatch, 100 * burstQuick, 0},
	} {
		if got := l.burstSize(c.n, c.took); got != c.want {
			t.Errorf("%d events behind 100 that took %d ns: bursts of %d, want %d", c.n, c.took, got, c.want)
		}
	}
	l.burstSize(1, 0)
	l.n = 0 // a batch without events says nothing
	if l.burstSize(burstBatch, 1e9) == 0 {
		t.Error("a batch without events counts as slow")
	}
}
