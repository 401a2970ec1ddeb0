package strand_test

import (
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// Deadlines too far away for the loop's ticks do not pass at once.
func TestFarDeadlines(t *testing.T) { // hazard 150
	for name, set := range map[string]func(*strand.Conn){
		"read":     func(c *strand.Conn) { c.SetReadDeadline(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)) },
		"two year": func(c *strand.Conn) { c.SetReadDeadline(time.Now().Add(2 * 365 * 24 * time.Hour)) },
		"timer":    func(c *strand.Conn) { c.SetTimer(math.MaxInt64) },
		"idle":     func(c *strand.Conn) { c.SetIdleTimeout(math.MaxInt64) },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, strand.Options{})
			v := &timed{hooks: hooks{open: set, readable: echo}}
			a := serve(t, e, func(*strand.Conn) strand.Handler { return v })
			nc := dial(t, a)
			roundTrip(t, nc, "before")
			time.Sleep(100 * time.Millisecond)
			roundTrip(t, nc, "after")
			if n := v.n.Load(); n != 0 {
				t.Fatalf("%d timeouts", n)
			}
		})
	}
}

// timed counts timeouts.
type timed struct {
	hooks
	n atomic.Int64
}

func (v *timed) OnTimeout(*strand.Conn, strand.Timeout) bool { v.n.Add(1); return true }

// A timer that was stopped or moved after it had passed, and before its
// callback's turn came, does not happen.
func TestTimerStoppedInTime(t *testing.T) { // hazard 150
	for name, then := range map[string]time.Duration{"stopped": 0, "moved": time.Hour} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, strand.Options{})
			v := &timed{hooks: hooks{readable: func(c *strand.Conn) {
				c.SetTimer(time.Millisecond)
				time.Sleep(80 * time.Millisecond)
				c.SetTimer(then)
				echo(c)
			}}}
			a := serve(t, e, func(*strand.Conn) strand.Handler { return v })
			nc := dial(t, a)
			roundTrip(t, nc, "x")
			time.Sleep(30 * time.Millisecond)
			if n := v.n.Load(); n != 0 {
				t.Fatalf("%d timeouts", n)
			}
		})
	}
}
