package poll

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// backends are all that Open can return on this platform, and the portable one.
var backends = map[string]func() (Poller, error){
	"platform": Open,
	"portable": func() (Poller, error) { return NewPortable(), nil },
}

// each runs a part of the contract on every backend.
func each(t *testing.T, f func(t *testing.T, p Poller)) {
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			p, err := open()
			if err != nil {
				t.Fatal(err)
			}
			f(t, p)
			if err := p.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// TestWake wants a Wait that is blocked, and the next one, to return.
func TestWake(t *testing.T) {
	each(t, func(t *testing.T, p Poller) {
		events := make([]Event, 8)
		if n, err := p.Wait(events, false); n != 0 || err != nil {
			t.Fatalf("a new poller has %d events, %v", n, err)
		}
		for range 3 { // many wakes are one
			if err := p.Wake(); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := p.Wait(events, true); n != 0 || err != nil {
			t.Fatalf("woken before: %d events, %v", n, err)
		}
		for range 100 {
			woken := make(chan error)
			go func() {
				_, err := p.Wait(events, true)
				woken <- err
			}()
			if err := p.Wake(); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-woken:
				if err != nil {
					t.Fatal(err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("a wake-up was lost")
			}
		}
	})
}

// socket is one end of a pair that is registered, and the other.
type socket struct{ ours, theirs int }

func sockets(t *testing.T) socket {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
	})
	return socket{fds[0], fds[1]}
}

// next returns what the poller reports now of token, all events together.
func next(t *testing.T, p Poller, token uint64) (r Ready) {
	t.Helper()
	events := make([]Event, 8)
	n, err := p.Wait(events, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range events[:n] {
		if ev.Token != token {
			t.Errorf("an event of %#x, and only %#x is registered", ev.Token, token)
		}
		r |= ev.Ready
	}
	return r
}

// TestEdges is the contract of a backend that watches descriptors: news once,
// what was there before Add too, nothing after Delete, tokens whole.
func TestEdges(t *testing.T) {
	each(t, func(t *testing.T, p Poller) {
		s := sockets(t)
		const token = 0xfedcba98_00000007
		if _, err := unix.Write(s.theirs, []byte("early")); err != nil {
			t.Fatal(err)
		}
		err := p.Add(s.ours, token)
		if _, portable := p.(*Portable); portable {
			if err != ErrUnsupported || p.Delete(s.ours) != ErrUnsupported {
				t.Errorf("the portable backend watches a descriptor: %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if r := next(t, p, token); r != Readable|Writable {
			t.Errorf("what was ready before Add is reported as %04b", r)
		}
		if r := next(t, p, token); r != 0 {
			t.Errorf("the same news twice: %04b", r)
		}
		if _, err := unix.Write(s.theirs, []byte("late")); err != nil {
			t.Fatal(err)
		}
		if r := next(t, p, token); r&Readable == 0 {
			t.Errorf("more input is reported as %04b", r)
		}
		if err := unix.Shutdown(s.theirs, unix.SHUT_WR); err != nil {
			t.Fatal(err)
		}
		if r := next(t, p, token); r&(Readable|Hangup) != Readable|Hangup || r&Dead != 0 {
			t.Errorf("the peer's end is reported as %04b", r)
		}
		if err := p.Delete(s.ours); err != nil {
			t.Fatal(err)
		}
		if err := unix.Shutdown(s.theirs, unix.SHUT_RDWR); err != nil {
			t.Fatal(err)
		}
		if r := next(t, p, token); r != 0 {
			t.Errorf("an event after Delete: %04b", r)
		}
		if err := p.Delete(s.ours); err == nil {
			t.Error("Delete of what is not registered succeeds")
		}
	})
}

// TestDead wants the end of both directions reported as such.
func TestDead(t *testing.T) {
	p, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if !Native {
		return
	}
	s := sockets(t)
	if err := p.Add(s.ours, 1); err != nil {
		t.Fatal(err)
	}
	next(t, p, 1)
	if err := unix.Shutdown(s.theirs, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	if r := next(t, p, 1); r != Readable|Writable|Hangup|Dead {
		t.Errorf("the end of both directions is reported as %04b", r)
	}
}

// TestWritableAgain wants news of room after the kernel has refused a write.
func TestWritableAgain(t *testing.T) {
	p, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if !Native {
		return
	}
	s := sockets(t)
	if err := p.Add(s.ours, 1); err != nil {
		t.Fatal(err)
	}
	next(t, p, 1)
	for err = nil; err == nil; {
		_, err = unix.Write(s.ours, make([]byte, 4096))
	}
	if r := next(t, p, 1); r&Writable != 0 {
		t.Errorf("a full socket is writable: %04b", r)
	}
	for err = nil; err == nil; {
		_, err = unix.Read(s.theirs, make([]byte, 1<<16))
	}
	if r := next(t, p, 1); r&Writable == 0 {
		t.Errorf("an emptied socket is not writable: %04b", r)
	}
}

// TestBlocks wants Wait to block until there is an event, and to return then.
func TestBlocks(t *testing.T) {
	p, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if !Native {
		return
	}
	s := sockets(t)
	if err := p.Add(s.ours, 1); err != nil {
		t.Fatal(err)
	}
	next(t, p, 1)
	got := make(chan int)
	go func() {
		events := make([]Event, 8)
		for {
			n, err := p.Wait(events, true)
			if n > 0 || err != nil { // it may return with none
				got <- n
				return
			}
		}
	}()
	time.Sleep(10 * time.Millisecond)
	if _, err := unix.Write(s.theirs, []byte("x")); err != nil {
		t.Fatal(err)
	}
	select {
	case n := <-got:
		if n != 1 {
			t.Errorf("%d events", n)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Wait sleeps through an event")
	}
}

// TestLook wants a Wait that is blocked to return for an event, if only because of Look,
// and to go on waiting if there is none.
func TestLook(t *testing.T) {
	each(t, func(t *testing.T, p Poller) {
		s := sockets(t)
		if err := p.Add(s.ours, 7); err != nil {
			return // Portable watches nothing
		}
		events := make([]Event, 8)
		for { // what is ready from the beginning
			if n, err := p.Wait(events, false); err != nil {
				t.Fatal(err)
			} else if n == 0 {
				break
			}
		}
		returned := make(chan int)
		go func() {
			for {
				n, err := p.Wait(events, true)
				if err != nil {
					t.Error(err)
				}
				returned <- n
				if n > 0 {
					return
				}
			}
		}()
		if err := p.Look(); err != nil {
			t.Fatal(err)
		}
		select {
		case n := <-returned:
			t.Fatalf("Look ended a Wait with %d events", n)
		case <-time.After(20 * time.Millisecond):
		}
		if _, err := unix.Write(s.theirs, []byte("x")); err != nil {
			t.Fatal(err)
		}
		for {
			if err := p.Look(); err != nil {
				t.Fatal(err)
			}
			select {
			case n := <-returned:
				if n == 1 && events[0].Token == 7 {
					return
				}
			case <-time.After(10 * time.Second):
				t.Fatal("the event is not reported")
			}
		}
	})
}
