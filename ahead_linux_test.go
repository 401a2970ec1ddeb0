//go:build !strand_std

package strand

import (
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/d74363f0/strand/internal/buf"
	"github.com/d74363f0/strand/internal/poll"
)

// eager is a handler that can read ahead; it tells what each OnReadable found.
type eager struct {
	opened chan *Conn
	turns  chan string
	early  string
}

func (h *eager) OnOpen(c *Conn)       { h.opened <- c }
func (h *eager) OnDrained(*Conn)      {}
func (h *eager) OnClose(*Conn, error) {}

func (h *eager) take(c *Conn) (got string) {
	var p [64]byte
	for {
		n, err := c.Read(p[:])
		if got += string(p[:n]); err != nil {
			return got
		}
	}
}

func (h *eager) OnReadable(c *Conn) {
	got := h.early
	h.early = ""
	h.turns <- got + h.take(c)
}

// lazy is a handler that cannot.
type lazy struct{ h *eager }

func (h lazy) OnOpen(*Conn)         {}
func (h lazy) OnDrained(*Conn)      {}
func (h lazy) OnClose(*Conn, error) {}

func (h lazy) OnReadable(c *Conn) {
	if got := h.h.take(c); got != "" { // it is asked once, too, because it is new
		h.h.turns <- "lazy " + got
	}
}

// early adds ReadAhead to it.
type early struct{ *eager }

func (h early) ReadAhead(buf.Ours) {
	c := <-h.opened
	h.opened <- c
	var p [64]byte
	n, _ := c.Read(p[:])
	h.early += string(p[:n])
}

// eagerConn returns a connection with an eager handler, its client, and a way to do
// something as the loop's driver.
func eagerConn(t *testing.T) (*eager, *Conn, net.Conn, func(func())) {
	t.Helper()
	e, err := New(Options{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	h := &eager{opened: make(chan *Conn, 1), turns: make(chan string, 16)}
	l, err := e.Listen("tcp", "127.0.0.1:0", func(*Conn) Handler { return early{h} })
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	c := <-h.opened
	h.opened <- c
	for deadline := time.Now().Add(10 * time.Second); c.state.Load() != stEager; {
		if time.Now().After(deadline) {
			t.Fatalf("the connection does not rest: %b", c.state.Load())
		}
		time.Sleep(time.Millisecond)
	}
	return h, c, nc, func(f func()) {
		done := make(chan struct{})
		c.lp.Post(func() { defer close(done); f() })
		<-done
	}
}

// arrived waits until the kernel has n bytes for c, which nobody reads.
func arrived(t *testing.T, c *Conn, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if have, err := inqueue(c); err != nil || have >= n {
			return
		}
	}
	t.Error("what the client sent does not arrive")
}

func inqueue(c *Conn) (n int, err error) {
	e := c.link.fd.Number(func(fd int) { n, err = unix.IoctlGetInt(fd, unix.TIOCINQ) })
	if e != nil {
		err = e
	}
	return n, err
}

func send(t *testing.T, nc net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(nc, s); err != nil {
		t.Error(err)
	}
}

func (h *eager) expect(t *testing.T, want string) {
	t.Helper()
	got := ""
	for got != want {
		select {
		case s := <-h.turns:
			got += s
		case <-time.After(10 * time.Second):
			t.Fatalf("OnReadable found %q, want %q", got, want)
		}
	}
}

// readAhead has what the peer sends read ahead; the driver calls it.
func readAhead(t *testing.T, c *Conn, nc net.Conn, text string) {
	t.Helper()
	send(t, nc, text)
	arrived(t, c, len(text))
	if !c.Ahead(poll.Readable) {
		t.Error("an idle connection was not read ahead")
	}
}

// TestAhead: what was read ahead is the handler's in its turn, and the strand is held between.
func TestAhead(t *testing.T) {
	h, c, nc, driver := eagerConn(t)
	driver(func() {
		readAhead(t, c, nc, "one")
		if c.Ahead(poll.Readable) {
			t.Error("a connection that is busy was read ahead")
		}
		if h.early != "one" || !c.is(stBusy) || !c.is(stAhead) {
			t.Errorf("read %q ahead, state %b", h.early, c.state.Load())
		}
		c.lp.Again(c)
	})
	h.expect(t, "one")
}

// TestAheadAndMore: what comes behind what was read ahead is found in the same turn, whose
// event was spent with it.
func TestAheadAndMore(t *testing.T) {
	h, c, nc, driver := eagerConn(t)
	driver(func() {
		readAhead(t, c, nc, "one")
		send(t, nc, "two")
		arrived(t, c, 3)
		if !c.Event(poll.Readable) || c.is(stAhead) {
			t.Errorf("the second event was not noted: state %b", c.state.Load())
		}
		c.lp.Again(c)
	})
	if got := <-h.turns; got != "onetwo" {
		t.Errorf("the turn found %q", got)
	}
}

// TestAheadNot: who has anything else to do is not read ahead, and whose handler cannot.
func TestAheadNot(t *testing.T) {
	h, c, nc, driver := eagerConn(t)
	for _, r := range []poll.Ready{poll.Readable | poll.Hangup, poll.Readable | poll.Hangup | poll.Dead | poll.Writable, poll.Writable} {
		driver(func() {
			if c.Ahead(r) {
				t.Errorf("read ahead for %b", r)
			}
		})
	}
	c.PauseRead()
	driver(func() {
		if c.Ahead(poll.Readable) {
			t.Error("read ahead of a pause")
		}
	})
	c.ResumeRead()
	h.expect(t, "")
	if err := c.Post(func(c *Conn) { c.SetHandler(lazy{h}) }); err != nil {
		t.Fatal(err)
	}
	send(t, nc, "three")
	h.expect(t, "lazy three")
	driver(func() {
		if c.Ahead(poll.Readable) {
			t.Error("read ahead for a handler that cannot")
		}
	})
}

// TestAheadOnce: a turn ends what was read ahead for it. The next one looks for input, and has its share, again.
func TestAheadOnce(t *testing.T) {
	h, c, _, driver := eagerConn(t)
	driver(func() {
		if !c.Ahead(poll.Readable) { // though nothing is there
			t.Error("an idle connection was not read ahead")
		}
		c.lp.Again(c)
	})
	if got := <-h.turns; got != "" {
		t.Errorf("the turn found %q", got)
	}
	driver(func() {
		if c.is(stAhead) {
			t.Error("the mark outlasts the turn")
		}
	})
}
