package conformance

import (
	"fmt"
	"strings"
)

// closing asks RFC 6455 sections 5.5.1, 7.1 and 7.4.
func (s *list) closing() {
	s.closeCodes()
	s.closePayloads()
	s.closeOrder()
	s.endings()
}

func (s *list) closeCodes() {
	// Section 5.5.1: the answer "typically" echoes the code.
	for _, c := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3999, 4000, 4001, 4999} {
		s.should(fmt.Sprintf("7.4-code-%d", c), fmt.Sprintf("a Close with code %d", c), fmt.Sprintf("Close %d, TCP closed", c),
			send(closef(c, "")), answersClose(c))
		s.should(fmt.Sprintf("7.4-code-%d-reason", c), fmt.Sprintf("a Close with code %d and a reason", c), fmt.Sprintf("Close %d, TCP closed", c),
			send(closef(c, "because")), answersClose(c))
	}
	for _, c := range []int{0, 1, 500, 999, 1004, 1005, 1006, 1015, 1016, 1017, 1100, 1999, 2000, 2500, 2999, 5000, 5001, 32768, 65535} {
		s.must(fmt.Sprintf("7.4-bad-code-%d", c), fmt.Sprintf("a Close with code %d, which may not be sent", c), wants1002,
			send(closef(c, "")), fails(1002))
		s.must(fmt.Sprintf("7.4-bad-code-%d-reason", c), fmt.Sprintf("a Close with code %d, which may not be sent, and a reason", c), wants1002,
			send(closef(c, "because")), fails(1002))
	}
}

func (s *list) closePayloads() {
	s.must("5.5.1-empty", "a Close without a code", "Close without a code or 1000, TCP closed", send(closeRaw(nil)), answersClose(1005, 1000))
	s.must("5.5.1-one-byte", "a Close with one byte", wants1002, send(closeRaw([]byte{3})), fails(1002))
	for n := range 124 {
		s.must(fmt.Sprintf("5.5.1-reason-%d", n), fmt.Sprintf("a Close with a reason of %d bytes", n), "Close 1000, TCP closed",
			send(closef(1000, strings.Repeat("r", n))), answersClose(1000))
	}
	s.must("5.5.1-reason-124", "a Close with a reason of 124 bytes", wants1002, send(closef(1000, strings.Repeat("r", 124))), fails(1002))
	s.must("5.5.1-reason-utf8", "a Close with a reason of many scripts", "Close 1000, TCP closed", send(closef(1000, "κόσμε 漢字 👩‍👧")), answersClose(1000))
	s.must("5.5.1-chopped", "a Close, one byte a segment", "Close 1000, TCP closed", sendIn(segBytes, closef(1000, "slowly κ")), answersClose(1000))
	for _, v := range invalidSamples() {
		s.must("5.5.1-reason-bad-"+v.name, fmt.Sprintf("a Close whose reason holds %+q", v.p), wants1007,
			send(closef(1000, "r "+v.p)), fails(1007))
	}
}

func (s *list) closeOrder() {
	s.must("7.1-close-first", "a Close as the first frame", "Close 1000, TCP closed", send(closef(1000, "")), answersClose(1000))
	s.must("7.1-text-then-close", "a text and a Close in one write", "echo, Close 1000", send(text("last words"), closef(1000, "")), wantText("last words"), answersClose(1000))
	s.must("7.1-large-then-close", "256 KiB and a Close in one write", "echo, Close 1000", send(binf(noise(256<<10)), closef(1000, "")), wantBin(noise(256<<10)), answersClose(1000))
	s.must("5.5.1-twice", "two Close frames in one write", "one Close, TCP closed", send(closef(1000, ""), closef(1001, "")), answersClose(1000))
	s.must("5.5.1-twice-later", "a second Close after the answer", "TCP closed", func(l *link) error {
		l.write(segWhole, l.encode(closef(1000, "")))
		e, err := l.next()
		if err != nil || e.op != opClose || e.code != 1000 {
			return fmt.Errorf("got %v, %w; want Close 1000", e, errOr(err))
		}
		l.write(segWhole, l.encode(closef(1000, "")))
		return gone(l)
	})
	s.must("5.5.1-text-after", "a text after the Close is not answered", "Close 1000, no echo", send(closef(1000, ""), text("late")), answersClose(1000))
	s.must("5.5.1-ping-after", "a ping after the Close is not answered", "Close 1000, no pong", send(closef(1000, ""), ping("late")), answersClose(1000))
	s.must("5.5.1-bad-after", "a reserved opcode after the Close is not looked at", "Close 1000", send(closef(1000, ""), frame{fin: true, op: 5}), answersClose(1000))
	s.must("5.5.1-flood-after", "a megabyte after the Close does not keep the connection open", "Close 1000, TCP closed",
		send(closef(1000, ""), binf(noise(1<<20))), answersClose(1000))
	s.must("7.1-crossing", "a protocol error and a Close cross: the suite's Close after its bad frame", wants1002,
		send(frame{fin: true, op: 3}, closef(1000, "")), fails(1002))
	s.must("7.1-unanswered", "the suite never answers the Close 1002", wants1002, send(frame{fin: true, op: 3}), fails(1002))
	s.must("7.1-answered", "the suite answers the Close 1002", wants1002, func(l *link) error {
		l.write(segWhole, l.encode(frame{fin: true, op: 3}))
		e, err := l.next()
		if err != nil || e.op != opClose || e.code != 1002 {
			return fmt.Errorf("got %v, %w; want Close 1002", e, errOr(err))
		}
		l.write(segWhole, l.encode(closef(1002, "")))
		return gone(l)
	})
	s.must("7.1-ignores-after-failure", "a good text after a bad frame in one write is not answered", wants1002,
		send(frame{fin: true, op: 3}, text("no"), ping("no")), fails(1002))
	s.must("7.1-half-close", "the suite ends its direction right after its Close", "Close 1000, TCP closed",
		send(closef(1000, "")), func(l *link) error { return l.closeWrite() }, answersClose(1000))
	s.must("7.1-close-inside-frame", "a Close's bytes inside a text frame are text", wantsEcho,
		send(text("\x08\x02\x03\x68")), wantText("\x08\x02\x03\x68"), closes)
}

// endings ends the stream without a Close, section 7.1.5: code 1006 is never on the wire.
func (s *list) endings() {
	fin := func(l *link) error { return l.closeWrite() }
	s.must("7.1.5-end-at-once", "the stream ends before a frame", wantsClosed, fin, dropped)
	s.must("7.1.5-end-in-header", "the stream ends inside a header", wantsClosed, func(l *link) error {
		l.write(segWhole, l.encode(binf(noise(300)))[:3])
		return steps(fin, dropped)(l)
	})
	s.must("7.1.5-end-after-header", "the stream ends between header and payload", wantsClosed, sendCut(300, binf(noise(300))), fin, dropped)
	s.must("7.1.5-end-in-payload", "the stream ends inside a payload", wantsClosed, sendCut(1, binf(noise(300))), fin, dropped)
	s.must("7.1.5-end-in-ping", "the stream ends inside a ping", wantsClosed, sendCut(1, ping("four")), fin, dropped)
	s.must("7.1.5-end-in-close", "the stream ends inside a Close", wantsClosed, sendCut(1, closef(1000, "bye")), fin, dropped)
	s.must("7.1.5-reset", "the suite resets the connection in the middle of a message", "the peer lives on", func(l *link) error {
		l.write(segWhole, l.encode(first("half")))
		if t, ok := l.c.(interface{ SetLinger(int) error }); ok {
			t.SetLinger(0)
		}
		return l.c.Close()
	})
}
