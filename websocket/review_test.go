package websocket

import (
	"testing"
	"time"
)

// What replaces a waiting message of the same key counts against MaxQueued like any other.
func TestKeyedReplacementIsBounded(t *testing.T) {
	const limit = 256 << 10
	each(t, func(t *testing.T, transport string) {
		c, _, _ := stalled(t, transport, &Options{MaxQueued: limit, Queue: KeepLatest})
		for i := 0; c.Drops().Oldest == 0; i++ {
			if i > 100_000 {
				t.Fatal("never full")
			}
			if err := c.WriteMessage(Binary, make([]byte, 8<<10)); err != nil {
				t.Fatal(err)
			}
		}
		key := func(i int) string { return string(rune('a' + i)) }
		for i := range 16 {
			if err := c.WriteKeyed(key(i), Binary, []byte{1}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 16 {
			if err := c.WriteKeyed(key(i), Binary, make([]byte, limit/2)); err != nil {
				t.Fatal(err)
			}
		}
		c.mu.Lock()
		q := &c.x.pending
		total := 0
		for _, m := range q.list {
			total += m.size() + entryCost
		}
		if q.bytes > limit || q.bytes != total || len(q.list) == 0 || len(q.list[len(q.list)-1].p) != limit/2 {
			t.Errorf("%d messages wait, %d bytes, counted %d", len(q.list), total, q.bytes)
		}
		c.mu.Unlock()
		_ = c.Abort()
	})
}

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
