package conformance

import (
	"fmt"
	"math/rand"
)

// words is n bytes of valid text with characters of every length; noise is n bytes of
// everything. Both differ at every offset that a shift would confuse.
func words(n int) []byte {
	const s = "strand κόσμε — один байт 一個 𝄞 "
	p := make([]byte, 0, n+len(s))
	for i := 0; len(p)+len(s)+8 <= n; i++ {
		p = append(p, s...)
		p = fmt.Appendf(p, "%x ", i&0xffff)
	}
	for len(p) < n {
		p = append(p, byte('a'+len(p)%26))
	}
	return p[:n]
}

func noise(n int) []byte {
	p := make([]byte, n)
	rand.New(rand.NewSource(int64(n) + 1)).Read(p)
	return p
}

type kind struct {
	name string
	op   byte
	make func(int) []byte
}

var kinds = []kind{{"text", opText, words}, {"binary", opBin, noise}}

// lengths asks for every width of the length field in every segmentation.
func (s *list) lengths() {
	for _, k := range kinds {
		for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 124, 125, 126, 127, 128, 129, 1000, 4096, 65534, 65535, 65536, 65537, 1 << 20, 16 << 20} {
			cuts := []struct {
				name string
				seg  segment
			}{{"whole", segWhole}, {"random", segRandom}}
			if n <= 129 {
				cuts = append(cuts, struct {
					name string
					seg  segment
				}{"bytes", segBytes})
			}
			if n >= 125 && n <= 1<<20 {
				cuts = append(cuts, struct {
					name string
					seg  segment
				}{"1460", segEvery(1460)})
			}
			for _, c := range cuts {
				s.must(fmt.Sprintf("5.2-length-%s-%d-%s", k.name, n, c.name),
					fmt.Sprintf("a %s message of %d bytes, its TCP segments %s", k.name, n, c.name), wantsEcho,
					within(n, steps(lazyEcho(c.seg, k, n), closes)))
				if n >= 1<<20 {
					s.heavy()
				}
			}
		}
	}
	s.segmentation()
}

// lazyEcho makes the payload only when the case runs.
func lazyEcho(seg segment, k kind, n int) step {
	return func(l *link) error { return echoes(seg, k.op, k.make(n), 0)(l) }
}

// segmentation cuts one conversation at every byte, and puts many frames in one write.
func (s *list) segmentation() {
	talk := []frame{text("Hello"), ping("p"), binf(noise(130)), first("frag"), pong(""), last("ment")}
	answers := steps(wantText("Hello"), wantPong("p"), wantBin(noise(130)), wantText("fragment"))
	for at := 1; at < 158; at++ { // 158 bytes from a server, 24 more from a client
		if at > 40 && at%8 != 0 {
			continue
		}
		s.must(fmt.Sprintf("5.2-cut-%d", at), fmt.Sprintf("six frames in two segments, cut after byte %d", at),
			"every message and pong in order", sendAt(at, talk...), answers, closes)
	}
	s.must("5.2-cut-everywhere", "six frames, one byte a segment", "every message and pong in order",
		sendIn(segBytes, talk...), answers, closes)
	s.must("5.2-many-in-one-segment", "two hundred short messages in one write", "every echo in order", func(l *link) error {
		var fs []frame
		for i := range 200 {
			fs = append(fs, text(fmt.Sprint("message ", i)))
		}
		l.write(segWhole, l.encode(fs...))
		for i := range 200 {
			if err := wantText(fmt.Sprint("message ", i))(l); err != nil {
				return err
			}
		}
		return closes(l)
	})
}

// masks asks a server for payloads under special keys.
func (s *list) masks() {
	for _, key := range [][4]byte{{}, {255, 255, 255, 255}, {0x5a, 0, 0, 0}, {0, 0, 0, 0xa5}, {'H', 'e', 'l', 'l'}} {
		for _, n := range []int{1, 2, 3, 4, 5, 8, 15, 16, 17, 33, 125, 1001} {
			s.must(fmt.Sprintf("5.3-key-%x-%d", key, n), fmt.Sprintf("%d bytes under the masking key %x", n, key), wantsEcho,
				sendAt(9, frame{fin: true, op: opBin, payload: noise(n), key: &key}), wantBin(noise(n)), closes)
		}
	}
}

// freshKeys asks a client for unpredictable masking keys.
func (s *list) freshKeys() {
	s.must("5.3-fresh-keys", "sixty-four echoes carry masking keys that do not repeat", "at least 60 different keys", func(l *link) error {
		for i := range 64 {
			if err := echoes(segWhole, opText, fmt.Append(nil, "key ", i), 0)(l); err != nil {
				return err
			}
		}
		if len(l.keys) < 60 {
			return fmt.Errorf("%d different masking keys in %d frames", len(l.keys), l.frames)
		}
		return closes(l)
	})
}

