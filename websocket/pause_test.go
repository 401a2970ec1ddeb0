package websocket

import (
	"testing"
	"time"
)

// paused returns a server's connection whose handler paused it in the first message, its client, and what is
// sent on with each message after PauseRead.
func paused(t *testing.T, transport string, o *Options) (*Conn, *raw, *tester, chan string) {
	t.Helper()
	h := newTester()
	conns := make(chan *Conn, 1)
	h.open = func(c *Conn) { conns <- c }
	got := make(chan string, 8)
	h.message = func(c *Conn, _ MessageType, msg []byte) {
		c.PauseRead()
		got <- string(msg)
	}
	r := rawDial(t, serve(t, transport, o, func() Handler { return h }), "", "")
	r.send(frame(0x82, "one"))
	receive(t, got)
	return <-conns, r, h, got
}

// TestResumeIsOneStep: what ResumeRead has delivered may pause again, and none of an earlier ResumeRead comes after
// that. The lock, held here, would otherwise not keep a part of it from happening.
func TestResumeIsOneStep(t *testing.T) {
	c, r, _, got := paused(t, "strand", nil)
	r.send(frame(0x82, "two"))
	c.mu.Lock()
	done := make(chan bool)
	go func() {
		c.ResumeRead()
		close(done)
	}()
	select {
	case <-done:
		t.Error("ResumeRead did not wait for the lock")
	case <-time.After(50 * time.Millisecond):
	}
	if !c.paused.Load() || len(got) > 0 {
		t.Error("a part of ResumeRead happened")
	}
	c.mu.Unlock()
	<-done
	receive(t, got)
	if !c.paused.Load() {
		t.Error("not paused any more")
	}
	_ = c.Abort()
}

// TestPauseAfterClose: a handler that pauses while somebody else closes does not keep the peer's answer from being
// read.
func TestPauseAfterClose(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		c, r, h, _ := paused(t, transport, &Options{CloseTimeout: 2 * time.Second})
		if err := c.WriteClose(4000, "done"); err != nil {
			t.Fatal(err)
		}
		c.PauseRead()
		r.expect(0x88, "\x0f\xa0done")
		r.send(frame(0x88, "\x0f\xa0"))
		if e := h.wait(t); e.Code != 4000 || e.Cause != nil {
			t.Errorf("OnClose received %+v", e)
		}
	})
}
