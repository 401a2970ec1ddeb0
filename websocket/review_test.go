package websocket

import (
	"testing"
	"time"
)

// A ping that was not sent, because the peer is still taking a large message, needs no answer.
func TestUnsentPing(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		c, r, h := stalled(t, transport, &Options{MaxQueued: 64 << 10, PingInterval: 100 * time.Millisecond})
		const size = 24 << 20
		if err := c.WriteMessage(Binary, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		// A peer that takes it slowly and has nothing to say.
		p := make([]byte, 256<<10)
		for n := 0; n < 4<<20; {
			k, err := r.nc.Read(p)
			if n += k; err != nil {
				t.Fatalf("after %d of %d bytes: %v", n, size, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		select {
		case err := <-h.end:
			t.Errorf("ended: %v", err)
		default:
		}
		_ = c.Abort()
	})
}
