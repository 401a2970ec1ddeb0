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

// TestNetConnTwice: there is one blocking view, which serialises those who read: two would read beside each other.
func TestNetConnTwice(t *testing.T) {
	e := newEngine(t, strand.Options{})
	taken := make(chan net.Conn, 2)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			taken <- c.NetConn()
			taken <- c.NetConn()
		}}
	})
	nc := dial(t, a)
	first, second := <-taken, <-taken
	if first != second {
		t.Error("two views of one connection")
	}
	const n = 64 << 10
	got := make(chan int, 2)
	for _, v := range []net.Conn{first, second} {
		go func() {
			sum, p := 0, make([]byte, 100)
			for {
				k, err := v.Read(p)
				if sum += k; err != nil {
					got <- sum
					return
				}
			}
		}()
	}
	if _, err := nc.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	_ = nc.Close()
	if sum := <-got + <-got; sum != n {
		t.Errorf("two goroutines read %d bytes of %d", sum, n)
	}
}
