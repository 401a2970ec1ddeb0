package loop

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand/internal/poll"
)

// start returns a loop that runs until the test ends.
func start(t *testing.T) *Loop {
	t.Helper()
	watch := NewWatchdog()
	watch.Start()
	began := time.Now()
	l := New(poll.NewPortable(), watch, slog.New(slog.NewTextHandler(io.Discard, nil)), func() int64 { return int64(time.Since(began)) })
	l.Start()
	t.Cleanup(func() {
		l.Stop()
		select {
		case <-l.Done():
		case <-time.After(20 * time.Second):
			t.Error("the loop does not end")
		}
		watch.Stop()
	})
	return l
}

// soon waits for ch.
func soon(t *testing.T, ch <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s does not happen", what)
	}
}

// source is a Source made of functions.
type source struct {
	l        *Loop
	id       uint64
	run      func()
	expire   func(now uint32)
	unlink   func()
	replaced func()
}

func (s *source) Event(poll.Ready) bool { return true }

func (s *source) Run() bool {
	ticket := s.l.Enter(s.id, s)
	s.run()
	return s.l.Leave(ticket)
}

func (s *source) Expire(now uint32) bool {
	s.expire(now)
	return true
}

func (s *source) Unlink() bool {
	s.unlink()
	return true
}

func (s *source) Deferred() {}

func (s *source) Ahead(poll.Ready) bool { return false }

func (s *source) Replaced() {
	if s.replaced != nil {
		s.replaced()
	}
}

// TestPost posts from many goroutines while the loop falls asleep again and
// again: nothing is lost, and all of it runs one at a time.
func TestPost(t *testing.T) {
	l := start(t)
	const posts = 5000
	var wg sync.WaitGroup
	ran := 0
	done := make(chan struct{})
	var inside atomic.Int32
	for range 4 {
		wg.Go(func() {
			for i := range posts {
				l.Post(func() {
					if inside.Add(1) != 1 {
						t.Error("two tasks at once")
					}
					ran++
					if ran == 4*posts {
						close(done)
					}
					inside.Add(-1)
				})
				if i%64 == 0 {
					time.Sleep(10 * time.Microsecond)
				}
			}
		})
	}
	wg.Wait()
	soon(t, done, "the last of the posts")
}

func TestScheduleOneByOne(t *testing.T) {
	l := start(t)
	for i := range 200 {
		ran := make(chan struct{})
		s := &source{l: l, id: uint64(i + 1), run: func() { close(ran) }}
		if !l.Schedule(s) {
			t.Fatal("the loop has ended")
		}
		soon(t, ran, "a turn")
	}
}

// TestHandOff blocks in user code, says so before, and wants the loop to go on.
func TestHandOff(t *testing.T) {
	l := start(t)
	const blocked = 50
	release := make(chan struct{})
	var back sync.WaitGroup
	back.Add(blocked)
	for i := range uint64(blocked) {
		s := &source{l: l, id: i + 1}
		s.run = func() {
			defer back.Done()
			if !l.Inline(s.id) || l.Inline(s.id+1000) {
				t.Error("the loop does not know whose code it runs")
			}
			if !l.HandOff(s.id) {
				t.Error("the hand-off fails while the source holds the loop")
			}
			if l.Inline(s.id) || l.HandOff(s.id) {
				t.Error("the source still holds the loop after the hand-off")
			}
			<-release
		}
		l.Schedule(s)
	}
	ran := make(chan struct{})
	l.Schedule(&source{l: l, id: 9999, run: func() { close(ran) }})
	soon(t, ran, "a turn behind those that block")
	close(release)
	back.Wait()
	if n := l.Stats().HandOffs; n != blocked {
		t.Errorf("%d hand-offs were counted of %d", n, blocked)
	}
}

// TestHandOffRace has the watchdog's look and the source's own hand-off compete
// for one turn: one of them wins, one driver follows.
func TestHandOffRace(t *testing.T) {
	l := start(t)
	var drivers atomic.Int32
	for i := range uint64(300) {
		done := make(chan struct{})
		s := &source{l: l, id: i + 1}
		s.run = func() {
			defer close(done)
			before := l.stats.noticed.Load() // the watchdog itself may come first
			w := l.word.Load()
			var wg sync.WaitGroup
			var won atomic.Uint64
			wg.Go(func() { l.notice(w) })
			wg.Go(func() {
				if l.HandOff(s.id) {
					won.Add(1)
				}
			})
			wg.Wait()
			if n := won.Load() + l.stats.noticed.Load() - before; n != 1 {
				t.Errorf("%d took the loop over at once", n)
			}
		}
		l.Schedule(s)
		soon(t, done, "a turn")
		// Whoever drives runs this alone.
		for range 4 {
			ran := make(chan struct{})
			l.Post(func() {
				if n := drivers.Add(1); n > 1 {
					t.Errorf("%d drivers at once", n)
				}
				drivers.Add(-1)
				close(ran)
			})
			soon(t, ran, "a task")
		}
	}
}

// TestWatchdog holds the loop without a word: it is taken away, and the source
// is told.
func TestWatchdog(t *testing.T) {
	l := start(t)
	told := make(chan struct{})
	release := make(chan struct{})
	left := make(chan bool, 1)
	s := &source{l: l, id: 1}
	s.replaced = func() { close(told) }
	held := &holder{s, release, left}
	l.Schedule(held)
	soon(t, told, "the watchdog's notice")
	ran := make(chan struct{})
	l.Schedule(&source{l: l, id: 2, run: func() { close(ran) }})
	soon(t, ran, "a turn beside the one that blocks")
	close(release)
	if <-left {
		t.Error("a driver that was replaced is told that it drives")
	}
	if n := l.Stats().Noticed; n == 0 {
		t.Error("nothing was counted")
	}
}

