package websocket

import (
	"encoding/binary"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/steady"
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
	const interval = 100 * time.Millisecond
	steady.Try(t, interval/4, func(t testing.TB) {
		h := newTester()
		conns := make(chan *Conn, 1)
		h.open = func(c *Conn) { conns <- c }
		url := serve(t, "strand", &Options{PingInterval: interval}, func() Handler { return h })
		ch := newTester()
		client := dial(t, url, ch, nil)
		c := <-conns
		time.Sleep(6 * interval)
		if h.closed.Load() != 0 {
			t.Fatal("closed")
		}
		if rtt := c.RTT(); rtt <= 0 || rtt > time.Second {
			t.Errorf("round trip %v", rtt)
		}
		_ = client.Close()
		h.wait(t)
	})
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

// ponger is a PongHandler.
type ponger struct {
	*tester
	pongs chan string
}

func (h *ponger) OnPong(_ *Conn, p []byte) { h.pongs <- string(p) }

// TestPongLikeHeartbeat: a pong as long as a heartbeat's, even with a time in it, is the handler's while a heartbeat
// is unanswered.
func TestPongLikeHeartbeat(t *testing.T) {
	h := &ponger{newTester(), make(chan string, 2)}
	conns := make(chan *Conn, 1)
	h.open = func(c *Conn) { conns <- c }
	r := rawDial(t, serve(t, "strand", nil, func() Handler { return h }), "", "")
	c := <-conns
	_ = c.Post(func(c *Conn) { (*strandConn)(c).OnTimeout(c.sc, strand.TimeoutTimer) }) // the heartbeat
	f, beat := r.receive()
	if f != 0x89 {
		t.Fatalf("received %02x", f)
	}
	own := string(binary.BigEndian.AppendUint64(nil, uint64(time.Since(epoch))))
	r.send(frame(0x8a, own) + frame(0x8a, beat) + frame(0x8a, "last"))
	if p := receive(t, h.pongs); p != own {
		t.Errorf("OnPong received %q", p)
	}
	if p := receive(t, h.pongs); p != "last" || c.RTT() == 0 {
		t.Errorf("OnPong received %q, round trip %v", p, c.RTT())
	}
	_ = c.Abort()
}

// TestHeartbeatAtClose: a timer that fired for a heartbeat just before the connection closed, or failed, ends nothing.
func TestHeartbeatAtClose(t *testing.T) {
	ways := map[Code]func(c *Conn){
		4000:   func(c *Conn) { _ = c.WriteClose(4000, "") },
		Policy: func(c *Conn) { c.fail(Policy, "", nil) },
	}
	each(t, func(t *testing.T, transport string) {
		for code, way := range ways {
			c, r, h := stalled(t, transport, nil)
			fired := make(chan bool)
			_ = c.Post(func(c *Conn) {
				way(c)
				(*strandConn)(c).OnTimeout(c.sc, strand.TimeoutTimer)
				close(fired)
			})
			<-fired
			payload := string([]byte{byte(code >> 8), byte(code)})
			r.expect(0x88, payload)
			if state := c.state.Load(); state == stateClosed || code == 4000 && state != stateClosing {
				t.Errorf("%d: state %d before the answer", code, state)
			}
			r.send(frame(0x88, payload))
			_ = r.nc.Close()
			if e := h.wait(t); e.Code != code || e.Cause != nil {
				t.Errorf("%d: OnClose received %+v", code, e)
			}
		}
	})
}

// leaver is a TimeoutHandler that closes by itself.
type leaver struct{ *tester }

func (h leaver) OnTimeout(c *Conn) bool {
	_ = c.WriteClose(4000, "")
	return false
}

// TestCloseInOnTimeout: a handler that closes when it is asked has its closing handshake.
func TestCloseInOnTimeout(t *testing.T) {
	h := leaver{newTester()}
	conns := make(chan *Conn, 1)
	h.open = func(c *Conn) { conns <- c }
	r := rawDial(t, serve(t, "strand", nil, func() Handler { return h }), "", "")
	c := <-conns
	fired := make(chan bool)
	_ = c.Post(func(c *Conn) {
		c.pinged, c.seen = true, false
		(*strandConn)(c).OnTimeout(c.sc, strand.TimeoutTimer)
		close(fired)
	})
	<-fired
	r.expect(0x88, "\x0f\xa0")
	if state := c.state.Load(); state != stateClosing {
		t.Errorf("state %d before the answer", state)
	}
	r.send(frame(0x88, "\x0f\xa0"))
	if e := h.wait(t); e.Code != 4000 || e.Cause != nil {
		t.Errorf("OnClose received %+v", e)
	}
}

// TestHeartbeatAfterPeersClose: the heartbeat's timer does not cut short what a peer that has closed still takes.
func TestHeartbeatAfterPeersClose(t *testing.T) {
	const interval = 200 * time.Millisecond // the first of them half of that
	steady.Try(t, interval/4, func(t testing.TB) {
		c, r, h := stalled(t, "strand", &Options{PingInterval: interval, MaxQueued: 64 << 20})
		const size = 16 << 20
		if err := c.WriteMessage(Binary, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		r.send(frame(0x88, "\x03\xe8"))
		time.Sleep(300 * time.Millisecond)
		n, last := 0, byte(0)
		for last != 0x88 {
			f, p := r.receive()
			if n += len(p); f == 0 {
				break
			}
			last = f
		}
		if n < size || last != 0x88 {
			t.Errorf("received %d bytes, and last %02x", n, last)
		}
		if e := h.wait(t); e.Code != Normal || e.Cause != nil {
			t.Errorf("OnClose received %+v", e)
		}
	})
}
