package strand

import (
	"net"
	"testing"
	"time"
)

// Close of the blocking view ends a Read that has found nothing and is about to wait, though
// output is still being sent. The steps are Read's own, since no test hits the moment by chance.
func TestNetConnCloseBeforeItsReaderParks(t *testing.T) {
	e, err := New(Options{CloseTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ours, peer := net.Pipe()
	defer peer.Close()
	k := &keeper{opened: make(chan *Conn, 1), ended: make(chan error, 1)}
	c, err := e.Adopt(ours, k)
	if err != nil {
		t.Fatal(err)
	}
	<-k.opened
	views := make(chan net.Conn, 1)
	if err := c.Post(func(c *Conn) { views <- c.NetConn() }); err != nil {
		t.Fatal(err)
	}
	view := <-views
	if _, err := view.Write([]byte("x")); err != nil { // which the peer does not take
		t.Fatal(err)
	}
	c.budget = readBudget
	if _, err := c.Read(make([]byte, 1)); err != ErrWouldBlock {
		t.Fatalf("Read: %v", err)
	}
	if err := view.Close(); err != nil {
		t.Fatal(err)
	}
	woken := make(chan struct{})
	go func() {
		defer close(woken)
		c.waitRead(nil)
	}()
	select {
	case <-woken:
	case <-time.After(5 * time.Second):
		t.Error("the reader waits on")
	}
}

// A peer that is found to speak no TLS, while NetConn has made a view that does, fails the handshake.
func TestPlainPeerOfAView(t *testing.T) {
	for _, tt := range []struct {
		state uint32
		plain bool
		want  uint32
	}{{0, true, tlsPlain}, {stOwned, false, tlsFailed}} {
		c := new(Conn)
		c.state.Store(tt.state)
		layer := &tlsLayer{c: c}
		if plain := layer.plainFound(); plain != tt.plain || layer.state.Load() != tt.want {
			t.Errorf("connection %b: plain %t, state %d; want %t, %d", tt.state, plain, layer.state.Load(), tt.plain, tt.want)
		}
	}
}