// badLengths asks for lengths that are longer than they need to be, or impossible.
func (s *list) badLengths() {
	for _, n := range []int{0, 1, 125} {
		s.must(fmt.Sprintf("5.2-not-minimal-16-%d", n), fmt.Sprintf("a length of %d in 16 bits", n), wants1002,
			send(frame{fin: true, op: opText, payload: words(n), form: form16}), fails(1002))
	}
	for _, n := range []int{0, 1, 125, 126, 65535} {
		s.must(fmt.Sprintf("5.2-not-minimal-64-%d", n), fmt.Sprintf("a length of %d in 64 bits", n), wants1002,
			send(frame{fin: true, op: opText, payload: words(n), form: form64}), fails(1002))
	}
	s.must("5.2-not-minimal-header", "a length of 125 in 16 bits, the header alone", wants1002,
		sendCut(125, frame{fin: true, op: opText, payload: words(125), form: form16}), fails(1002))
	s.must("5.2-not-minimal-ping", "a ping with its length in 16 bits", wants1002,
		send(frame{fin: true, op: opPing, payload: words(5), form: form16}), fails(1002))
	s.must("5.2-not-minimal-continuation", "a continuation with its length in 64 bits", wants1002,
		send(first("a"), frame{fin: true, op: opCont, payload: words(5), form: form64}), fails(1002))
	for _, n := range []int64{1, 0x7fffffffffffffff, 1 << 40} {
		s.must(fmt.Sprintf("5.2-top-bit-%x", n), "a 64-bit length with its top bit set", wants1002,
			send(frame{fin: true, op: opBin, declare: n, topBit: true}), fails(1002))
	}
	s.must("5.2-top-bit-text", "a text frame whose length has its top bit set", wants1002,
		send(frame{fin: true, op: opText, declare: 5, topBit: true, payload: words(5)}), fails(1002))
}

func rsvName(r byte) string { return fmt.Sprintf("%d%d%d", r>>2&1, r>>1&1, r&1) }

// reserved asks for reserved bits without an extension.
func (s *list) reserved() {
	ops := []struct {
		name string
		op   byte
	}{{"text", opText}, {"binary", opBin}, {"ping", opPing}, {"pong", opPong}}
	for r := byte(1); r < 8; r++ {
		for _, o := range ops {
			s.must(fmt.Sprintf("5.2-rsv-%s-%s", rsvName(r), o.name),
				fmt.Sprintf("a %s frame with reserved bits %s and no extension", o.name, rsvName(r)), wants1002,
				send(frame{fin: true, rsv: r, op: o.op, payload: []byte("reserved")}), fails(1002))
		}
		s.must(fmt.Sprintf("5.2-rsv-%s-close", rsvName(r)), "a Close with reserved bits "+rsvName(r), wants1002,
			send(frame{fin: true, rsv: r, op: opClose, payload: []byte{3, 232}}), fails(1002))
		s.must(fmt.Sprintf("5.2-rsv-%s-continuation", rsvName(r)), "a continuation with reserved bits "+rsvName(r), wants1002,
			send(first("a"), frame{fin: true, rsv: r, op: opCont}), fails(1002))
		s.must(fmt.Sprintf("5.2-rsv-%s-after-echo", rsvName(r)),
			"a good message, then reserved bits "+rsvName(r)+" and a ping in the same segment", "echo of the first, "+wants1002,
			send(text("good"), frame{fin: true, rsv: r, op: opText, payload: []byte("bad")}, ping("no")), wantText("good"), fails(1002))
		s.must(fmt.Sprintf("5.2-rsv-%s-chopped", rsvName(r)),
			"a good message, then reserved bits "+rsvName(r)+", one byte a segment", "echo of the first, "+wants1002,
			sendIn(segBytes, text("good"), frame{fin: true, rsv: r, op: opText, payload: []byte("bad")}), wantText("good"), fails(1002))
		s.must(fmt.Sprintf("5.2-rsv-%s-header", rsvName(r)), "the header alone, of 100 bytes with reserved bits "+rsvName(r), wants1002,
			sendCut(100, frame{fin: true, rsv: r, op: opBin, payload: words(100)}), fails(1002))
	}
}

// opcodes asks for those that mean nothing.
func (s *list) opcodes() {
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		s.must(fmt.Sprintf("5.2-opcode-%d-empty", op), fmt.Sprintf("an empty frame with reserved opcode %d", op), wants1002,
			send(frame{fin: true, op: op}), fails(1002))
		s.must(fmt.Sprintf("5.2-opcode-%d-payload", op), fmt.Sprintf("a frame with reserved opcode %d and a payload", op), wants1002,
			send(frame{fin: true, op: op, payload: []byte("reserved payload")}), fails(1002))
		s.must(fmt.Sprintf("5.2-opcode-%d-after-echo", op), fmt.Sprintf("a good message, then opcode %d and a ping", op), "echo of the first, "+wants1002,
			send(text("good"), frame{fin: true, op: op, payload: []byte("reserved")}, ping("no")), wantText("good"), fails(1002))
		s.must(fmt.Sprintf("5.2-opcode-%d-chopped", op), fmt.Sprintf("a good message, then opcode %d, one byte a segment", op), "echo of the first, "+wants1002,
			sendIn(segBytes, text("good"), frame{fin: true, op: op, payload: []byte("reserved")}), wantText("good"), fails(1002))
		s.must(fmt.Sprintf("5.2-opcode-%d-not-final", op), fmt.Sprintf("a fragment with reserved opcode %d", op), wants1002,
			send(frame{op: op, payload: []byte("x")}), fails(1002))
		s.must(fmt.Sprintf("5.2-opcode-%d-inside", op), fmt.Sprintf("opcode %d inside a fragmented message", op), wants1002,
			send(first("a"), frame{fin: true, op: op}), fails(1002))
	}
}
