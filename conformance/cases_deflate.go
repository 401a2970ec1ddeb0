package conformance

import (
	"fmt"
	"strings"
)

// serverOffers asks how a server answers offers of permessage-deflate, RFC 7692 section 7.1.
func (s *list) serverOffers() {
	offer := func(g Grade, id, says, want string, lines []string, look func(*env, *exchange) error) {
		s.add(Case{ID: "7692-7.1-" + id, Says: says, Want: want, Grade: g, Deflate: true, run: func(e *env) error {
			q := newRequest(e)
			for _, v := range lines {
				q.add("Sec-WebSocket-Extensions", v)
			}
			x, err := e.exchange(segWhole, q, nil)
			if err != nil {
				return err
			}
			return look(e, x)
		}})
	}
	const pmd = "permessage-deflate"
	for _, v := range []string{
		"; server_max_window_bits=7", "; server_max_window_bits=16", "; server_max_window_bits=a", "; server_max_window_bits=08",
		"; server_max_window_bits=015", "; server_max_window_bits=-9", "; server_max_window_bits=0", "; server_max_window_bits=", "; server_max_window_bits",
		"; server_max_window_bits=1e1", "; server_max_window_bits=99999999999999999999",
		"; client_max_window_bits=7", "; client_max_window_bits=16", "; client_max_window_bits=a", "; client_max_window_bits=09", "; client_max_window_bits=",
		"; client_no_context_takeover=1", "; server_no_context_takeover=true", "; unknown", "; unknown=1", "; mux; server_no_context_takeover",
		"; server_no_context_takeover; server_no_context_takeover", "; client_no_context_takeover; client_no_context_takeover",
		"; server_max_window_bits=10; server_max_window_bits=10", "; client_max_window_bits; client_max_window_bits=10",
	} {
		offer(Must, "bad-offer-"+slug(v[2:]), fmt.Sprintf("the offer %q is invalid and declined", pmd+v), "101 without the extension, then echo", []string{pmd + v}, switched)
	}
	for _, v := range []string{"x-unknown", "x-unknown; a=1; b", "permessage-bzip2", "x-webkit-deflate-frame", "permessage-deflated", "a, b, c; d=\"e, f; g\""} {
		offer(Must, "unknown-"+slug(v), fmt.Sprintf("the extension %q is not known", v), "101 without an extension, then echo", []string{v}, switched)
	}
	offer(Must, "rsv1-after-decline", "a compressed message after the offer was declined", wants1002, []string{pmd + "; unknown"}, func(e *env, x *exchange) error {
		l, err := e.upgraded(x.c, x.br, x.q, x.r, nil)
		if err != nil {
			return err
		}
		return steps(send(frame{fin: true, rsv: rsv1, op: opText, payload: helloWire}), fails(1002))(l)
	})
	malformed := func(e *env, x *exchange) error {
		if x.r.status == 400 {
			return nil
		}
		return switched(e, x)
	}
	for i, v := range []string{pmd + "; server_max_window_bits=\"10", pmd + "; =10", pmd + ";;", ";", pmd + "; a b", "=", pmd + "; \x01"} {
		offer(Must, fmt.Sprintf("malformed-%d", i+1), fmt.Sprintf("the malformed field %q", v), "400, or 101 without the extension", []string{v}, malformed)
	}
	fallback := func(first params) func(*env, *exchange) error {
		return func(e *env, x *exchange) error {
			l, err := e.upgraded(x.c, x.br, x.q, x.r, &first)
			if err != nil {
				return err
			}
			return steps(sendZ(opText, []byte("fallback"), 0), wantText("fallback"), closes)(l)
		}
	}
	offer(Should, "second-offer", "an invalid offer, then a good one", "the second one accepted", []string{pmd + "; server_max_window_bits=99, " + pmd}, fallback(params{}))
	offer(Should, "second-line", "an unknown extension, then a good offer on a line of its own", "the good one accepted", []string{"x-unknown; q=1", pmd}, fallback(params{}))
	offer(Should, "quoted", "a parameter's value in quotes", "accepted", []string{pmd + "; server_max_window_bits=\"10\""}, fallback(params{serverBits: 10}))
	offer(Should, "spaces", "spaces around the separators", "accepted", []string{" " + pmd + " ;  server_no_context_takeover  "}, fallback(params{serverNoTakeover: true}))
	offer(Should, "chromium", "the offer Chromium makes", "accepted", []string{pmd + "; client_max_window_bits"}, fallback(params{clientBits: bare}))
	offer(Must, "thousand-offers", "a thousand offers", "400, or 101 with at most one", []string{strings.Repeat(pmd+"; server_max_window_bits=99, ", 999) + pmd}, func(e *env, x *exchange) error {
		if x.r.status == 400 || x.r.status == 431 {
			return nil
		}
		if x.r.list("Sec-WebSocket-Extensions") == "" {
			return switched(e, x)
		}
		return fallback(params{})(e, x)
	})
}

