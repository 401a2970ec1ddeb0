package strand_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// A blocking Read ends with Close at once, also while output waits for a peer
// that does not read.
func TestNetConnCloseEndsRead(t *testing.T) {
	e := newEngine(t, strand.Options{CloseTimeout: 20 * time.Second, MaxQueued: 64 << 20})
	taken := make(chan net.Conn, 1)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			_, _ = c.Write(make([]byte, 32<<20))
			taken <- c.NetConn()
		}}
	})
	nc := dial(t, a)
	s := <-taken
	ended := make(chan error, 1)
	go func() {
		_, err := s.Read(make([]byte, 1))
		ended <- err
	}()
	time.Sleep(20 * time.Millisecond)
	_ = s.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Read waits on")
	}
	_ = nc.Close()
}
