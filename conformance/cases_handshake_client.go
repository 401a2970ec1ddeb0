package conformance

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// greets adds a case about what the client's opening handshake says.
func (s *list) greets(id, says, want string, look func(e *env, h *hello) error) {
	s.add(Case{ID: "4.1-" + id, Says: says, Want: want, run: func(e *env) error {
		h, err := e.accept()
		if err != nil {
			return err
		}
		return look(e, h)
	}})
}

func (s *list) clientHandshake() {
	single := func(h *hello, k string) (string, error) {
		v := h.h.Values(k)
		if len(v) != 1 {
			return "", fmt.Errorf("%s is there %d times", k, len(v))
		}
		return v[0], nil
	}
	s.greets("request-line", "the client sends GET, the target and HTTP/1.1", "GET /run/…?q=1 HTTP/1.1", func(e *env, h *hello) error {
		if w := "GET /run/" + e.c.ID + "?q=1 HTTP/1.1"; h.line != w {
			return fmt.Errorf("got %q, want %q", h.line, w)
		}
		return nil
	})
	s.greets("host", "one Host with the port", "Host: address:port", func(e *env, h *hello) error {
		v, err := single(h, "Host")
		if w := e.hub.ln.Addr().String(); err == nil && v != w {
			return fmt.Errorf("got Host %q, want %q", v, w)
		}
		return err
	})
	s.greets("upgrade", "Upgrade: websocket and Connection: Upgrade", "both", func(_ *env, h *hello) error {
		if !hasToken(h.h, "Upgrade", "websocket") || !hasToken(h.h, "Connection", "Upgrade") {
			return fmt.Errorf("got Upgrade %q, Connection %q", h.h.Values("Upgrade"), h.h.Values("Connection"))
		}
		return nil
	})
	s.greets("key", "one key of sixteen bytes in base64", "24 characters", func(_ *env, h *hello) error {
		v, err := single(h, "Sec-WebSocket-Key")
		if err != nil {
			return err
		}
		if k, err := base64.StdEncoding.DecodeString(v); err != nil || len(k) != 16 {
			return fmt.Errorf("key %q: %d bytes, %w", v, len(k), errOr(err))
		}
		return nil
	})
	s.greets("version", "version 13, once", "13", func(_ *env, h *hello) error {
		v, err := single(h, "Sec-WebSocket-Version")
		if err == nil && v != "13" {
			return fmt.Errorf("version %q", v)
		}
		return err
	})
	s.greets("no-body", "no body is announced", "no Content-Length but 0, no Transfer-Encoding", func(_ *env, h *hello) error {
		if v := h.h.Get("Content-Length"); v != "" && v != "0" || h.h.Get("Transfer-Encoding") != "" {
			return fmt.Errorf("Content-Length %q, Transfer-Encoding %q", v, h.h.Get("Transfer-Encoding"))
		}
		return nil
	})
	s.beforeAnswer()
	s.clientAnswers()
}

// beforeAnswer asks for silence until the 101, and for keys that differ.
func (s *list) beforeAnswer() {
	s.greets("silent", "no frame before the server's answer", "silence", func(e *env, h *hello) error {
		h.c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // silence cannot be seen sooner
		if b, err := h.br.ReadByte(); err == nil {
			return fmt.Errorf("byte %#x before the 101", b)
		}
		return nil
	})
	s.add(Case{ID: "4.1-fresh-key", Says: "a key for each connection", Want: "four different keys", run: func(e *env) error {
		seen := map[string]bool{}
		for range 4 {
			h, err := e.accept()
			if err != nil {
				return err
			}
			k := h.h.Get("Sec-WebSocket-Key")
			if seen[k] {
				return fmt.Errorf("key %q came twice", k)
			}
			seen[k] = true
			h.c.Close()
		}
		return nil
	}})
}

