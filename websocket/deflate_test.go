package websocket

import (
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/d74363f0/strand/internal/steady"
)

// inflateAlone decompresses a message with the standard library, without the
// window of any other.
func inflateAlone(t *testing.T, p, dict []byte) string {
	t.Helper()
	src := io.MultiReader(bytes.NewReader(p), strings.NewReader(inflateTail))
	out, err := io.ReadAll(flate.NewReaderDict(src, dict))
	if err != nil {
		t.Fatalf("inflate: %v", err)
	}
	return string(out)
}

// TestDeflaterForgets: a pooled compressor never refers to what it compressed
// for another connection. hazards 103, 104, 184
func TestDeflaterForgets(t *testing.T) {
	text := strings.Repeat("the text of another connection ", 40)
	for bits := 8; bits <= 15; bits++ {
		for level := 1; level <= 9; level++ {
			for range 3 {
				z := takeDeflater(bits, level)
				if got := inflateAlone(t, z.compress([]byte(text), []byte(text)), []byte(text)); got != text {
					t.Fatalf("bits %d level %d: %q", bits, level, got)
				}
				z.release()
				z = takeDeflater(bits, level)
				if got := inflateAlone(t, z.compress([]byte(text), nil), nil); got != text {
					t.Fatalf("bits %d level %d, reused: %q", bits, level, got)
				}
				z.release()
			}
		}
	}
}

// TestIdleForgets: an idle connection keeps no window of what it sent, and what
// it sends afterwards is understood.
func TestIdleForgets(t *testing.T) {
	const interval = 50 * time.Millisecond
	steady.Try(t, interval/2, func(t testing.TB) {
		comp := &Compression{Threshold: -1}
		h := echo()
		conns := make(chan *Conn, 1)
		h.open = func(c *Conn) { conns <- c }
		url := serve(t, "strand", &Options{Compression: comp, PingInterval: interval}, func() Handler { return h })
		ch, got := collector()
		c := dial(t, url, ch, &DialOptions{Options: Options{Compression: comp}})
		server := <-conns
		window := func() int {
			server.mu.Lock()
			defer server.mu.Unlock()
			return len(server.deflate().out)
		}
		text := strings.Repeat("something to remember; ", 20)
		for range 3 {
			for range 3 {
				if err := c.Send(context.Background(), Text, []byte(text)); err != nil {
					t.Fatal(err)
				}
				if s := receive(t, got); s != text {
					t.Fatalf("received %.40q", s)
				}
			}
			for range 1000 {
				if window() == 0 {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			if n := window(); n > 0 {
				t.Fatalf("an idle connection keeps %d bytes", n)
			}
		}
	})
}

func TestSlide(t *testing.T) {
	for _, size := range []int{256, 1024} {
		var window []byte
		var all string
		for i := range 200 {
			p := strings.Repeat(string(rune('a'+i%26)), (i*37)%400)
			window = slide(window, p, size)
			all += p
			if want := all[max(0, len(all)-size):]; string(window) != want {
				t.Fatalf("size %d, step %d: wrong window", size, i)
			}
			if cap(window) > size {
				t.Fatalf("a window of %d bytes has a capacity of %d", size, cap(window))
			}
		}
	}
}

// TestCompressionParameters lets both sides talk under every kind of agreement,
// with messages of many sizes, and connections that share the pools. hazard 104
func TestCompressionParameters(t *testing.T) {
	seed := rand.Uint64()
	for flags := range 4 {
		for _, bits := range []int{8, 9, 11, 14, 15} {
			comp := &Compression{Threshold: -1, ServerNoTakeover: flags&1 != 0, ClientNoTakeover: flags&2 != 0, ServerBits: bits, ClientBits: 23 - bits}
			t.Run(fmt.Sprintf("%d/%d", flags, bits), func(t *testing.T) {
				url := serve(t, "strand", &Options{Compression: comp}, func() Handler { return echo() })
				var conns []*Conn
				var gots []chan string
				for range 3 {
					h, got := collector()
					conns = append(conns, dial(t, url, h, &DialOptions{Options: Options{Compression: comp}}))
					gots = append(gots, got)
				}
				rnd := rand.New(rand.NewPCG(seed, uint64(flags*100+bits)))
				for i := range 60 {
					k := rnd.IntN(len(conns))
					msg := strings.Repeat(fmt.Sprintf("message %d of %d; ", i/7, k), rnd.IntN(1<<rnd.IntN(12)))
					if err := conns[k].Send(context.Background(), Text, []byte(msg)); err != nil {
						t.Fatalf("seed %d: %v", seed, err)
					}
					if got := receive(t, gots[k]); got != msg {
						t.Fatalf("seed %d: message %d came back as %.60q", seed, i, got)
					}
				}
			})
		}
	}
}

// TestFinalBlocks: streams that a peer ended itself. hazard 102
func TestFinalBlocks(t *testing.T) {
	url := serve(t, "strand", &Options{Compression: &Compression{Threshold: 1 << 20}}, func() Handler { return echo() })
	r := rawDial(t, url, "Sec-WebSocket-Extensions: permessage-deflate\r\n", "")
	final := "\xf3\x48\xcd\xc9\xc9\x07\x00" // "Hello", RFC 7692 section 7.2.3.4
	r.send(frame(0xc1, final+"\x00"))
	r.expect(0x81, "Hello")
	r.send(frame(0xc1, final))
	r.expect(0x81, "Hello")
	r.send(frame(0xc1, final+final+"\x00"))
	r.expect(0x81, "HelloHello")
	r.send(frame(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00")) // section 7.2.3.1
	r.expect(0x81, "Hello")
	r.send(frame(0xc1, "\xf2\x00\x11\x00\x00")) // section 7.2.3.2: refers to the one before
	r.expect(0x81, "Hello")
	r.send(frame(0xc1, "\x00")) // empty
	r.expect(0x81, "")
	r.send(frame(0x41, "\xf2\x48\xcd") + frame(0x80, "\xc9\xc9\x07\x00"))
	r.expect(0x81, "Hello")
	r.send(frame(0xc1, strings.Repeat("\x03\x00", 1000)))
	r.expectClose(InvalidPayload)
}

// TestEndlessCompressed: what a FrameHandler without MaxMessage has to hold of a compressed message is bounded all
// the same, however small its fragments are, and an announced length is not waited for.
func TestEndlessCompressed(t *testing.T) {
	o := &Options{MaxMessage: -1, Compression: &Compression{}}
	piece := strings.Repeat("\x00", 64<<10)
	fragments := frame(0x42, piece) + strings.Repeat(frame(0x00, piece), DefaultMaxMessage/len(piece)-1)
	for _, in := range []string{fragments + frame(0x00, "\x00"), "\xc2\xff\x00\x00\x00\x00\x00\x10\x00\x01mask"} {
		h := &pieces{tester: newTester(), done: make(chan string, 10)}
		url := serve(t, "strand", o, func() Handler { return h })
		r := rawDial(t, url, "Sec-WebSocket-Extensions: permessage-deflate\r\n", "")
		r.send(in)
		r.expectClose(TooBig)
		_ = r.nc.Close()
		if e := h.wait(t); e.Code != TooBig || !e.Local {
			t.Errorf("OnClose received %+v", e)
		}
	}
}
