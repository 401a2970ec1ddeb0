package websocket

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/ws"
)

// Accept answers a client's opening handshake and makes the request's connection
// a WebSocket. It works with the ResponseWriters of http1.Server and of
// net/http.Server, wrapped or not. The fields of w.Header(), cookies for
// example, go out with the answer; neither w nor r's body may be used
// afterwards. h.OnOpen is called before Accept returns. On http1.Server the other
// callbacks follow when the HTTP handler has returned; on net/http.Server they may
// come while it still runs.
//
// A handshake that breaks RFC 6455 is answered with 400, 405 or 426, one from a
// page of a foreign origin with 403 (see Options.Origins), and a *HandshakeError
// is returned. A connection that cannot be taken from its server is answered with
// 501, and fields or subprotocols of ours that no answer may have, or a malformed
// pattern in Options.Origins, with 500; the error is another one then. Either way the HTTP handler has nothing more to do.
func Accept(w http.ResponseWriter, r *http.Request, h Handler, o *Options) (*Conn, error) {
	o = o.orDefault()
	// Before any origin is refused, or this would look like a foreign one.
	if bad, ok := ws.CheckPatterns(o.Origins); !ok {
		_ = refuse(w, r, &ws.HandshakeError{Code: http.StatusInternalServerError, Reason: "bad options"})
		return nil, fmt.Errorf("websocket: malformed pattern %q in Options.Origins", bad)
	}
	key, refusal := checkRequest(r, o)
	if refusal != nil {
		return nil, refuse(w, r, refusal)
	}
	neg, answer, err := negotiate(w, r, key, o)
	if err != nil {
		_ = refuse(w, r, &ws.HandshakeError{Code: http.StatusInternalServerError, Reason: "bad answer"})
		return nil, err
	}
	c := newConn(h, o, neg, false)
	if sc, err := hijackStrand(w); sc != nil || err != nil {
		return c.takeStrand(sc, answer, err)
	}
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = refuse(w, r, &ws.HandshakeError{Code: http.StatusNotImplemented, Reason: "cannot upgrade"})
		if errors.Is(err, http.ErrNotSupported) {
			err = errNoConn
		}
		return nil, err
	}
	// What the client sent behind its handshake is in the server's buffer.
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	return c.takeNet(nc, answer, append([]byte(nil), early...))
}

// checkRequest validates the handshake and its origin.
func checkRequest(r *http.Request, o *Options) (key string, refusal *ws.HandshakeError) {
	key, refusal = ws.CheckRequest(ws.Request{
		Method: r.Method, Major: r.ProtoMajor, Minor: r.ProtoMinor, Host: r.Host, Header: r.Header,
	})
	if refusal == nil && r.ContentLength != 0 {
		refusal = &ws.HandshakeError{Code: http.StatusBadRequest, Reason: "handshake with a body"}
	}
	if refusal == nil {
		refusal = ws.CheckOrigin(r.Header["Origin"], r.Host, o.Origins)
	}
	return key, refusal
}

// refuse answers with an error and returns it.
func refuse(w http.ResponseWriter, r *http.Request, e *ws.HandshakeError) error {
	for _, f := range e.Fields(r.ProtoMajor) {
		w.Header().Set(f[0], f[1])
	}
	http.Error(w, "websocket: "+e.Reason, e.Code)
	return &HandshakeError{Status: e.Code, Reason: e.Reason}
}

// negotiate chooses the subprotocol and the compression, and writes the answer.
func negotiate(w http.ResponseWriter, r *http.Request, key string, o *Options) (*negotiated, []byte, error) {
	var b strings.Builder
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
	b.WriteString(ws.AcceptKey(key))
	b.WriteString("\r\n")
	if err := checkSubprotocols(o.Subprotocols); err != nil {
		return nil, nil, err
	}
	protocol := ws.ChooseProtocol(r.Header["Sec-Websocket-Protocol"], o.Subprotocols)
	if protocol != "" {
		b.WriteString("Sec-WebSocket-Protocol: " + protocol + "\r\n")
	}
	var deflate *deflateState
	if o.Compression != nil {
		agreed, answer, ok := ws.AcceptDeflate(r.Header["Sec-Websocket-Extensions"], o.Compression.wish())
		if ok {
			deflate = newDeflateState(agreed, false)
			b.WriteString("Sec-WebSocket-Extensions: " + answer + "\r\n")
		}
	}
	if err := writeFields(&b, w.Header()); err != nil {
		return nil, nil, err
	}
	b.WriteString("\r\n")
	if protocol == "" && deflate == nil {
		return nil, []byte(b.String()), nil
	}
	return &negotiated{protocol: protocol, deflate: deflate}, []byte(b.String()), nil
}

