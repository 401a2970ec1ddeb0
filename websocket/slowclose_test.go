package websocket

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/steady"
)

// Close gives a peer that reads slowly all of what is queued, however long that takes, and one that does
// not read WriteTimeout, or CloseTimeout if there is none.
func TestCloseAndASlowReader(t *testing.T) { // hazard 97
	const size, limit = 32 << 20, 400 * time.Millisecond
	each(t, func(t *testing.T, transport string) {
		steady.Try(t, limit/4, func(t testing.TB) {
			c, r, h := stalled(t, transport, &Options{MaxQueued: 2 * size, CloseTimeout: limit})
			if err := c.WriteMessage(Binary, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			const all = 10 + size + 4 // with the message's header and the close frame
			began := time.Now()
			for got, p := 0, make([]byte, size/64); got < all; {
				n, err := r.nc.Read(p)
				if got += n; err != nil {
					t.Fatalf("after %v and %d bytes of %d: %v; OnClose: %v", time.Since(began), got, all, err, h.wait(t))
				}
				if time.Since(began) < 3*limit { // until then, more is left than the kernel can hold
					time.Sleep(limit / 8)
				}
			}
			r.send(frame(0x88, "\x03\xe8"))
			if e := h.wait(t); e.Code != Normal || e.Cause != nil {
				t.Errorf("OnClose received %v", e)
			}
		})
		for _, o := range []Options{{WriteTimeout: limit, CloseTimeout: time.Hour}, {WriteTimeout: -1, CloseTimeout: limit}} {
			o.MaxQueued = 2 * size
			c, _, h := stalled(t, transport, &o)
			if err := c.WriteMessage(Binary, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if e := h.wait(t); !errors.Is(e.Cause, strand.ErrWriteTimeout) {
				t.Errorf("a peer that does not read: OnClose received %v", e)
			}
		}
	})
}

// What the kernel has taken reaches a peer that looks only after CloseTimeout.
func TestReadBehindTheCloseTimeout(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		c, r, h := stalled(t, transport, &Options{CloseTimeout: 100 * time.Millisecond})
		if err := c.WriteMessage(Text, []byte("last words")); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if e := h.wait(t); e.Code != Normal || e.Cause != errCloseTimeout {
			t.Errorf("OnClose received %v", e)
		}
		r.expect(0x81, "last words")
		r.expect(0x88, "\x03\xe8")
		if n, err := r.nc.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("behind the close frame: %d, %v", n, err)
		}
	})
}