// holder holds the loop until it is released, and says what Leave said.
type holder struct {
	*source
	release chan struct{}
	left    chan bool
}

func (h *holder) Run() bool {
	ticket := h.l.Enter(h.id, h.source)
	<-h.release
	driving := h.l.Leave(ticket)
	h.left <- driving
	return driving
}

// TestNoticeIsLate wants a notice about a turn that has ended to do nothing.
func TestNoticeIsLate(t *testing.T) {
	l := start(t)
	var old uint64
	ran := make(chan struct{})
	l.Schedule(&source{l: l, id: 1, run: func() {
		old = l.word.Load()
		close(ran)
	}})
	soon(t, ran, "a turn")
	done := make(chan struct{})
	l.Post(func() {
		before := l.word.Load()
		l.notice(old)
		if l.word.Load() != before {
			t.Error("a late notice took the loop")
		}
		close(done)
	})
	soon(t, done, "a task")
}

// TestAbandon ends the driver's goroutine in user code.
func TestAbandon(t *testing.T) { // hazard 147
	l := start(t)
	s := &quitter{source: &source{l: l, id: 1}}
	l.Schedule(s)
	ran := make(chan struct{})
	l.Schedule(&source{l: l, id: 2, run: func() { close(ran) }})
	soon(t, ran, "a turn after the driver has gone")
}

// quitter abandons the loop as Goexit does.
type quitter struct{ *source }

func (q *quitter) Run() bool {
	ticket := q.l.Enter(q.id, q.source)
	q.l.Abandon(ticket)
	return false
}

// TestSpawn wants turns in goroutines after several unannounced waits.
func TestSpawn(t *testing.T) {
	l := start(t)
	done := make(chan struct{})
	l.Post(func() {
		if l.Spawn() {
			t.Error("a new loop expects waits")
		}
		l.spawn = 2
		if first, second, third := l.Spawn(), l.Spawn(), l.Spawn(); !first || !second || third {
			t.Error("Spawn is not counted down")
		}
		close(done)
	})
	soon(t, done, "a task")
	if n := l.Stats().Spawned; n != 2 {
		t.Errorf("%d spawned", n)
	}
}

// TestTimers arms timers of the loop: each fires once, not before its tick, and
// not after its source has gone.
func TestTimers(t *testing.T) {
	l := start(t)
	fired := make(chan struct{})
	early := false
	s := &source{l: l, id: 1}
	gone := &source{l: l, id: 2, expire: func(uint32) { t.Error("the timer of a source that has gone fires") }}
	times := 0
	linked := make(chan struct{})
	l.Post(func() {
		token := l.Link(s)
		when := l.Tick(50 * time.Millisecond)
		s.expire = func(now uint32) {
			early = Before(now, when)
			if times++; times == 1 {
				l.Arm(token, l.Tick(100*time.Millisecond)) // and once more, behind the other's time
				return
			}
			l.Unlink(token)
			close(fired)
		}
		l.Arm(token, when)
		other := l.Link(gone)
		l.Arm(other, when)
		l.Unlink(other)
		l.Arm(other, when) // a stale token does nothing
		close(linked)
	})
	soon(t, linked, "a task")
	soon(t, fired, "the timer")
	if early {
		t.Error("the timer was early")
	}
}

// TestDrop wants Unlink called, AtEnd run behind it, and posts refused at the
// end.
func TestDrop(t *testing.T) {
	l := start(t)
	ended := make(chan struct{})
	s := &source{l: l, id: 1}
	var token uint64
	s.unlink = func() {
		l.Unlink(token)
		l.Unlink(token) // stale: nothing
		l.AtEnd(func() { close(ended) })
	}
	l.Post(func() { token = l.Link(s) })
	l.Drop(s)
	soon(t, ended, "the end of the batch")
	l.Stop()
	soon(t, l.Done(), "the loop's end")
	if l.Post(func() {}) || l.Schedule(s) || l.Drop(s) {
		t.Error("a loop that has ended accepts posts")
	}
}

// TestAlarmThatRang wants an alarm set anew that has rung while the driver did
// not wait: the Wait that swallowed it may have lagged behind the clock.
func TestAlarmThatRang(t *testing.T) {
	p := poll.NewPortable()
	var now int64
	l := New(p, NewWatchdog(), slog.New(slog.NewTextHandler(io.Discard, nil)), func() int64 { return now })
	l.Arm(l.Link(&idle{}), 5)
	now = 4*TickDuration + TickDuration/2
	l.nowT.Store(4)
	l.setAlarm(now)
	l.alarm.Stop() // it has rung, and the wake-up is gone
	now = 5*TickDuration + 1
	l.setAlarm(now) // nowT says that it is still to come
	woken := make(chan struct{})
	go func() {
		_, _ = p.Wait(nil, true)
		close(woken)
	}()
	soon(t, woken, "the alarm")
}

// broken is a poller whose descriptor is none.
type broken struct{ *poll.Portable }

func (broken) Wait([]poll.Event, bool) (int, error) { return 0, os.ErrInvalid }

// TestBrokenPoller: a loop whose poller fails does not go on deaf.
func TestBrokenPoller(t *testing.T) { // hazard 148
	l := New(broken{poll.NewPortable()}, NewWatchdog(), slog.New(slog.DiscardHandler), func() int64 { return 0 })
	defer func() {
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), os.ErrInvalid.Error()) {
			t.Errorf("%v; want a panic that says %q", v, os.ErrInvalid)
		}
	}()
	l.fetch()
}