// answers adds a case that changes the server's 101.
func (s *list) answers(id, says, want string, deflate bool, change func(*hello, *request), look step) {
	s.add(Case{ID: id, Says: says, Want: want, Deflate: deflate, run: func(e *env) error {
		h, err := e.accept()
		if err != nil {
			return err
		}
		if deflate && len(h.offers()) == 0 {
			return fmt.Errorf("%w: the client offers no permessage-deflate", errDeclined)
		}
		r := h.reply()
		change(h, r)
		l := newLink(h.c, h.br, false, e.opt, e.rng)
		l.write(segWhole, r.bytes())
		return look(l)
	}})
}

// rejects expects a client that will not use the connection: it closes it without a byte.
func rejects(l *link) error {
	e, err := l.next()
	if err != nil {
		return fmt.Errorf("the client does not close the connection: %w", err)
	}
	if e.op != opGone {
		return fmt.Errorf("got %v, want TCP closed without a frame", e)
	}
	return nil
}

func (s *list) clientAnswers() {
	ok := func(id, says string, change func(*hello, *request)) {
		s.answers("4.1-answer-"+id, says, "taken, then echo", false, change, steps(echoes(segWhole, opText, []byte("open"), 0), closes))
	}
	bad := func(id, says string, change func(*hello, *request)) {
		s.answers("4.1-answer-"+id, says, "the client fails the connection", false, change, rejects)
	}
	set := func(k, v string) func(*hello, *request) { return func(_ *hello, r *request) { r.set(k, v) } }
	del := func(k string) func(*hello, *request) { return func(_ *hello, r *request) { r.del(k) } }
	ok("plain", "the least a server answers", func(*hello, *request) {})
	for _, v := range []string{"WebSocket", "WEBSOCKET", " websocket "} {
		ok("upgrade-"+slug(v), fmt.Sprintf("Upgrade: %q", v), set("Upgrade", v))
	}
	for _, v := range []string{"upgrade", "UPGRADE", "keep-alive, Upgrade", "Upgrade,x-y"} {
		ok("connection-"+slug(v), fmt.Sprintf("Connection: %q", v), set("Connection", v))
	}
	ok("lower-case", "every field name in lower case", func(_ *hello, r *request) { r.names(strings.ToLower) })
	ok("upper-case", "every field name in upper case", func(_ *hello, r *request) { r.names(strings.ToUpper) })
	ok("accept-spaces", "spaces around Sec-WebSocket-Accept", func(h *hello, r *request) {
		r.set("Sec-WebSocket-Accept", "  "+acceptFor(h.h.Get("Sec-WebSocket-Key"))+" \t ")
	})
	ok("other-reason", "another reason phrase", func(_ *hello, r *request) { r.line = "HTTP/1.1 101 Web Socket Protocol Handshake" })
	ok("no-reason", "no reason phrase", func(_ *hello, r *request) { r.line = "HTTP/1.1 101 " })
	ok("unknown-fields", "fields the client does not know", func(_ *hello, r *request) {
		r.add("Server", "conformance")
		r.add("Set-Cookie", "a=b")
		r.add("Date", "Thu, 01 Jan 1970 00:00:00 GMT")
	})
	for _, c := range []int{200, 201, 204, 206, 400, 401, 403, 404, 405, 426, 500, 503} {
		bad(fmt.Sprintf("status-%d", c), fmt.Sprintf("status %d with the fields of a 101", c), func(_ *hello, r *request) {
			r.line = fmt.Sprintf("HTTP/1.1 %d %s", c, http.StatusText(c))
			r.set("Connection", "Upgrade, close") // or the client may use it for another request
			if c != 204 {
				r.add("Content-Length", "0")
			}
		})
	}
	bad("no-upgrade", "a 101 without Upgrade", del("Upgrade"))
	bad("no-connection", "a 101 without Connection", del("Connection"))
	bad("no-accept", "a 101 without Sec-WebSocket-Accept", del("Sec-WebSocket-Accept"))
	bad("upgrade-h2c", "Upgrade: h2c", set("Upgrade", "h2c"))
	bad("upgrade-empty", "an empty Upgrade", set("Upgrade", ""))
	bad("upgrade-prefix", "Upgrade: websockets", set("Upgrade", "websockets"))
	bad("connection-close", "Connection: close", set("Connection", "close"))
	bad("connection-prefix", "Connection: upgraded", set("Connection", "upgraded"))
	bad("accept-empty", "an empty Sec-WebSocket-Accept", set("Sec-WebSocket-Accept", ""))
	bad("accept-other", "the Sec-WebSocket-Accept of another key", set("Sec-WebSocket-Accept", acceptFor("dGhlIHNhbXBsZSBub25jZQ==")))
	bad("accept-is-key", "the key itself as Sec-WebSocket-Accept", func(h *hello, r *request) { r.set("Sec-WebSocket-Accept", h.h.Get("Sec-WebSocket-Key")) })
	bad("accept-case", "Sec-WebSocket-Accept in lower case", func(h *hello, r *request) {
		r.set("Sec-WebSocket-Accept", strings.ToLower(acceptFor(h.h.Get("Sec-WebSocket-Key"))))
	})
	bad("accept-longer", "Sec-WebSocket-Accept with one character more", func(h *hello, r *request) {
		r.set("Sec-WebSocket-Accept", acceptFor(h.h.Get("Sec-WebSocket-Key"))+"=")
	})
	bad("protocol", "a subprotocol nobody asked for", func(_ *hello, r *request) { r.add("Sec-WebSocket-Protocol", "unasked") })
	bad("extension", "an extension nobody asked for", func(_ *hello, r *request) { r.add("Sec-WebSocket-Extensions", "x-unasked") })
	bad("deflate-unasked", "permessage-deflate though it was not offered", func(_ *hello, r *request) { r.add("Sec-WebSocket-Extensions", "permessage-deflate") })
	bad("not-http", "an answer that is not HTTP", func(_ *hello, r *request) { r.line, r.lines = "SSH-2.0-OpenSSH_9.2", nil })
	bad("http-1.0", "a 101 of HTTP/1.0", func(_ *hello, r *request) { r.line = "HTTP/1.0 101 Switching Protocols" })
	s.grade(Should)
	bad("bad-field", "a field without a colon", func(_ *hello, r *request) { r.lines = append(r.lines, "no colon here") })
	s.clientSegments()
}