// checkSubprotocols refuses names that could break the handshake's grammar.
func checkSubprotocols(names []string) error {
	for _, s := range names {
		if !ws.IsToken(s) {
			return fmt.Errorf("websocket: subprotocol %q is not a token", s)
		}
	}
	return nil
}

// writeFields writes an application's fields, except those that the handshake
// itself or the framing of HTTP uses (hazard 112).
func writeFields(b *strings.Builder, h http.Header) error {
	for name, values := range h {
		if !ws.IsToken(name) {
			return fmt.Errorf("websocket: bad field name %q", name)
		}
		if reservedField(name) {
			continue
		}
		for _, v := range values {
			if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
				return fmt.Errorf("websocket: bad value of field %q", name)
			}
			b.WriteString(name + ": " + v + "\r\n")
		}
	}
	return nil
}

func reservedField(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Upgrade", "Connection", "Host", "Content-Length", "Transfer-Encoding", "Trailer", "Te",
		"Keep-Alive", "Content-Type", "Sec-Websocket-Accept", "Sec-Websocket-Key", "Sec-Websocket-Version",
		"Sec-Websocket-Protocol", "Sec-Websocket-Extensions":
		return true
	}
	return false
}

// strandHijacker is what the ResponseWriter of http1.Server has.
type strandHijacker interface {
	HijackStrand() (*strand.Conn, error)
}

// hijackStrand finds a ResponseWriter of http1.Server behind its wrappers. It
// returns nil and nil if there is none.
func hijackStrand(w http.ResponseWriter) (*strand.Conn, error) {
	for w != nil {
		if s, ok := w.(strandHijacker); ok {
			return s.HijackStrand()
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return nil, nil
		}
		w = u.Unwrap()
	}
	return nil, nil
}

// takeStrand makes a strand connection, on whose strand it runs, the transport.
func (c *Conn) takeStrand(sc *strand.Conn, answer []byte, err error) (*Conn, error) {
	if err != nil {
		return nil, err
	}
	if _, err = sc.Write(answer); err != nil {
		_ = sc.Abort()
		return nil, err
	}
	c.open(sc)
	return c, nil
}

// takeNet makes a hijacked connection the transport. early is what was read of
// it already (hazard 107).
func (c *Conn) takeNet(nc net.Conn, answer, early []byte) (*Conn, error) {
	_ = nc.SetDeadline(time.Now().Add(c.o.closeTimeout()))
	if _, err := nc.Write(answer); err != nil {
		_ = nc.Close()
		return nil, err
	}
	_ = nc.SetDeadline(time.Time{})
	a := &adoption{c: c, early: early, done: make(chan error, 1)}
	if _, err := c.o.engine().Adopt(nc, a); err != nil {
		return nil, err
	}
	if err := <-a.done; err != nil {
		return nil, err
	}
	return c, nil
}

// adoption is the first handler of a connection that was a net.Conn.
type adoption struct {
	c     *Conn
	early []byte
	done  chan error // receives one value when OnOpen has returned
}

// OnOpen changes the handler; it is this one's only event if all is well.
func (a *adoption) OnOpen(sc *strand.Conn) {
	sc.Unread(a.early)
	defer func() { a.done <- nil }()
	a.c.open(sc)
}

// OnReadable is never called.
func (a *adoption) OnReadable(*strand.Conn) {}

// OnDrained is never called.
func (a *adoption) OnDrained(*strand.Conn) {}

// OnClose is called if the connection ended before it was open.
func (a *adoption) OnClose(_ *strand.Conn, err error) {
	if err == nil {
		err = errAdopt
	}
	a.done <- err
}
