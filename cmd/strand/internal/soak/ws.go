package soak

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A wsLane is a lane after its WebSocket handshake.
type wsLane struct {
	*lane
	deflate *deflater
	inflate *inflater
	limit   int // no message of this connection may be longer

	acc      []byte // payload of the message that is being received
	accOp    byte
	accRSV   bool
	partial  bool
	pings    [][]byte // payloads of pings without a pong yet, in order
	pingSeq  uint32
	pongs    [][]byte // pings of the server to answer with the next batch
	closed   bool     // the server's Close has come
	reason   []byte   // its payload
	finished bool     // ours has been sent
}

const wsGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

func acceptKey(key string) string {
	h := sha1.Sum([]byte(key + wsGUID))
	return base64.StdEncoding.EncodeToString(h[:])
}

var deflateOffers = [...]string{
	"permessage-deflate",
	"permessage-deflate; client_no_context_takeover",
	"permessage-deflate; server_no_context_takeover",
	"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
}

// upgrade performs the opening handshake. It returns nil if the server declined or did it wrong, which is counted.
func (l *lane) upgrade() *wsLane {
	w := l.w
	r := w.run
	var nonce [16]byte
	binary.BigEndian.PutUint64(nonce[:], w.rng.Uint64())
	key := base64.StdEncoding.EncodeToString(nonce[:])
	path := "/ws"
	if h := kinds[w.kind].hostile; h != "" {
		path = "/hostile/" + h
	}
	offer := ""
	if w.kind == kindWSDeflate || w.kind == kindWSKept || w.rng.IntN(4) == 0 && w.kind != kindWS {
		offer = deflateOffers[w.rng.IntN(len(deflateOffers))]
	}
	e := &expect{mark: l.mark}
	w.out = fmt.Appendf(w.out[:0], "GET %s%s?id=%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nX-Soak: %s 0 0\r\n", r.prefix, path, l.mark, r.host, key, l.mark)
	if offer != "" {
		w.out = fmt.Appendf(w.out, "Sec-WebSocket-Extensions: %s\r\n", offer)
	}
	w.out = append(w.out, "\r\n"...)
	l.x.nc.SetDeadline(time.Now().Add(r.cfg.Timeout))
	err := l.x.scatter(w.rng, w.out)
	var h *head
	if err == nil {
		h, err = l.readHead()
	}
	o := outcome{mark: l.mark, expected: e}
	switch {
	case err != nil:
		o.note(Refused, "no handshake: %s", ending(err))
		if h != nil && len(h.raw) > 0 {
			o.class, o.what, o.body = Damaged, h.line, h.raw
		}
	case h.status != 101:
		o.note(Refused, "handshake answered with %s", h.line)
	case h.accept != acceptKey(key):
		o.what = h.line
		o.note(Damaged, "Sec-WebSocket-Accept %q is not the answer to our key", h.accept)
	}
	if o.class != Good {
		l.record(&o)
		time.Sleep(10 * time.Millisecond)
		return nil
	}
	s := &wsLane{lane: l, limit: 2*r.cfg.MaxSize + 1<<20}
	if err := s.negotiated(offer, h.ext); err != nil {
		o.note(Damaged, "%v", err)
		l.record(&o)
		return nil
	}
	l.next, l.quiet = s.message, s.control
	return s
}

func (s *wsLane) negotiated(offer, ext string) error {
	r := s.w.run
	if ext == "" {
		if offer != "" {
			r.plainWS.Add(1)
		}
		return nil
	}
	if offer == "" {
		return fmt.Errorf("an extension nobody offered: %q", ext)
	}
	f := strings.Split(ext, ";")
	if strings.TrimSpace(f[0]) != "permessage-deflate" {
		return fmt.Errorf("an extension nobody offered: %q", ext)
	}
	clientFresh, serverFresh := strings.Contains(offer, "client_no"), false
	for _, p := range f[1:] {
		name, _, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch strings.TrimSpace(name) {
		case "client_no_context_takeover":
			clientFresh = true
		case "server_no_context_takeover":
			serverFresh = true
		case "server_max_window_bits":
		default:
			return fmt.Errorf("an extension parameter nobody offered: %q", ext)
		}
	}
	if strings.Contains(offer, "server_no") && !serverFresh {
		return fmt.Errorf("accepted %q as %q", offer, ext)
	}
	r.deflate.Add(1)
	s.deflate = newDeflater(deflateLevels[s.w.rng.IntN(len(deflateLevels))], clientFresh)
	s.inflate = &inflater{fresh: serverFresh}
	return nil
}