func (s *list) clientSegments() {
	follow := func(id, says, want string, body step, fs ...frame) {
		s.add(Case{ID: "4.1-" + id, Says: says, Want: want, run: func(e *env) error {
			l, err := e.openAsServer(nil, func(l *link) []byte { return l.encode(fs...) })
			if err != nil {
				return err
			}
			return body(l)
		}})
	}
	follow("with-text", "a text in the same segment as the 101", wantsEcho, steps(wantText("early"), closes), text("early"))
	follow("with-ping", "a ping in the same segment as the 101", wantsPong, steps(wantPong("early"), closes), ping("early"))
	follow("with-several", "three messages in the same segment as the 101", "three echoes", steps(wantText("1"), wantText("2"), wantText("3"), closes), text("1"), text("2"), text("3"))
	follow("with-close", "a Close in the same segment as the 101", "Close 1000, TCP closed", answersClose(1000), closef(1000, ""))
	follow("with-bad", "a reserved opcode in the same segment as the 101", wants1002, fails(1002), frame{fin: true, op: 3})
	follow("with-64KiB", "64 KiB in the same write as the 101", wantsEcho, steps(wantBin(noise(1<<16)), closes), binf(noise(1<<16)))
	chop := func(id, says string, seg func(head int) segment) {
		s.add(Case{ID: "4.1-" + id, Says: says, Want: wantsEcho, run: func(e *env) error {
			h, err := e.accept()
			if err != nil {
				return err
			}
			l := newLink(h.c, h.br, false, e.opt, e.rng)
			b := h.reply().bytes()
			l.write(seg(len(b)), append(b, l.encode(text("slow"))...))
			return steps(wantText("slow"), closes)(l)
		}})
	}
	chop("chopped", "the 101 and a text, one byte a segment", func(int) segment { return segBytes })
	chop("random", "the 101 and a text in random segments", func(int) segment { return segRandom })
	for cut := -4; cut <= 6; cut++ {
		chop(fmt.Sprintf("cut-%d", cut), fmt.Sprintf("the 101 and a text in two segments, cut %d bytes after the 101", cut), func(head int) segment { return segAt(head + cut) })
	}
	for _, interim := range []string{"100 Continue", "103 Early Hints"} {
		s.add(Case{ID: "4.1-answer-after-" + interim[:3], Says: "a " + interim + " before the 101 (RFC 9110 section 15.2)", Want: "taken, then echo", Grade: Should,
			run: func(e *env) error {
				h, err := e.accept()
				if err != nil {
					return err
				}
				l := newLink(h.c, h.br, false, e.opt, e.rng)
				l.write(segWhole, append([]byte("HTTP/1.1 "+interim+"\r\nX-Hint: 1\r\n\r\n"), h.reply().bytes()...))
				return steps(echoes(segWhole, opText, []byte("open"), 0), closes)(l)
			}})
	}
	s.add(Case{ID: "4.1-answer-cut-off", Says: "the connection ends inside the 101", Want: "the client returns", run: func(e *env) error {
		h, err := e.accept()
		if err != nil {
			return err
		}
		h.c.Write(h.reply().bytes()[:60])
		return h.c.Close()
	}})
	s.add(Case{ID: "4.1-answer-endless", Says: "an answer whose fields never end", Want: wantsClosed, Grade: Should, run: func(e *env) error {
		h, err := e.accept()
		if err != nil {
			return err
		}
		return endless(e, h)
	}})
}

