package websocket

import (
	"sync/atomic"
	"testing"
	"time"
)

// vetoer is a TimeoutHandler.
type vetoer struct {
	*tester
	asked atomic.Int32
	keep  int32
}

func (h *vetoer) OnTimeout(*Conn) bool { return h.asked.Add(1) <= h.keep }

// TestHeartbeat: a silent peer is found, after the handler's vetoes.
func TestHeartbeat(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		h := &vetoer{tester: newTester(), keep: 2}
		url := serve(t, transport, &Options{PingInterval: 60 * time.Millisecond}, func() Handler { return h })
		r := rawDial(t, url, "", "")
		if f, p := r.receive(); f != 0x89 || len(p) != beatLen {
			t.Errorf("received %02x %q, want a heartbeat", f, p)
		}
		if e := h.wait(t); e.Code != Abnormal || !e.Local || e.Cause != errDead {
			t.Errorf("OnClose received %+v", e)
		}
		if n := h.asked.Load(); n != 3 {
			t.Errorf("the handler was asked %d times", n)
		}
	})
}

// TestHeartbeatAnswered: a peer that answers stays, and its distance is known.
func TestHeartbeatAnswered(t *testing.T) {
	h := newTester()
	conns := make(chan *Conn, 1)
	h.open = func(c *Conn) { conns <- c }
	url := serve(t, "strand", &Options{PingInterval: 40 * time.Millisecond}, func() Handler { return h })
	ch := newTester()
	client := dial(t, url, ch, nil)
	c := <-conns
	time.Sleep(400 * time.Millisecond)
	if h.closed.Load() != 0 {
		t.Fatal("closed")
	}
	if rtt := c.RTT(); rtt <= 0 || rtt > time.Second {
		t.Errorf("round trip %v", rtt)
	}
	_ = client.Close()
	h.wait(t)
}

// TestPaused: a peer that is not read is not judged.
func TestPaused(t *testing.T) {
	h := newTester()
	conns := make(chan *Conn, 1)
	h.open = func(c *Conn) { c.PauseRead(); conns <- c }
	got := make(chan string, 1)
	h.message = func(_ *Conn, _ MessageType, msg []byte) { got <- string(msg) }
	url := serve(t, "strand", &Options{PingInterval: 40 * time.Millisecond}, func() Handler { return h })
	c := dial(t, url, newTester(), &DialOptions{Options: Options{PingInterval: -1}})
	if err := c.WriteMessage(Text, []byte("waits")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(250 * time.Millisecond)
	if h.closed.Load() != 0 || len(got) != 0 {
		t.Fatal("closed, or read while paused")
	}
	(<-conns).ResumeRead()
	if s := receive(t, got); s != "waits" {
		t.Error(s)
	}
}

func TestMaxLifetime(t *testing.T) {
	h := newTester()
	url := serve(t, "strand", &Options{MaxLifetime: 100 * time.Millisecond}, func() Handler { return h })
	start := time.Now()
	ch := newTester()
	dial(t, url, ch, nil)
	if e := ch.wait(t); e.Code != GoingAway || e.Local {
		t.Errorf("client: %+v", e)
	}
	if d := time.Since(start); d < 80*time.Millisecond {
		t.Errorf("closed after %v", d)
	}
	h.wait(t)
}
