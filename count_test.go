package strand

import (
	"io"
	"net"
	"testing"
	"time"
	"unsafe"

	"github.com/d74363f0/strand/internal/buf"
)

// TestConnSize: a million idle connections are a million of these. The bounds are size classes of Go's heap: a byte
// more would cost 16.
func TestConnSize(t *testing.T) {
	most := uintptr(192)
	if unsafe.Sizeof(fdLink{}) > 0 {
		most = 208
	}
	if n := unsafe.Sizeof(Conn{}); n > most {
		t.Errorf("a Conn is %d bytes", n)
	}
	if n := unsafe.Sizeof(rare{}); n > 112 {
		t.Errorf("a rare is %d bytes", n)
	}
	if n := unsafe.Sizeof(buf.Queue{}); n > 24 {
		t.Errorf("a Queue is %d bytes", n)
	}
}

// TestCountsBeyond4GiB: bytes are counted in 32 bits and carried.
func TestCountsBeyond4GiB(t *testing.T) {
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	k := &keeper{opened: make(chan *Conn, 1), ended: make(chan error, 1)}
	l, err := e.Listen("tcp", "127.0.0.1:0", func(*Conn) Handler { return k })
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	c := <-k.opened
	for round := range uint64(2) {
		ready := make(chan struct{})
		if err := c.Post(func(c *Conn) {
			c.inLow.Store(^uint32(0) - 2)
			c.mu.Lock()
			c.outLow = ^uint32(0) - 4
			c.mu.Unlock()
			close(ready)
		}); err != nil {
			t.Fatal(err)
		}
		<-ready
		if _, err := nc.Write([]byte("0123456789")); err != nil {
			t.Fatal(err)
		}
		got := make(chan struct{})
		if err := c.Post(func(c *Conn) {
			defer close(got)
			var p [10]byte
			for have := 0; have < len(p); {
				n, err := c.Read(p[have:])
				have += n
				if err == ErrWouldBlock {
					err = c.WaitRead(t.Context())
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
			if _, err := c.Write(p[:]); err != nil {
				t.Error(err)
			}
		}); err != nil {
			t.Fatal(err)
		}
		<-got
		if _, err := io.ReadFull(nc, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		// The peer may have the bytes before they are counted.
		in, out := (round+1)<<32+7, (round+1)<<32+5
		i := e.Conns()[0]
		for n := 0; n < 1000 && i.BytesOut != out; n++ {
			time.Sleep(time.Millisecond)
			i = e.Conns()[0]
		}
		if i.BytesIn != in || i.BytesOut != out {
			t.Errorf("in %d, out %d; want %d and %d", i.BytesIn, i.BytesOut, in, out)
		}
	}
}
