package conformance

import "fmt"

// fragmentation asks RFC 6455 section 5.4.
func (s *list) fragmentation() {
	s.lawfulFragments()
	s.interleaved()
	s.unlawfulFragments()
}

func (s *list) lawfulFragments() {
	for _, k := range kinds {
		for _, n := range []int{1, 2, 10, 100} {
			for _, size := range []int{1, 7, 1000} {
				s.must(fmt.Sprintf("5.4-%s-%d-of-%d", k.name, n, size),
					fmt.Sprintf("a %s message in %d fragments of %d bytes", k.name, n, size), wantsEcho,
					echoes(segWhole, k.op, k.make(n*size), size), closes)
			}
		}
		s.must("5.4-"+k.name+"-chopped", "eight fragments, one byte a segment", wantsEcho,
			echoes(segBytes, k.op, k.make(40), 5), closes)
		s.must("5.4-"+k.name+"-random", "a hundred fragments in random segments", wantsEcho,
			echoes(segRandom, k.op, k.make(20000), 200), closes)
		s.must("5.4-"+k.name+"-pipelined", "three fragmented messages in one write", "three echoes", func(l *link) error {
			var fs []frame
			for i := range 3 {
				fs = append(fs, fragments(k.op, k.make(50+i), 9, 0)...)
			}
			l.write(segWhole, l.encode(fs...))
			return steps(want(k.op, k.make(50)), want(k.op, k.make(51)), want(k.op, k.make(52)), closes)(l)
		})
	}
	s.must("5.4-empty-first", "an empty first fragment", wantsEcho, send(first(""), last("abc")), wantText("abc"), closes)
	s.must("5.4-empty-middle", "an empty fragment in the middle", wantsEcho, send(first("a"), more(""), last("b")), wantText("ab"), closes)
	s.must("5.4-empty-last", "an empty last fragment", wantsEcho, send(first("abc"), last("")), wantText("abc"), closes)
	s.must("5.4-all-empty", "three empty fragments make an empty message", wantsEcho, send(first(""), more(""), last("")), wantText(""), closes)
	s.must("5.4-all-empty-binary", "three empty fragments make an empty binary message", wantsEcho,
		send(frame{op: opBin}, more(""), last("")), wantBin(nil), closes)
	s.must("5.4-thousand-empty", "a thousand empty fragments inside a message", wantsEcho, func(l *link) error {
		fs := []frame{first("a")}
		for range 1000 {
			fs = append(fs, more(""))
		}
		l.write(segWhole, l.encode(append(fs, last("z"))...))
		return steps(wantText("az"), closes)(l)
	})
	s.must("5.4-mixed-sizes", "fragments of 1, 125, 126, 65535, 65536 and 0 bytes", wantsEcho, func(l *link) error {
		p := noise(1 + 125 + 126 + 65535 + 65536)
		var fs []frame
		at := 0
		for i, n := range []int{1, 125, 126, 65535, 65536, 0} {
			f := frame{fin: i == 5, payload: p[at : at+n]}
			if i == 0 {
				f.op = opBin
			}
			fs = append(fs, f)
			at += n
		}
		l.write(segRandom, l.encode(fs...))
		return steps(wantBin(p), closes)(l)
	})
}

