package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// counting returns options with an engine of their own, whose counts nobody else moves.
func counting(t *testing.T, policy QueuePolicy) *Options {
	t.Helper()
	e, err := strand.New(strand.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return &Options{MaxQueued: 300 << 10, Queue: policy, Engine: e, Logger: quiet}
}

// wantDrops compares the engine's counts; a reason that is not named must be 0.
func wantDrops(t *testing.T, e *strand.Engine, want map[string]uint64) {
	t.Helper()
	all := map[string]uint64{"refused": 0, "newest": 0, "oldest": 0, "superseded": 0, "slow reader": 0, "unsent": 0}
	maps.Copy(all, want)
	if got := e.Stats().Drops; !maps.Equal(got, all) {
		t.Errorf("the engine counted %v, want %v", got, all)
	}
}

// jam writes until the kernel takes no more and the policy has to act: from then on nothing moves by itself.
func jam(t *testing.T, c *Conn) {
	t.Helper()
	write := func(i int) error { return c.WriteKeyed(fmt.Sprint("key", i%5), Binary, numbered(i)) }
	n := fill(t, c, write)
	for still := 0; still < 30; still++ {
		before := c.sc.Buffered()
		if err := write(n); err != nil && !errors.Is(err, ErrQueueFull) {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
		if n++; before == 0 || c.sc.Buffered() != before {
			still = 0
		}
	}
}

// The transports whose connections belong to Options.Engine.
var ownTransports = []string{"hijack", "foreign"}

// TestDropsOfAllConnections: what each connection's policy dropped adds up in the engine, and what waited when
// it ended is counted, too.
func TestDropsOfAllConnections(t *testing.T) {
	policies := map[string]QueuePolicy{"refuse": RefuseNew, "newest": DropNewest, "oldest": DropOldest, "latest": KeepLatest}
	for _, transport := range ownTransports {
		for name, policy := range policies {
			t.Run(transport+"/"+name, func(t *testing.T) {
				o := counting(t, policy)
				want := make(map[string]uint64)
				var conns []*Conn
				var ends []*tester
				for range 2 {
					c, _, h := stalled(t, transport, o)
					jam(t, c)
					conns, ends = append(conns, c), append(ends, h)
					d := c.Drops()
					want["refused"] += d.Refused
					want["newest"] += d.Newest
					want["oldest"] += d.Oldest
					want["superseded"] += d.Superseded
				}
				wantDrops(t, o.Engine, want)
				for i, c := range conns {
					c.mu.Lock()
					want["unsent"] += uint64(len(c.x.pending.list))
					c.mu.Unlock()
					_ = c.Abort()
					ends[i].wait(t)
				}
				if (policy == DropOldest || policy == KeepLatest) != (want["unsent"] > 0) {
					t.Errorf("%d messages waited", want["unsent"])
				}
				wantDrops(t, o.Engine, want)
			})
		}
	}
}

// TestCloseSlowIsCounted: the message that closed its connection has a reason of its own in the engine's counts.
func TestCloseSlowIsCounted(t *testing.T) {
	for _, transport := range ownTransports {
		t.Run(transport, func(t *testing.T) {
			o := counting(t, CloseSlow)
			c, _, _ := stalled(t, transport, o)
			var err error
			for i := 0; err == nil; i++ {
				if err = c.WriteMessage(Binary, numbered(i)); i > 100_000 {
					t.Fatal("never closed")
				}
			}
			if d := c.Drops(); d.Refused != 1 {
				t.Errorf("%+v", d)
			}
			wantDrops(t, o.Engine, map[string]uint64{"slow reader": 1})
		})
	}
}

// TestUnsentBehindAWriter: messages that wait for the end of a streamed one never go out if the connection is
// closed instead, by whichever side.
func TestUnsentBehindAWriter(t *testing.T) {
	ways := map[string]func(c *Conn, r *raw){
		"we close":       func(c *Conn, _ *raw) { _ = c.Close() },
		"we abort":       func(c *Conn, _ *raw) { _ = c.Abort() },
		"the peer does":  func(_ *Conn, r *raw) { r.send(frame(0x88, "\x03\xe8")) },
		"the peer errs":  func(_ *Conn, r *raw) { r.send("\xff\xff") },
		"handler panics": func(c *Conn, _ *raw) { _ = c.Post(func(*Conn) { panic("meant") }) },
	}
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			o := counting(t, RefuseNew)
			o.CloseTimeout = 50 * time.Millisecond // this peer does not answer
			c, r, h := stalled(t, "hijack", o)
			w, err := c.Writer(context.Background(), Text)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, "begun"); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if err := c.WriteMessage(Binary, []byte("waits")); err != nil {
					t.Fatal(err)
				}
			}
			end(c, r)
			_ = r.nc.SetReadDeadline(time.Now().Add(5 * time.Second))
			_, _ = io.Copy(io.Discard, r.br)
			_ = r.nc.Close()
			h.wait(t)
			if err := c.WriteMessage(Binary, nil); !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
			wantDrops(t, o.Engine, map[string]uint64{"unsent": 3})
		})
	}
}