// step takes one frame in. It returns a message when one is complete, and what offends.
func (s *wsLane) step() (*got, error) {
	f, err := readFrame(s.x, nil, false, s.limit)
	if flaw, ok := err.(flawError); ok {
		return &got{body: s.acc, flaw: string(flaw), what: "WebSocket"}, err
	}
	if err != nil {
		if s.partial || len(f.payload) > 0 {
			return &got{body: append(s.acc, f.payload...), ident: opName(s.accOp), cut: true, what: "a message cut within a frame"}, err
		}
		return nil, err
	}
	switch f.op {
	case opPing:
		s.pongs = append(s.pongs, f.payload)
		return nil, nil
	case opPong:
		return s.ponged(f.payload), nil
	case opClose:
		s.closed, s.reason = true, f.payload
		code := uint16(1005)
		if len(f.payload) >= 2 {
			code = binary.BigEndian.Uint16(f.payload)
		}
		s.polite = s.finished || code == 1001 || code == 1012 || code == 1013
		return nil, fmt.Errorf("the server closed with code %d %q", code, f.payload[min(2, len(f.payload)):])
	case opContinuation:
		if !s.partial || f.rsv1 {
			return &got{body: f.payload, flaw: "a continuation frame out of place", what: "WebSocket"}, nil
		}
	default:
		if s.partial || f.rsv1 && s.inflate == nil {
			return &got{body: f.payload, flaw: "a first frame out of place", what: "WebSocket"}, nil
		}
		s.accOp, s.accRSV, s.acc = f.op, f.rsv1, nil
	}
	s.acc = append(s.acc, f.payload...)
	s.partial = !f.fin
	if s.partial {
		return nil, nil
	}
	return s.whole(), nil
}

func (s *wsLane) whole() *got {
	g := &got{body: s.acc, ident: opName(s.accOp), what: "a " + opName(s.accOp) + " message"}
	if s.accRSV {
		body, err := s.inflate.message(nil, s.acc, s.limit)
		g.body = body
		if err != nil {
			g.flaw = "does not inflate: " + err.Error()
		}
	}
	if s.accOp == opText && g.flaw == "" && !utf8.Valid(g.body) {
		g.aside = "a text message that is not UTF-8"
	}
	s.acc = nil
	return g
}

func opName(op byte) string {
	if op == opText {
		return "text"
	}
	return "binary"
}

// ponged matches a pong with the pings sent. Pongs may be left out as long as a later one comes (RFC 6455 section
// 5.5.3), so a match settles the pings before it too.
func (s *wsLane) ponged(p []byte) *got {
	for i, q := range s.pings {
		if bytes.Equal(p, q) {
			s.pings = s.pings[i+1:]
			return nil
		}
	}
	return &got{stray: true, body: p, what: "a pong to no ping of ours"}
}

// message is next: it reads to the end of a message.
func (s *wsLane) message() (*got, error) {
	for {
		if g, err := s.step(); g != nil || err != nil {
			return g, err
		}
	}
}

// control is quiet: it takes pings and pongs in while there are any.
func (s *wsLane) control() (*got, error) {
	for len(s.x.buffered()) > 0 {
		if g, err := s.step(); g != nil || err != nil {
			return g, err
		}
	}
	return nil, nil
}

func (s *wsLane) appendClientFrame(dst []byte, fin, rsv1 bool, op byte, p []byte) []byte {
	var mask [4]byte
	if s.w.rng.IntN(64) != 0 { // a mask of zero is legal
		binary.BigEndian.PutUint32(mask[:], s.w.rng.Uint32())
	}
	return appendFrame(dst, fin, rsv1, op, &mask, p)
}

// appendPing appends a ping whose payload is a function of its place.
func (s *wsLane) appendPing(dst []byte) []byte {
	m := s.mark
	m.Kind, m.Seq = kindPing, s.pingSeq
	s.pingSeq++
	p := s.w.run.keys.appendPayload(nil, m, Binary, 0, 8+s.w.rng.IntN(118))
	s.pings = append(s.pings, p)
	return s.appendClientFrame(dst, true, false, opPing, p)
}

// cuts draws n cut points within 0..size, ascending, some of them equal or at the ends.
func (s *wsLane) cuts(n, size int) []int {
	c := make([]int, n)
	for i := range c {
		c[i] = s.w.rng.IntN(size + 1)
	}
	slices.Sort(c)
	return c
}