// compression asks both roles RFC 7692.
func (s *list) compression(offers bool) {
	s.combinations(offers)
	s.blocks()
	s.badCompression()
	s.compressedFraming()
	s.compressedText()
	s.bombs()
	s.manyCompressed()
	s.foreignContext()
}

var deflateSizes = []int{0, 1, 16, 125, 1000, 8 << 10, 128 << 10}

// combinations crosses every parameter of an offer, or of a response, with every size. Only
// an offer may hold client_max_window_bits without a value.
func (s *list) combinations(offers bool) {
	from := 7
	if offers {
		from = 6
	}
	for _, sn := range []bool{false, true} {
		for _, cn := range []bool{false, true} {
			for sb := 7; sb <= 15; sb++ {
				for cb := from; cb <= 15; cb++ {
					p := params{serverNoTakeover: sn, clientNoTakeover: cn, serverBits: sb, clientBits: cb}
					if sb == 7 {
						p.serverBits = 0
					}
					switch cb {
					case 7:
						p.clientBits = 0
					case 6:
						p.clientBits = bare
					}
					s.combination(p)
				}
			}
		}
	}
}

func (p params) id() string {
	f := func(b bool, s string) string {
		if b {
			return s
		}
		return "takeover"
	}
	bits := func(n int) string {
		switch n {
		case 0:
			return "none"
		case bare:
			return "bare"
		}
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("server-%s-%s-client-%s-%s", f(p.serverNoTakeover, "reset"), bits(p.serverBits), f(p.clientNoTakeover, "reset"), bits(p.clientBits))
}

func (s *list) combination(p params) {
	for _, n := range deflateSizes {
		s.deflate(Must, fmt.Sprintf("7692-7.1-%s-size-%d", p.id(), n), fmt.Sprintf("messages of %d bytes under %q, whole and in fragments", n, p), "exact echoes inside the windows", p,
			func(l *link) error { return l.compressedTalk(n) })
	}
	s.deflate(Must, fmt.Sprintf("7692-7.1-%s-mixed", p.id()), fmt.Sprintf("messages of growing and shrinking sizes under %q, some not compressed", p), "exact echoes inside the windows", p,
		func(l *link) error {
			for i, n := range []int{300, 0, 5000, 1, 40000, 16, 300, 70000, 125} {
				var err error
				m := prose(l.rng, n, l.tx.window)
				if i%4 == 3 {
					err = echoes(segWhole, opText, m, 0)(l) // RFC 7692 section 6.1: may stay plain, outside the context
				} else {
					err = steps(sendZ(opText, m, n/3), want(opText, m))(l)
				}
				if err != nil {
					return fmt.Errorf("message %d of %d bytes: %w", i+1, n, err)
				}
			}
			return closes(l)
		})
}

// compressedTalk sends messages of n bytes in every style and several fragmentations, the
// first one again at the end, when the context holds it.
func (l *link) compressedTalk(n int) error {
	cuts := []int{0, 1, 7, 100, 0}
	switch {
	case n > 1<<16:
		cuts = []int{0, 5000}
	case n > 1000:
		cuts = []int{0, 500, 0}
	}
	m := prose(l.rng, n, l.tx.window)
	for i, k := range cuts {
		op := byte(opText)
		if i%2 == 1 {
			op = opBin
		}
		if err := steps(sendZ(op, m, k), want(op, m))(l); err != nil {
			return fmt.Errorf("message %d in frames of %d bytes: %w", i+1, k, err)
		}
	}
	return closes(l)
}

func z(fin bool, op byte, p []byte) frame { return frame{fin: fin, rsv: rsv1, op: op, payload: p} }

// helloWire is "Hello" in one block with fixed codes, RFC 7692 section 7.2.3.1.
var helloWire = []byte{0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}

// plainOffer is permessage-deflate without parameters.
var plainOffer = params{adapt: true}

// blocks asks for every kind of DEFLATE block, RFC 7692 section 7.2.3, with its examples.
func (s *list) blocks() {
	echo := func(id, says, m string, wire ...[]byte) {
		s.deflate(Must, "7692-7.2.3-"+id, says, wantsEcho, plainOffer, func(l *link) error {
			for _, w := range wire {
				if err := steps(send(z(true, opText, w)), wantText(m))(l); err != nil {
					return err
				}
			}
			return closes(l)
		})
	}
	final := []byte{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00}
	echo("one-block", "one compressed block (7.2.3.1)", "Hello", helloWire)
	s.deflate(Must, "7692-7.2.3-context", "the second message refers to the first (7.2.3.2)", wantsEcho, plainOffer, steps(withContext,
		send(z(true, opText, helloWire)), wantText("Hello"), send(z(true, opText, []byte{0xf2, 0x00, 0x11, 0x00, 0x00})), wantText("Hello"), closes))
	echo("stored", "a block without compression (7.2.3.3)", "Hello", []byte{0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00})
	echo("final", "a block with BFINAL (7.2.3.4)", "Hello", final)
	echo("final-then-more", "a message after one with BFINAL", "Hello", final, helloWire, final, helloWire)
	echo("two-blocks", "two blocks in a message (7.2.3.5)", "Hello", []byte{0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00})
	echo("empty", "an empty message (7.2.3.6)", "", []byte{0x00}, []byte{0x00}, []byte{0x02, 0x00})
	echo("tail-kept", "a sender that does not strip its last four octets", "Hello", append(append([]byte(nil), helloWire...), 0x00, 0x00, 0xff, 0xff, 0x00))
	w := &bitWriter{}
	for range 1000 {
		w.put(0, 3)
		w.align()
		w.put(0xffff0000, 32)
	}
	w.begin(false)
	w.lit('x')
	w.end()
	echo("empty-stored-blocks", "a thousand empty blocks before one byte", "x", w.sync())
	w = &bitWriter{}
	for range 1000 {
		w.begin(false)
		w.end()
	}
	w.begin(false)
	w.lit('x')
	w.end()
	echo("empty-fixed-blocks", "a thousand empty blocks with fixed codes before one byte", "x", w.sync())
	s.styles()
	s.contexts()
}

// styles asks for each of the three kinds of block alone, over four messages.
func (s *list) styles() {
	for st := range styles {
		for _, n := range []int{1, 300, 5000, 70000} {
			s.deflate(Must, fmt.Sprintf("7692-7.2.2-style-%d-%d", st, n), fmt.Sprintf("four messages of %d bytes, all %s", n, [...]string{"with fixed codes and matches", "stored", "with dynamic codes"}[st]), wantsEcho, plainOffer,
				func(l *link) error {
					for range 4 {
						m := prose(l.rng, n, l.tx.window)
						p := l.tx.styled(m, st)
						if err := steps(send(z(true, opText, p)), wantText(string(m)))(l); err != nil {
							return err
						}
					}
					return closes(l)
				})
		}
	}
}

// contexts asks what messages may refer to.
func (s *list) contexts() {
	s.deflate(Must, "7692-7.2.1-distance-whole-window", "a match exactly 32768 bytes back, over two messages", wantsEcho, plainOffer, func(l *link) error {
		if err := withContext(l); err != nil {
			return err
		}
		m := noise(1 << 15)
		p := l.tx.styled(m, styleStored)
		w := &bitWriter{}
		w.begin(false)
		w.match(258, 1<<15)
		w.end()
		return steps(send(z(true, opBin, p)), wantBin(m), send(z(true, opBin, w.sync())), wantBin(m[:258]), closes)(l)
	})
	s.deflate(Must, "7692-6.1-plain-between", "plain messages between compressed ones do not enter the context", wantsEcho, plainOffer, func(l *link) error {
		return steps(withContext, send(z(true, opText, helloWire)), wantText("Hello"), echoes(segWhole, opText, []byte("plain text"), 0),
			send(z(true, opText, []byte{0xf2, 0x00, 0x11, 0x00, 0x00})), wantText("Hello"), echoes(segWhole, opBin, noise(1000), 100), closes)(l)
	})
	s.deflate(Must, "7692-7.2.3-zero-length", "a compressed message of no bytes at all: an empty message or bad data", "empty echo, or Close 1007 or 1002", plainOffer,
		steps(send(z(true, opText, nil)), echoOrFail(opText, nil, 1007, 1002)))
	s.deflate(Should, "7692-7-large-comes-compressed", "a compressible message of 64 KiB comes back compressed", "RSV1 set", plainOffer, func(l *link) error {
		m := prose(l.rng, 1<<16, 1000)
		if err := sendZ(opText, m, 0)(l); err != nil {
			return err
		}
		e, err := l.next()
		if err != nil || !same(e.data, m) {
			return fmt.Errorf("got %v, %w", e, errOr(err))
		}
		if !e.zipped {
			return fmt.Errorf("64 KiB of compressible text came back plain")
		}
		return closes(l)
	})
}

// withContext declines a case that needs a context kept between the suite's messages.
func withContext(l *link) error {
	if !l.tx.takeover {
		return fmt.Errorf("%w: the peer asks for no context takeover", errDeclined)
	}
	return nil
}

// badData is the failure of data that is no DEFLATE. The RFCs name no code; 1007 is the
// one that fits, 1002 the other in use.
var badData = []int{1007, 1002}

func (s *list) badCompression() {
	bad := func(id, says string, p params, wire ...[]byte) {
		if !refusedBy(p, wire) {
			panic("conformance: the suite's own inflater takes " + id)
		}
		s.deflate(Must, "7692-7.2.2-bad-"+id, says, "Close 1007 (or 1002), no message, TCP closed", p, func(l *link) error {
			for _, w := range wire[:len(wire)-1] {
				l.write(segWhole, l.encode(z(true, opBin, w)))
				if _, err := l.next(); err != nil {
					return err
				}
			}
			return steps(send(z(true, opBin, wire[len(wire)-1])), fails(badData...))(l)
		})
	}
	block := func(f func(w *bitWriter)) []byte {
		w := &bitWriter{}
		w.begin(false)
		f(w)
		w.end()
		return w.sync()
	}
	cutFixed := block(func(w *bitWriter) {
		for range 40 {
			w.lit('~')
		}
	})[:20]
	bad("type-3", "a block of the reserved type", plainOffer, []byte{0x06, 0x00})
	bad("garbage", "bytes that are no DEFLATE", plainOffer, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	bad("stored-complement", "a stored block whose length has no complement", plainOffer, []byte{0x00, 0x05, 0x00, 0x05, 0x00, 'h', 'e', 'l', 'l', 'o', 0x00})
	bad("stored-short", "a stored block longer than the message", plainOffer, []byte{0x00, 0xff, 0x00, 0x00, 0xff, 'h', 'e', 'l', 'l', 'o'})
	bad("fixed-short", "a compressed block without its end", plainOffer, cutFixed)
	bad("length-286", "the length symbol 286, which does not exist", plainOffer, block(func(w *bitWriter) { w.lit('a'); w.lit(286); w.code(0, 5) }))
	bad("distance-30", "the distance symbol 30, which does not exist", plainOffer, block(func(w *bitWriter) { w.lit('a'); w.lit(257); w.code(30, 5) }))
	bad("dynamic-garbage", "dynamic codes that are over-subscribed", plainOffer, []byte{0x04, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	for _, d := range []int{1, 2, 4, 100, 257, 32768} {
		bad(fmt.Sprintf("before-start-%d", d), fmt.Sprintf("the first message of a connection begins with a copy from %d bytes back", d), plainOffer,
			block(func(w *bitWriter) { w.match(200, d) }))
	}
	bad("before-start-later", "the first message copies from one byte before its beginning", plainOffer,
		block(func(w *bitWriter) {
			for _, c := range []byte("abc") {
				w.lit(int(c))
			}
			w.match(100, 4)
		}))
	bad("before-start-second", "the second message copies from before the first", plainOffer,
		block(func(w *bitWriter) { w.lit('a') }), block(func(w *bitWriter) { w.match(10, 2) }))
	s.deflate(Should, "7692-7.1.1-reset-is-reset", "a copy from the message before, though the sender agreed to reset its context", "Close 1007 (or 1002), or the copy", params{serverNoTakeover: true, clientNoTakeover: true},
		func(l *link) error {
			if l.tx.takeover {
				return fmt.Errorf("%w: the peer did not agree to the reset", errDeclined)
			}
			w := block(func(w *bitWriter) { w.match(10, 10) })
			return steps(send(z(true, opBin, block(func(w *bitWriter) {
				for range 10 {
					w.lit('r')
				}
			}))), wantBin([]byte("rrrrrrrrrr")), send(z(true, opBin, w)), echoOrFail(opBin, []byte("rrrrrrrrrr"), badData...))(l)
		})
	s.deflate(Must, "7692-7.1.2-beyond-window", "a copy from farther back than the agreed window: bad data, or taken", "Close 1007 (or 1002), or exact echo", params{serverBits: 9, clientBits: 9},
		func(l *link) error {
			if l.tx.window > 512 {
				return fmt.Errorf("%w: the peer agreed to a window of %d", errDeclined, l.tx.window)
			}
			m := noise(2000)
			w := block(func(w *bitWriter) { w.match(100, 1000) })
			return steps(send(z(true, opBin, storedBlocks(m))), wantBin(m), send(z(true, opBin, w)), echoOrFail(opBin, m[1000:1100], badData...))(l)
		})
}

// refusedBy says whether the suite's own inflater refuses the last message and only that.
func refusedBy(p params, wire [][]byte) bool {
	z := &inflater{window: 1 << 15, takeover: !p.clientNoTakeover}
	for i, w := range wire {
		if _, err := z.message(w); (err != nil) != (i == len(wire)-1) {
			return false
		}
	}
	return true
}

// compressedFraming asks where RSV1 may be, RFC 7692 section 6.
func (s *list) compressedFraming() {
	bad := func(id, says string, fs ...frame) {
		s.deflate(Must, "7692-6-"+id, says, wants1002, plainOffer, steps(send(fs...), fails(1002)))
	}
	bad("rsv1-continuation", "RSV1 on a continuation of a compressed message", z(false, opText, helloWire[:3]), z(true, opCont, helloWire[3:]))
	bad("rsv1-plain-continuation", "RSV1 on a continuation of a plain message", first("a"), z(true, opCont, helloWire))
	bad("rsv1-ping", "RSV1 on a ping", z(true, opPing, helloWire))
	bad("rsv1-pong", "RSV1 on a pong", z(true, opPong, helloWire))
	bad("rsv1-close", "RSV1 on a Close", z(true, opClose, []byte{3, 232}))
	bad("rsv1-opcode-3", "RSV1 on a reserved opcode", z(true, 3, helloWire))
	bad("rsv2", "RSV2 on a compressed message", frame{fin: true, rsv: rsv1 | rsv2, op: opText, payload: helloWire})
	bad("rsv3", "RSV3 on a compressed message", frame{fin: true, rsv: rsv1 | rsv3, op: opText, payload: helloWire})
	bad("rsv2-plain", "RSV2 on a plain message", frame{fin: true, rsv: rsv2, op: opText, payload: helloWire})
	bad("nested", "a compressed message inside a compressed message", z(false, opText, helloWire[:3]), z(true, opText, helloWire))
	good := func(id, says string, ss ...step) {
		s.deflate(Must, "7692-6-"+id, says, wantsEcho, plainOffer, steps(append(ss, closes)...))
	}
	for at := range len(helloWire) + 1 {
		good(fmt.Sprintf("split-%d", at), fmt.Sprintf("a compressed message in two fragments, cut after byte %d", at),
			send(z(false, opText, helloWire[:at]), frame{fin: true, op: opCont, payload: helloWire[at:]}), wantText("Hello"))
		good(fmt.Sprintf("split-tcp-%d", at), fmt.Sprintf("a compressed message of which the TCP segment ends %d bytes before its end", len(helloWire)-at),
			func(l *link) error {
				b := l.encode(z(true, opText, helloWire))
				l.write(segAt(len(b)-len(helloWire)+at), b)
				return wantText("Hello")(l)
			})
	}
	good("ping-inside", "a ping between the fragments of a compressed message", send(z(false, opText, helloWire[:2]), ping("plain"), frame{op: opCont, payload: helloWire[2:5]}),
		wantPong("plain"), send(last(string(helloWire[5:]))), wantText("Hello"))
	good("empty-fragments", "empty fragments around a compressed message", send(z(false, opText, nil), more(string(helloWire)), last("")), wantText("Hello"))
	good("chopped", "a compressed message, one byte a segment", sendIn(segBytes, z(true, opText, helloWire)), wantText("Hello"))
	good("close-after", "messages, plain and compressed, in one write", send(z(true, opText, helloWire), text("plain"), z(true, opText, helloWire), ping("!")),
		wantText("Hello"), wantText("plain"), wantText("Hello"), wantPong("!"))
}

// compressedText asks RFC 6455 section 8.1 of what comes out of the inflater.
func (s *list) compressedText() {
	for _, v := range invalidSamples() {
		s.deflate(Must, "7692-8.1-invalid-"+v.name, fmt.Sprintf("a compressed text with %+q", v.p), wants1007, plainOffer,
			steps(sendZ(opText, []byte("good κόσμε "+v.p), 0), fails(1007)))
	}
	for _, v := range validSamples()[:12] {
		s.deflate(Must, "7692-8.1-valid-"+v.name, fmt.Sprintf("a compressed text %+q in fragments of one byte", v.p), wantsEcho, plainOffer,
			steps(sendZ(opText, []byte(v.p), 1), wantText(v.p), closes))
	}
	s.deflate(Must, "7692-8.1-far", "a compressed text with a wrong byte after 100,000 good ones", wants1007, plainOffer,
		func(l *link) error { return steps(sendZ(opText, append(words(100000), 0xff), 999), fails(1007))(l) })
	s.deflate(Must, "7692-8.1-binary", "a compressed binary message need not be UTF-8", wantsEcho, plainOffer,
		steps(sendZ(opBin, []byte("\xff\xfe\x80"), 0), wantBin([]byte("\xff\xfe\x80")), closes))
}

// bombs asks that the limit counts what comes out.
func (s *list) bombs() {
	add := func(id, says, want string, f func(l *link, n int) error) {
		s.deflate(Must, "7692-8-"+id, says, want, plainOffer, limited(f))
		s.heavy()
	}
	add("bomb", "a thousandth of twice the limit, compressed", wants1009, func(l *link, n int) error {
		return steps(send(z(true, opBin, zeros(2*n))), fails(1009))(l)
	})
	add("bomb-fragments", "the same in fragments", wants1009, func(l *link, n int) error {
		return steps(send(fragments(opBin, zeros(2*n), 1000, rsv1)...), fails(1009))(l)
	})
	add("bomb-1GiB", "a gibibyte of zeros in a megabyte", wants1009, func(l *link, _ int) error {
		return steps(send(z(true, opBin, zeros(1<<30))), fails(1009))(l)
	})
	add("bomb-one-more", "one byte more than the limit", wants1009, func(l *link, n int) error {
		return steps(send(z(true, opBin, zeros(n+1))), fails(1009))(l)
	})
	add("bomb-text", "one byte more than the limit, as text", wants1009, func(l *link, n int) error {
		return steps(send(z(true, opText, zeros(n+1))), fails(1009))(l)
	})
	add("exactly", "a compressed message exactly as long as the limit", wantsEcho, func(l *link, n int) error {
		return steps(send(z(true, opBin, zeros(n))), wantBin(make([]byte, n)), closes)(l)
	})
	add("stored-one-more", "stored blocks of one byte more than the limit", wants1009, func(l *link, n int) error {
		return steps(send(z(true, opBin, storedBlocks(make([]byte, n+1)))), fails(1009))(l)
	})
	add("after-good", "a good message, then a bomb that uses its context", "echo, "+wants1009, func(l *link, n int) error {
		return steps(sendZ(opText, []byte("good"), 0), wantText("good"), send(z(true, opBin, zeros(n+1))), fails(1009))(l)
	})
}

// manyCompressed sends many messages over one context.
func (s *list) manyCompressed() {
	for _, k := range []struct {
		name string
		p    params
	}{
		{"default", params{}}, {"reset", params{serverNoTakeover: true, clientNoTakeover: true}},
		{"bits-9", params{serverBits: 9, clientBits: 9}}, {"bits-9-reset", params{serverNoTakeover: true, clientNoTakeover: true, serverBits: 9, clientBits: 9}},
		{"bits-8", params{serverBits: 8, clientBits: 8}}, {"bits-15", params{serverBits: 15, clientBits: 15}},
	} {
		for _, n := range []int{16, 64, 256, 1024, 4096, 16384, 65536} {
			for _, frag := range []int{0, 3} {
				count := min(1000, (1<<20)/n)
				s.deflate(Must, fmt.Sprintf("7692-7.2-volume-%s-%d-times-%d-in-%d", k.name, count, n, frag+1),
					fmt.Sprintf("%d messages of %d bytes over one context, %q, in %d fragments", count, n, k.p, frag+1), "every echo", k.p,
					func(l *link) error {
						for i := range count {
							m := prose(l.rng, n, l.tx.window)
							cut := 0
							if frag > 0 {
								cut = n/(2*frag) + 1
							}
							if err := steps(sendZ(opText, m, cut), want(opText, m))(l); err != nil {
								return fmt.Errorf("message %d: %w", i+1, err)
							}
						}
						return closes(l)
					})
			}
		}
	}
}

// foreignContext asks whether one connection's text can show in another's stream: the same
// text goes first over connections that are opened while the peer still has the context
// of earlier ones at hand. A copy from a context that is not this connection's own does
// not inflate here.
func (s *list) foreignContext() {
	for _, p := range []params{{}, {serverNoTakeover: true, clientNoTakeover: true}, {serverBits: 9, clientBits: 9}, {serverBits: 12, clientBits: 12}, {serverBits: 15, clientBits: 15}} {
		s.add(Case{
			ID: "7692-7.2-foreign-context-" + p.id(), Deflate: true, Want: "exact echoes, each from its own context",
			Says: fmt.Sprintf("one text as the first message of twelve connections under %q, after others have sent it", p),
			run:  func(e *env) error { return e.foreignContext(p) },
		})
	}
}

func (e *env) foreignContext(p params) error {
	m := prose(e.rng, 3000, 300)
	for i := range 12 {
		l, err := e.open(&p)
		if err != nil {
			return err
		}
		for range 3 {
			if err := steps(sendZ(opText, m[i*7:], 0), want(opText, m[i*7:]))(l); err != nil {
				return fmt.Errorf("connection %d: %w", i+1, err)
			}
		}
		if i%2 == 0 {
			if err := closes(l); err != nil {
				return err
			}
		}
	}
	return nil
}