func (s *list) interleaved() {
	s.must("5.4-ping-inside", "a ping between two fragments is answered before the message", "pong, then echo",
		send(first("one "), ping("inside"), last("two")), wantPong("inside"), wantText("one two"), closes)
	s.must("5.4-ping-inside-at-once", "a ping between fragments is answered while the message waits for its end", "pong before the last fragment is sent",
		send(first("one "), ping("inside")), wantPong("inside"), send(last("two")), wantText("one two"), closes)
	s.must("5.4-ping-inside-chopped", "a ping between two fragments, one byte a segment", "pong, then echo",
		sendIn(segBytes, first("one "), ping("inside"), last("two")), wantPong("inside"), wantText("one two"), closes)
	s.must("5.4-ping-each", "a ping after each of five fragments", "five pongs, then echo", func(l *link) error {
		fs := []frame{first("0")}
		for i := 1; i < 6; i++ {
			if err := steps(send(fs...), send(ping(fmt.Sprint(i))), wantPong(fmt.Sprint(i)))(l); err != nil {
				return err
			}
			fs = []frame{more(fmt.Sprint(i))}
		}
		return steps(send(fs...), send(last("!")), wantText("012345!"), closes)(l)
	})
	s.must("5.4-pong-inside", "an unsolicited pong between fragments is ignored", wantsEcho,
		send(first("a"), pong("no one asked"), last("b")), wantText("ab"), closes)
	s.must("5.4-ping-first", "a ping before the first fragment and after the last", "pong, echo, pong",
		send(ping("1"), first("a"), last("b"), ping("2")), wantPong("1"), wantText("ab"), wantPong("2"), closes)
	s.must("5.4-close-inside", "a Close between fragments ends the connection; the fragment is dropped", "Close 1000",
		send(first("never finished"), closef(1000, "")), answersClose(1000))
	s.must("5.4-close-inside-late", "a Close between fragments, with the last fragment after it", "Close 1000 and no echo",
		send(first("a"), closef(1000, ""), last("b")), answersClose(1000))
	s.must("5.4-fin-inside", "the stream ends between fragments", wantsClosed, send(first("a")), func(l *link) error { return l.closeWrite() }, dropped)
}

func (s *list) unlawfulFragments() {
	bad := func(id, says string, fs ...frame) {
		s.must("5.4-"+id, says, wants1002, send(fs...), fails(1002))
		s.must("5.4-"+id+"-chopped", says+", one byte a segment", wants1002, sendIn(segBytes, fs...), fails(1002))
	}
	bad("orphan-final", "a final continuation without a beginning", last("x"))
	bad("orphan-more", "a continuation without a beginning", more("x"))
	bad("orphan-empty", "an empty final continuation without a beginning", last(""))
	bad("nested-text", "a new text frame inside a fragmented text", first("a"), text("b"))
	bad("nested-binary", "a new binary frame inside a fragmented text", first("a"), binf([]byte("b")))
	bad("nested-fragment", "a second first fragment", first("a"), first("b"))
	bad("nested-in-binary", "a new text inside a fragmented binary message", frame{op: opBin, payload: []byte("a")}, text("b"))
	s.must("5.4-orphan-after-message", "a continuation after a whole message", "echo, "+wants1002,
		send(text("whole"), last("x")), wantText("whole"), fails(1002))
	s.must("5.4-orphan-after-fragments", "a continuation after a finished fragmented message", "echo, "+wants1002,
		send(first("a"), last("b"), last("c")), wantText("ab"), fails(1002))
	s.must("5.4-orphan-after-ping", "a continuation after a ping", "pong, "+wants1002,
		send(ping("p"), last("c")), wantPong("p"), fails(1002))
	s.should("5.4-orphan-header", "the first two bytes of a continuation without a beginning", wants1002, func(l *link) error {
		l.write(segWhole, l.encode(last("x"))[:2])
		return fails(1002)(l)
	})
	for _, op := range []byte{opPing, opPong, opClose} {
		name := map[byte]string{opPing: "ping", opPong: "pong", opClose: "close"}[op]
		s.must("5.5-fragmented-"+name, "a "+name+" frame without FIN", wants1002, send(frame{op: op}), fails(1002))
		s.must("5.5-fragmented-"+name+"-continued", "a "+name+" frame in two fragments", wants1002,
			send(frame{op: op, payload: []byte{3, 232}}, last("b")), fails(1002))
		for _, n := range []int{126, 127, 1000, 65535, 65536} {
			s.must(fmt.Sprintf("5.5-long-%s-%d", name, n), fmt.Sprintf("a %s frame of %d bytes", name, n), wants1002,
				send(frame{fin: true, op: op, payload: append([]byte{3, 232}, words(n-2)...)}), fails(1002))
		}
		s.should("5.5-long-"+name+"-header", "the first two bytes of a "+name+" frame of 126 bytes", wants1002, func(l *link) error {
			l.write(segWhole, l.encode(frame{fin: true, op: op, payload: words(126)})[:2])
			return fails(1002)(l)
		})
	}
}