// appendMessage appends e in fragments, with pings between some of them.
func (s *wsLane) appendMessage(dst []byte, e *expect) []byte {
	rng := s.w.rng
	op := byte(opBinary)
	if e.coding != Binary {
		op = opText
	}
	e.ident = opName(op)
	p, rsv1 := e.want, false
	if s.deflate != nil && rng.IntN(8) != 0 {
		p, rsv1 = s.deflate.message(p, s.cuts(rng.IntN(3), len(p))), true
	}
	fragments := 0
	if rng.IntN(3) == 0 {
		fragments = 1 + rng.IntN(6)
	}
	at := 0
	for _, c := range s.cuts(fragments, len(p)) {
		dst = s.appendClientFrame(dst, false, rsv1, op, p[at:c])
		if rng.IntN(4) == 0 {
			dst = s.appendPing(dst)
		}
		op, rsv1, at = opContinuation, false, c
	}
	dst = s.appendClientFrame(dst, true, rsv1, op, p[at:])
	if rng.IntN(16) == 0 {
		dst = s.appendPing(dst)
	}
	return dst
}

// batch prepares k messages in w.out.
func (s *wsLane) batch(k int) []*expect {
	w := s.w
	w.out = w.out[:0]
	for _, p := range s.pongs {
		w.out = s.appendClientFrame(w.out, true, false, opPong, p)
	}
	s.pongs = nil
	es := make([]*expect, k)
	limit := 8 << 20
	if k > 2 {
		limit = 32 << 10
	}
	for i := range es {
		c := w.coding()
		n := w.size(limit)
		if c == Words {
			n &^= 3
		}
		es[i] = s.newExpect(c, n)
		w.out = s.appendMessage(w.out, es[i])
	}
	return es
}

// sessionWS is a WebSocket connection from handshake to close or reset.
func sessionWS(w *worker) {
	l := w.open()
	if l == nil {
		return
	}
	defer l.x.close()
	s := l.upgrade()
	if s == nil {
		return
	}
	n := 1 + w.rng.IntN(80)
	switch w.kind {
	case kindWSChurn:
		n = 1
	case kindWSAbort:
		n = w.rng.IntN(3)
	}
	for ; n > 0; n-- {
		k := 1
		if w.rng.IntN(2) == 0 {
			k = 1 + w.rng.IntN(8)
		}
		es := s.batch(k)
		l.expecting(es)
		if !l.converse() {
			return
		}
		if w.over() {
			break
		}
	}
	if w.kind == kindWSAbort {
		s.batch(1 + w.rng.IntN(3))
		l.x.scatter(w.rng, w.out[:w.rng.IntN(len(w.out)+1)]) // the reset that follows makes its error moot
		l.x.reset()
		return
	}
	s.goodbye()
}

// goodbye awaits the last pong and closes with a handshake. Nothing may come after the server's Close.
func (s *wsLane) goodbye() {
	w := s.w
	s.x.nc.SetDeadline(time.Now().Add(w.run.cfg.Timeout))
	w.out = s.appendPing(w.out[:0])
	s.x.send(w.out) // an error shows as a missing pong
	for len(s.pings) > 0 {
		if g, err := s.step(); g != nil || err != nil {
			s.bye(g, err, "no pong")
			return
		}
	}
	reason := s.mark.String()
	body := append(binary.BigEndian.AppendUint16(nil, 1000), reason...)
	w.out = s.appendClientFrame(w.out[:0], true, false, opClose, body)
	s.finished = true
	s.x.send(w.out)
	for !s.closed {
		if g, err := s.step(); g != nil || err != nil && !s.closed {
			s.bye(g, err, "no Close")
			return
		}
	}
	if m, ok := parseMark(string(s.reason[min(2, len(s.reason)):])); ok && m != s.mark {
		o := outcome{mark: s.mark, body: s.reason, what: "a Close frame"}
		o.note(Foreign, "its reason is that of %s", m)
		s.record(&o)
	}
	s.lane.end()
}

// bye records that a connection did not end as it should.
func (s *wsLane) bye(g *got, err error, missing string) {
	if g != nil {
		s.trouble(g, err)
		return
	}
	if s.polite {
		return // going away: said before we could say goodbye
	}
	o := outcome{mark: s.mark, what: "the end of a WebSocket"}
	o.note(Lost, "%s: %s", missing, ending(err))
	s.record(&o)
}
