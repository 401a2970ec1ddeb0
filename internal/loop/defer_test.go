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
	more     func() bool // whether another turn follows
	holds    atomic.Bool // output waits
	deferred func()
}

func (s *talker) Event(poll.Ready) bool {
	ticket := s.l.Enter(s.id, s)
	if s.turn != nil {
		s.turn()
	}
	more := s.more != nil && s.more()
	s.holds.Store(true)
	driving := s.l.Leave(ticket)
	if !driving || !s.l.Defer(s) {
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
		if most.Load() > deferMax {
			t.Fatalf("%d turns' output waited", most.Load())
		}
		if most.Load() == deferMax {
			return // it does wait; a batch that followed one that was held up by the machine need not
		}
	}
	t.Errorf("at the most the output of %d turns waited, want %d", most.Load(), deferMax)
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
	l := &Loop{gather: true, clock: func() int64 { return now }}
	for i := range 2 * deferMax {
		now += 10 * deferQuick
		l.Defer(&talker{})
		if len(l.late) >= deferLook {
			t.Fatalf("turn %d: the output of %d waits for %v", i, len(l.late), time.Duration(now-l.flushed))
		}
	}
}

// TestDeferNotWhenSlow: small batches, and those behind a slow one, are not put off.
func TestDeferNotWhenSlow(t *testing.T) {
	l := &Loop{n: 100}
	for _, c := range []struct {
		n    int
		took int64
		want bool
	}{
		{deferBatch, 100*deferQuick - 1, true},
		{deferBatch - 1, 0, false},
		{deferBatch, 100 * deferQuick, false},
	} {
		if got := l.mayGather(c.n, c.took); got != c.want {
			t.Errorf("%d events behind 100 that took %d ns: %t", c.n, c.took, got)
		}
	}
	l.mayGather(1, 0)
	l.n = 0 // a batch without events says nothing
	if !l.mayGather(deferBatch, 1e9) {
		t.Error("a batch without events counts as slow")
	}
}