// pings asks RFC 6455 sections 5.5.2 and 5.5.3.
func (s *list) pings() {
	for n := range 126 {
		p := string(noise(n))
		s.must(fmt.Sprintf("5.5.2-ping-%d", n), fmt.Sprintf("a ping of %d bytes of anything", n), wantsPong,
			send(ping(p)), wantPong(p), closes)
	}
	for _, n := range []int{0, 1, 125} {
		p := string(noise(n))
		s.must(fmt.Sprintf("5.5.2-ping-chopped-%d", n), fmt.Sprintf("a ping of %d bytes, one byte a segment", n), wantsPong,
			sendIn(segBytes, ping(p)), wantPong(p), closes)
		s.must(fmt.Sprintf("5.5.3-pong-%d", n), fmt.Sprintf("an unsolicited pong of %d bytes", n), wantsNone,
			send(pong(p)), closes)
		s.must(fmt.Sprintf("5.5.3-pong-ping-%d", n), fmt.Sprintf("an unsolicited pong of %d bytes, then a ping", n), "one pong",
			send(pong(p), ping("mine")), wantPong("mine"), closes)
	}
	s.must("5.5.2-ping-not-text", "a ping's payload need not be UTF-8", wantsPong, send(ping("\xff\xfe\x00\x80")), wantPong("\xff\xfe\x00\x80"), closes)
	s.must("5.5.3-pong-between-messages", "unsolicited pongs between messages", "two echoes",
		send(pong("x"), text("1"), pong("y"), pong("z"), text("2")), wantText("1"), wantText("2"), closes)
	s.manyPings()
}

// manyPings asks for pings faster than they are answered.
func (s *list) manyPings() {
	s.must("5.5.2-ten-pings", "ten pings one after the other, each answered", "ten pongs in order", func(l *link) error {
		for i := range 10 {
			if err := steps(send(ping(fmt.Sprint(i))), wantPong(fmt.Sprint(i)))(l); err != nil {
				return err
			}
		}
		return closes(l)
	})
	s.must("5.5.2-ten-pings-at-once", "ten pings in one write; only the last has to be answered", "pongs in order, the last one among them", func(l *link) error {
		var fs []frame
		for i := range 10 {
			fs = append(fs, ping(fmt.Sprint(i)))
		}
		l.write(segWhole, l.encode(fs...))
		return steps(pongsUntil(10), closes)(l)
	})
	s.must("5.5.2-ten-pings-chopped", "ten pings, one byte a segment", "pongs in order, the last one among them", func(l *link) error {
		var fs []frame
		for i := range 10 {
			fs = append(fs, ping(fmt.Sprint(i)))
		}
		l.write(segBytes, l.encode(fs...))
		return steps(pongsUntil(10), closes)(l)
	})
	s.must("5.5.2-flood", "fifty thousand pings, then a message", "pongs in order, the echo, the last pong", func(l *link) error {
		var fs []frame
		for i := range 50000 {
			fs = append(fs, ping(fmt.Sprint(i)))
		}
		l.write(segWhole, l.encode(fs...))
		if err := pongsUntil(50000)(l); err != nil {
			return err
		}
		return steps(echoes(segWhole, opText, []byte("after the flood"), 0), closes)(l)
	})
	s.must("5.5.3-pong-flood", "fifty thousand unsolicited pongs, then a message", wantsEcho, func(l *link) error {
		var fs []frame
		for range 50000 {
			fs = append(fs, pong("unasked"))
		}
		l.write(segWhole, l.encode(append(fs, text("after"))...))
		return steps(wantText("after"), closes)(l)
	})
	s.must("5.5.2-ping-before-payload", "a ping answered while the next frame is half sent", wantsPong, func(l *link) error {
		b := l.encode(ping("now"), text("later"))
		l.write(segWhole, b[:len(b)-3])
		if err := wantPong("now")(l); err != nil {
			return err
		}
		l.write(segWhole, b[len(b)-3:])
		return steps(wantText("later"), closes)(l)
	})
}

// pongsUntil takes pongs with rising numbers until that of ping n-1 (section 5.5.3 lets
// an endpoint answer only the most recent ping).
func pongsUntil(n int) step {
	return func(l *link) error {
		for at := -1; at < n-1; {
			e, err := l.next()
			if err != nil {
				return err
			}
			var i int
			if _, err := fmt.Sscan(string(e.data), &i); e.op != opPong || err != nil || i <= at || i >= n {
				return fmt.Errorf("got %v after pong %d of %d", e, at, n)
			}
			at = i
		}
		return nil
	}
}