// endless sends fields until the client hangs up, 64 MiB at most.
func endless(e *env, h *hello) error {
	h.c.SetDeadline(time.Now().Add(e.opt.Timeout))
	line := []byte("X-Endless: " + strings.Repeat("e", 1000) + "\r\n")
	if _, err := h.c.Write([]byte("HTTP/1.1 101 Switching Protocols\r\n")); err != nil {
		return err
	}
	for range 64 << 10 {
		if _, err := h.c.Write(line); err != nil {
			if isEnd(err) {
				return nil
			}
			return err
		}
	}
	return errors.New("the client took 64 MiB of fields")
}

// clientResponses asks how a client takes responses to its offer, RFC 7692 section 7.1.
func (s *list) clientResponses() {
	bad := func(v string) {
		s.answers("7692-7.1-bad-response-"+slug(v), fmt.Sprintf("the response %q is invalid", v), "the client fails the connection", true,
			func(_ *hello, r *request) { r.add("Sec-WebSocket-Extensions", v) }, rejects)
	}
	const pmd = "permessage-deflate"
	for _, v := range []string{
		"; server_max_window_bits=7", "; server_max_window_bits=16", "; server_max_window_bits=a", "; server_max_window_bits=08", "; server_max_window_bits", "; server_max_window_bits=",
		"; client_max_window_bits", "; client_max_window_bits=7", "; client_max_window_bits=16", "; client_max_window_bits=x",
		"; client_no_context_takeover=1", "; server_no_context_takeover=1", "; unknown", "; unknown=1",
		"; server_no_context_takeover; server_no_context_takeover", "; client_no_context_takeover; client_no_context_takeover",
		"; server_max_window_bits=10; server_max_window_bits=10", ", permessage-deflate", ", x-unasked",
	} {
		bad(pmd + v)
	}
	bad("x-unasked, " + pmd)
	bad("permessage-bzip2")
	s.answers("7692-7.1-declined", "the offer is declined: messages are plain", "taken, then plain echo", true, func(*hello, *request) {},
		steps(echoes(segWhole, opText, words(5000), 0), closes))
	s.answers("7692-7.1-declined-rsv1", "a compressed message though the offer was declined", wants1002, true, func(*hello, *request) {},
		steps(send(z(true, opText, helloWire)), fails(1002)))
}
