package websocket

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestRandomStreams sends random legal streams, cut at random places, and wants
// every message back, every ping answered in its place, and a clean end.
func TestRandomStreams(t *testing.T) {
	seed := rand.Uint64()
	each(t, func(t *testing.T, transport string) {
		url := serve(t, transport, &Options{Compression: &Compression{Threshold: 1 << 30}}, func() Handler { return echo() })
		for round := range uint64(30) {
			rnd := rand.New(rand.NewPCG(seed, round))
			stream, want := randomStream(rnd)
			r := rawDial(t, url, "Sec-WebSocket-Extensions: permessage-deflate\r\n", "")
			go func() {
				for len(stream) > 0 {
					n := 1 + rnd.IntN(min(len(stream), 1<<rnd.IntN(16)))
					r.send(stream[:n])
					stream = stream[n:]
					if rnd.IntN(4) == 0 {
						time.Sleep(time.Duration(rnd.IntN(300)) * time.Microsecond)
					}
				}
			}()
			for i, w := range want {
				f, p := r.receive()
				if f != w[0] || p != w[1:] {
					t.Fatalf("seed %d, round %d, frame %d: received %02x and %d bytes, want %02x and %d", seed, round, i, f, len(p), w[0], len(w)-1)
				}
			}
			r.expectClose(4003)
		}
	})
}

// randomStream returns a stream of frames that ends with a close frame, and the
// frames that answer it but for that one: first byte, then payload.
func randomStream(rnd *rand.Rand) (stream string, want []string) {
	var b strings.Builder
	z := takeDeflater(15, 1)
	defer z.release()
	var window []byte
	echoed := 0
	for range 1 + rnd.IntN(8) {
		text := strings.Repeat(string(rune('a'+rnd.IntN(0x2000))), rnd.IntN(1<<rnd.IntN(15)))
		op := byte(1 + rnd.IntN(2))
		wire, first := text, op
		if rnd.IntN(2) == 0 {
			wire, first = string(z.compress([]byte(text), window)), op|0x40
			window = slide(window, text, 1<<15)
		}
		for rnd.IntN(3) > 0 {
			cut := rnd.IntN(len(wire) + 1)
			b.WriteString(frame(first, wire[:cut]))
			wire, first = wire[cut:], 0
			if rnd.IntN(2) == 0 && echoed < pongsAtOnce/2 { // behind more, pongs wait, and the newest is enough (RFC 6455, 5.5.3)
				ping := strings.Repeat("p", rnd.IntN(126))
				b.WriteString(frame(0x89, ping))
				want = append(want, "\x8a"+ping)
			}
		}
		b.WriteString(frame(first|0x80, wire))
		want = append(want, string([]byte{op | 0x80})+text)
		echoed += len(text)
	}
	b.WriteString(frame(0x88, "\x0f\xa3"))
	return b.String(), want
}
