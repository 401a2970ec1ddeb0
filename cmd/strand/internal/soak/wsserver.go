package soak

import (
	"bufio"
	"encoding/binary"
	"net"
	"net/http"
	"strings"
)

// webSocket is the own server's WebSocket echo: the target's if it has one.
func (q *request) webSocket() {
	if t, ok := q.c.run.cfg.Target.(webSocketer); ok {
		t.webSocket(q)
		return
	}
	q.plainWebSocket()
}

// plainWebSocket is a small echo over a hijacked connection, independent of any library.
func (q *request) plainWebSocket() {
	r := q.r
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		http.Error(q.w, "not a WebSocket handshake", http.StatusBadRequest)
		return
	}
	conn, rw, err := http.NewResponseController(q.w).Hijack()
	if err != nil {
		http.Error(q.w, "no hijacking", http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	e := &echoWS{q: q, x: &wire{nc: conn, buf: make([]byte, 16<<10)}, rw: rw}
	e.x.w = copy(e.x.buf, mustPeek(rw.Reader))
	rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		acceptKey(r.Header.Get("Sec-Websocket-Key")) + "\r\n")
	if offer := r.Header.Get("Sec-Websocket-Extensions"); strings.HasPrefix(offer, "permessage-deflate") {
		rw.WriteString("Sec-WebSocket-Extensions: " + offer + "\r\n")
		e.deflate = newDeflater(1, strings.Contains(offer, "server_no"))
		e.inflate = &inflater{fresh: strings.Contains(offer, "client_no")}
	}
	rw.WriteString("\r\n")
	rw.Flush() // an error shows with the first read
	e.serve()
}

// mustPeek returns what a hijacked connection had read beyond the handshake.
func mustPeek(r *bufio.Reader) []byte {
	b, err := r.Peek(r.Buffered())
	if err != nil {
		panic("soak: buffered bytes cannot be seen: " + err.Error())
	}
	return b
}

type echoWS struct {
	q       *request
	x       *wire
	rw      *bufio.ReadWriter
	deflate *deflater
	inflate *inflater
	out     []byte
	// reply, if not nil, is asked what to send instead of the plain echo: tests make faulty servers with it.
	reply func(m echoMessage) []echoMessage
}

type echoMessage struct {
	op   byte
	body []byte
}

func (e *echoWS) serve() {
	var msg []byte
	var op byte
	var rsv1 bool
	for {
		f, err := readFrame(e.x, nil, true, 64<<20)
		if err != nil {
			return
		}
		switch f.op {
		case opPing:
			e.send(true, false, opPong, f.payload)
			continue
		case opPong:
			continue
		case opClose:
			e.send(true, false, opClose, f.payload)
			e.drain()
			return
		case opContinuation:
		default:
			op, rsv1, msg = f.op, f.rsv1, nil
		}
		msg = append(msg, f.payload...)
		if f.fin && !e.echo(op, rsv1, msg) {
			return
		}
	}
}

func (e *echoWS) drain() {
	if tc, ok := e.x.nc.(*net.TCPConn); ok {
		tc.CloseWrite()
	}
}

func (e *echoWS) echo(op byte, rsv1 bool, msg []byte) bool {
	if rsv1 {
		var err error
		if msg, err = e.inflate.message(nil, msg, 64<<20); err != nil {
			e.send(true, false, opClose, binary.BigEndian.AppendUint16(nil, 1007))
			return false
		}
	}
	if e.q != nil {
		e.q.seen(msg)
	}
	replies := []echoMessage{{op, msg}}
	if e.reply != nil {
		replies = e.reply(replies[0])
	}
	for _, m := range replies {
		if e.deflate != nil {
			e.send(true, true, m.op, e.deflate.message(m.body, nil))
			continue
		}
		e.send(true, false, m.op, m.body)
	}
	return true
}

func (e *echoWS) send(fin, rsv1 bool, op byte, p []byte) {
	e.out = appendFrame(e.out[:0], fin, rsv1, op, nil, p)
	e.x.nc.Write(e.out) // an error shows with the next read
}

// seen checks a message on the handler's side: its cells have to be this connection's, and if it is kept it has to
// stay as it is.
func (q *request) seen(msg []byte) {
	q.c.run.tally[q.mark.Kind].handler.Add(1)
	if len(msg) < 16 {
		return
	}
	o, ok := q.c.run.keys.identify(msg)
	if !ok {
		return // shorter than a cell of its coding; the client sees the echo
	}
	if !o.mark.SameConn(q.mark) || o.off != 0 {
		out := outcome{mark: q.mark, body: msg, what: "a WebSocket message"}
		out.note(Foreign, "it is byte %d of %s, %s", o.off, o.mark, relation(q.mark, o.mark))
		q.find(&out)
		return
	}
	if q.mark.Kind == kindWSKept {
		q.keepBytes("a WebSocket message", msg, o.mark, o.coding, len(msg))
	}
}
