package websocket

import (
	"bytes"
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// bringer is a BufferHandler that echoes. Its memory is filled with a pattern, and
// is looked at again when the connection has ended.
type bringer struct {
	*tester
	t     *testing.T
	seed  uint64
	give  func(n int) []byte
	asked int
	came  int // messages in memory of ours
	lent  map[*byte]bool
	kept  [][]byte // messages as they came
	then  [][]byte // copies of them made at once
}

func newBringer(t *testing.T, give func(n int) []byte) *bringer {
	b := &bringer{tester: newTester(), t: t, give: give, lent: make(map[*byte]bool)}
	b.message = func(c *Conn, mt MessageType, msg []byte) {
		if cap(msg) > 0 {
			first := &msg[:1][0]
			if b.lent[first] {
				b.came++
				delete(b.lent, first)
			}
		}
		b.kept, b.then = append(b.kept, msg), append(b.then, bytes.Clone(msg))
		if err := c.WriteMessage(mt, msg); err != nil {
			t.Errorf("seed %d: %v", b.seed, err)
		}
	}
	return b
}

func (b *bringer) Buffer(_ *Conn, n int) []byte {
	b.asked++
	if n < 0 || n > firstChunk+slack {
		b.t.Errorf("seed %d: a buffer of %d bytes was asked for", b.seed, n)
	}
	p := b.give(n)
	if cap(p) > 0 {
		b.lent[&p[:1][0]] = true
	}
	return p
}

// TestBuffers sends messages of all sizes in random pieces to handlers that bring
// memory: too much, exactly enough, too little, none. Each comes back right, and
// what a handler keeps is never touched again.
func TestBuffers(t *testing.T) {
	gives := map[string]func(n int) []byte{
		"exact": func(n int) []byte { return make([]byte, n) },
		"ample": func(n int) []byte { return bytes.Repeat([]byte{0xee}, n+300)[:7] },
		"short": func(n int) []byte { return make([]byte, max(0, n-1)) },
		"none":  func(int) []byte { return nil },
	}
	each(t, func(t *testing.T, transport string) {
		for name, give := range gives {
			t.Run(name, func(t *testing.T) { testBuffers(t, transport, give, name == "exact" || name == "ample") })
		}
	})
}

func testBuffers(t *testing.T, transport string, give func(n int) []byte, ours bool) {
	seed := uint64(time.Now().UnixNano())
	rnd := rand.New(rand.NewPCG(seed, 8))
	b := newBringer(t, give)
	b.seed = seed
	r := rawDial(t, serve(t, transport, nil, func() Handler { return b }), "", "")
	sizes := []int{0, 1, 125, 126, 1 << 10, readSize - 6, readSize, 16 << 10, 65535, 64 << 10, 64<<10 + 1, 200 << 10}
	for range 20 {
		sizes = append(sizes, rnd.IntN(70<<10))
	}
	asked := 0
	for _, n := range sizes {
		msg := make([]byte, n)
		for i := range msg {
			msg[i] = byte(rnd.Uint32())
		}
		if n <= firstChunk && n > 0 {
			asked++
		}
		// A ping behind it, so that reads end beyond messages.
		wire := frame(0x82, string(msg)) + frame(0x89, "p")
		go func() {
			for len(wire) > 0 {
				k := min(len(wire), 1+len(wire)*(3+len(wire)%7)/10)
				r.send(wire[:k])
				wire = wire[k:]
			}
		}()
		if f, p := r.receive(); f != 0x82 || p != string(msg) {
			t.Fatalf("seed %d: received %02x and %d bytes for a message of %d", seed, f, len(p), n)
		}
		r.expect(0x8a, "p")
	}
	r.send(frame(0x88, ""))
	r.expectClose(NoStatus)
	b.wait(t)
	for i, p := range b.kept {
		if !bytes.Equal(p, b.then[i]) {
			t.Errorf("seed %d: message %d of %d bytes changed after OnMessage", seed, i, len(p))
		}
	}
	if b.asked < asked || ours != (b.came > 0) || ours && b.came < asked {
		t.Errorf("seed %d: %d buffers asked for, %d came back, %d messages need one", seed, b.asked, b.came, asked)
	}
}

// TestNoBuffers: for what is compressed, in fragments or long, nothing is asked.
func TestNoBuffers(t *testing.T) {
	b := newBringer(t, func(n int) []byte { return make([]byte, n) })
	r := rawDial(t, serve(t, "strand", &Options{Compression: &Compression{}}, func() Handler { return b }),
		"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n", "")
	long := strings.Repeat("x", 100<<10)
	r.send(frame(0x02, "a") + frame(0x80, "b"))
	r.expect(0x82, "ab")
	r.send(frame(0xc2, "\x4a\x04\x00")) // "a", deflated
	r.expect(0x82, "a")
	r.send(frame(0x82, long))
	if f, p := r.receive(); f&0x8f != 0x82 || len(p) == 0 {
		t.Fatalf("received %02x and %d bytes", f, len(p))
	}
	if b.asked != 0 {
		t.Errorf("%d buffers were asked for", b.asked)
	}
	r.send(frame(0x82, "plain"))
	r.expect(0x82, "plain")
	if b.asked != 1 || b.came != 1 {
		t.Errorf("%d buffers were asked for and %d came, want one", b.asked, b.came)
	}
}

// TestBufferPanics: a panic in Buffer ends the connection, as one in OnMessage does.
func TestBufferPanics(t *testing.T) {
	for _, n := range []int{10, 60 << 10} {
		b := newBringer(t, func(int) []byte { panic("meant") })
		r := rawDial(t, serve(t, "strand", &Options{Logger: quiet}, func() Handler { return b }), "", "")
		r.send(frame(0x82, strings.Repeat("x", n)))
		r.expectClose(Internal)
		_ = r.nc.Close()
		if e := b.wait(t); e.Code != Internal || len(b.kept) != 0 {
			t.Errorf("OnClose received %+v behind %d messages", e, len(b.kept))
		}
	}
}

// closer is a BufferHandler that closes its connection when it is asked for memory.
type closer struct{ *bringer }

func (h closer) Buffer(c *Conn, n int) []byte {
	_ = c.Close()
	return h.bringer.Buffer(c, n)
}

// TestCloseInBuffer: a Close that comes while memory is being found, by which Buffer
// may wait, is as good as one before: no message follows it.
func TestCloseInBuffer(t *testing.T) {
	for _, n := range []int{10, 60 << 10} {
		for _, valid := range []bool{true, false} {
			b := newBringer(t, func(n int) []byte { return make([]byte, n) })
			b.message = func(_ *Conn, _ MessageType, msg []byte) { t.Errorf("a message of %d bytes behind Close", len(msg)) }
			r := rawDial(t, serve(t, "strand", nil, func() Handler { return closer{b} }), "", "")
			text := strings.Repeat("x", n-1) + "y"
			if !valid {
				text = "\xff" + text
			}
			r.send(frame(0x81, text) + frame(0x81, "behind") + frame(0x88, "\x03\xe8"))
			r.expectClose(Normal)
			_ = r.nc.Close()
			if e := b.wait(t); e.Code != Normal || b.asked != 1 {
				t.Errorf("OnClose received %+v, %d buffers were asked for", e, b.asked)
			}
		}
	}
}

// sharer is a BufferHandler whose connections share their memory, each message
// giving it back when it has been echoed.
type sharer struct {
	*tester
	mu   sync.Mutex
	free [][]byte
}

func (s *sharer) Buffer(_ *Conn, n int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := len(s.free) - 1; last >= 0 {
		p := s.free[last]
		s.free = s.free[:last]
		return p
	}
	return make([]byte, firstChunk+slack)
}

func (s *sharer) OnMessage(c *Conn, t MessageType, msg []byte) {
	_ = c.Send(context.Background(), t, msg) // of one that hangs up nothing is expected
	s.mu.Lock()
	s.free = append(s.free, msg)
	s.mu.Unlock()
}

// TestSharedBuffers echoes to many connections from the same memory. Some hang up
// in the middle of a message. Every byte is a function of its connection and its
// message, so a foreign one would show.
func TestSharedBuffers(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		seed := uint64(time.Now().UnixNano())
		s := &sharer{tester: newTester()}
		s.end = make(chan error, 1000)
		url := serve(t, transport, nil, func() Handler { return s })
		var wg sync.WaitGroup
		for i := range 24 {
			r := rawDial(t, url, "", "")
			wg.Go(func() { shareEcho(t, r, seed, uint64(i)) })
		}
		wg.Wait()
	})
}

func shareEcho(t *testing.T, r *raw, seed, index uint64) {
	rnd := rand.New(rand.NewPCG(seed, index))
	for range 40 {
		msg := make([]byte, 1+rnd.IntN(firstChunk))
		for i := range msg {
			msg[i] = byte(rnd.Uint32())
		}
		wire := frame(0x82, string(msg))
		if index%4 == 0 && rnd.IntN(20) == 0 {
			r.send(wire[:len(wire)/2])
			_ = r.nc.Close()
			return
		}
		go r.send(wire)
		if f, p := r.receive(); f != 0x82 || p != string(msg) {
			t.Errorf("seed %d: connection %d received %02x and %d bytes that are not its own, for %d", seed, index, f, len(p), len(msg))
			return
		}
	}
}
