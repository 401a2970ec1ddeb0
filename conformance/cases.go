package conformance

import (
	"fmt"
)

// list collects cases and refuses two with one id.
type list struct {
	cases []Case
	ids   map[string]bool
}

func (s *list) add(c Case) {
	if s.ids == nil {
		s.ids = map[string]bool{}
	}
	if s.ids[c.ID] {
		panic("conformance: two cases are called " + c.ID)
	}
	s.ids[c.ID] = true
	s.cases = append(s.cases, c)
}

// must adds a case on an open connection without extensions.
func (s *list) must(id, says, want string, ss ...step) { s.plain(Must, id, says, want, ss...) }

// should adds one whose expectation the RFC only recommends.
func (s *list) should(id, says, want string, ss ...step) { s.plain(Should, id, says, want, ss...) }

func (s *list) plain(g Grade, id, says, want string, ss ...step) {
	s.add(Case{ID: id, Says: says, Want: want, Grade: g, run: func(e *env) error {
		l, err := e.open(nil)
		if err != nil {
			return err
		}
		return steps(ss...)(l)
	}})
}

// grade changes the grade of the case added last.
func (s *list) grade(g Grade) { s.cases[len(s.cases)-1].Grade = g }

// heavy marks the case added last.
func (s *list) heavy() { s.cases[len(s.cases)-1].heavy = true }

// deflate adds a case on a connection with permessage-deflate.
func (s *list) deflate(g Grade, id, says, want string, p params, body func(*link) error) {
	s.add(Case{ID: id, Says: says, Want: want, Grade: g, Deflate: true, run: func(e *env) error {
		l, err := e.open(&p)
		if err != nil {
			return err
		}
		return body(l)
	}})
}

// within skips a body that needs messages longer than the peer takes.
func within(n int, body step) step {
	return func(l *link) error {
		if l.opt.Limit != 0 && int64(n) > l.opt.Limit {
			return fmt.Errorf("%w: the peer's limit is %d bytes", errDeclined, l.opt.Limit)
		}
		return body(l)
	}
}

const (
	wantsEcho   = "exact echo"
	wantsPong   = "pong with the same payload"
	wantsNone   = "nothing, then a clean close"
	wants1002   = "Close 1002 at once, TCP closed"
	wants1007   = "Close 1007 at once, TCP closed"
	wants1009   = "Close 1009 at once, TCP closed"
	wantsClosed = "TCP closed"
)

// ServerCases returns the questions to an echo server.
func ServerCases() []Case {
	s := &list{}
	s.serverHandshake()
	s.messages()
	// A server must close the connection and may say 1002 (section 5.1).
	s.should("5.1-unmasked-text", "a client's text frame without a mask", wants1002,
		send(frame{fin: true, op: opText, payload: []byte("bare"), flip: true}), fails(1002))
	s.should("5.1-unmasked-empty", "an empty frame without a mask", wants1002,
		send(frame{fin: true, op: opBin, flip: true}), fails(1002))
	s.should("5.1-unmasked-ping", "a ping without a mask", wants1002,
		send(frame{fin: true, op: opPing, flip: true}), fails(1002))
	s.should("5.1-unmasked-close", "a Close without a mask", wants1002,
		send(frame{fin: true, op: opClose, payload: []byte{3, 232}, flip: true}), fails(1002))
	s.should("5.1-unmasked-second", "a frame without a mask after a good one", "echo of the first, "+wants1002,
		send(text("good"), frame{fin: true, op: opText, payload: []byte("bad"), flip: true}), wantText("good"), fails(1002))
	s.should("5.1-unmasked-header", "the header of an unmasked frame is enough to fail", wants1002,
		func(l *link) error {
			l.write(segWhole, []byte{0x81, 0x05})
			return fails(1002)(l)
		})
	s.should("5.1-unmasked-continuation", "the second fragment is not masked", wants1002,
		send(first("good"), frame{fin: true, op: opCont, payload: []byte("bad"), flip: true}), fails(1002))
	s.masks()
	s.serverOffers()
	s.compression(true)
	return s.cases
}

// ClientCases returns the questions to an echo client.
func ClientCases() []Case {
	s := &list{}
	s.clientHandshake()
	s.messages()
	s.must("5.1-masked-text", "a server's text frame with a mask", wants1002,
		send(frame{fin: true, op: opText, payload: []byte("masked"), flip: true}), fails(1002))
	s.must("5.1-masked-empty", "a server's empty frame with a mask", wants1002,
		send(frame{fin: true, op: opBin, flip: true}), fails(1002))
	s.must("5.1-masked-ping", "a server's ping with a mask", wants1002,
		send(frame{fin: true, op: opPing, flip: true}), fails(1002))
	s.must("5.1-masked-second", "a server's frame with a mask after a good one", "echo of the first, "+wants1002,
		send(text("good"), frame{fin: true, op: opText, payload: []byte("bad"), flip: true}), wantText("good"), fails(1002))
	s.freshKeys()
	s.clientResponses()
	s.compression(false)
	return s.cases
}

// messages adds what both roles are asked.
func (s *list) messages() {
	s.lengths()
	s.badLengths()
	s.reserved()
	s.opcodes()
	s.fragmentation()
	s.pings()
	s.validUTF8()
	s.invalidUTF8()
	s.splitUTF8()
	s.closing()
	s.limits()
	s.volume()
	s.slowReader()
}
