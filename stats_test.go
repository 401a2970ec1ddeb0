package strand_test

import (
	"io"
	"net"
	"testing"

	"github.com/d74363f0/strand"
)

func TestStats(t *testing.T) {
	e := newEngine(t, strand.Options{MaxQueued: 64 << 20})
	conns := make(chan *strand.Conn, 1)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) { conns <- c }, readable: echo}
	})
	nc := dial(t, a)
	roundTrip(t, nc, "hello")
	c := <-conns
	var s strand.Stats
	await(t, "the count of what the peer has received", func() bool { s = e.Stats(); return s.BytesOut >= 5 })
	if s.Conns != 1 || s.Accepted != 1 || s.BytesIn < 5 || s.Loops == 0 {
		t.Errorf("%+v", s)
	}
	if i := e.Conns(); len(i) != 1 || i[0].ID != c.ID() || i[0].Remote != nc.LocalAddr().String() {
		t.Errorf("%+v", i)
	}
	if _, err := c.Write(make([]byte, 32<<20)); err != nil { // more than the kernel takes
		t.Fatal(err)
	}
	await(t, "the gauge", func() bool { return e.Stats().QueuedBytes == int64(c.Buffered()) })
	if s := e.Stats(); c.Buffered() == 0 || s.QueuedBytes != int64(c.Buffered()) {
		t.Errorf("queued %d; the connection says %d", s.QueuedBytes, c.Buffered())
	}
	_ = nc.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, nc)
	await(t, "the end", func() bool { return e.Stats().Conns == 0 })
	s = e.Stats()
	if s.Closed != 1 || s.Closes["local"] != 1 || s.QueuedBytes != 0 {
		t.Errorf("%+v", s)
	}
}
