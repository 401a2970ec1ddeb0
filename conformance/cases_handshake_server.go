package conformance

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

// shake adds a case that changes the opening request and looks at the answer.
func (s *list) shake(g Grade, id, says, want string, change func(e *env, q *request), look func(e *env, x *exchange) error) {
	s.add(Case{ID: id, Says: says, Want: want, Grade: g, run: func(e *env) error {
		q := newRequest(e)
		change(e, q)
		x, err := e.exchange(segWhole, q, nil)
		if err != nil {
			return err
		}
		return look(e, x)
	}})
}

// exchange is a request sent and its answer.
type exchange struct {
	c  net.Conn
	br *bufio.Reader
	q  *request
	r  *response
}

// exchange sends the request and tail in the pieces seg cuts, and reads the answer's head.
func (e *env) exchange(seg segment, q *request, tail []byte) (*exchange, error) {
	c, err := e.dial()
	if err != nil {
		return nil, err
	}
	(&link{c: c, opt: e.opt, rng: e.rng}).write(seg, append(q.bytes(), tail...))
	br := bufio.NewReader(c)
	r, err := e.readResponse(c, br)
	if err != nil {
		return nil, err
	}
	return &exchange{c, br, q, r}, nil
}

// switched expects a 101 and a connection that echoes.
func switched(e *env, x *exchange) error {
	l, err := e.upgraded(x.c, x.br, x.q, x.r, nil)
	if err != nil {
		return err
	}
	return steps(echoes(segWhole, opText, []byte("after the handshake"), 0), closes)(l)
}

// refused expects one of the statuses and no WebSocket frames behind it.
func refused(statuses ...int) func(*env, *exchange) error {
	return func(_ *env, x *exchange) error {
		if !slices.Contains(statuses, x.r.status) {
			return fmt.Errorf("got %q, want %s", x.r.line, codeList(statuses))
		}
		if x.r.header.Get("Sec-WebSocket-Accept") != "" {
			return fmt.Errorf("%q carries Sec-WebSocket-Accept", x.r.line)
		}
		if x.r.status == 426 && (!hasToken(x.r.header, "Upgrade", "websocket") || !hasToken(x.r.header, "Connection", "Upgrade")) {
			return fmt.Errorf("peer broke RFC 9110 15.5.22: 426 with Upgrade %q, Connection %q", x.r.list("Upgrade"), x.r.list("Connection"))
		}
		return nil
	}
}

// wrongVersion expects what RFC 6455 section 4.4 says.
func wrongVersion(e *env, x *exchange) error {
	if err := refused(426)(e, x); err != nil {
		return err
	}
	if !hasToken(x.r.header, "Sec-WebSocket-Version", "13") {
		return fmt.Errorf("426 with Sec-WebSocket-Version %q, want 13", x.r.list("Sec-WebSocket-Version"))
	}
	return nil
}

func (s *list) serverHandshake() {
	ok := func(id, says string, change func(*env, *request)) {
		s.shake(Must, "4.2.1-"+id, says, "101, then echo", change, switched)
	}
	ok("plain", "the least a client sends", func(*env, *request) {})
	ok("rfc-key", "the key of section 1.3", func(_ *env, q *request) {
		q.key = "dGhlIHNhbXBsZSBub25jZQ=="
		q.set("Sec-WebSocket-Key", q.key)
	})
	ok("zero-key", "a key of sixteen zero bytes", func(_ *env, q *request) {
		q.key = base64.StdEncoding.EncodeToString(make([]byte, 16))
		q.set("Sec-WebSocket-Key", q.key)
	})
	ok("slash-key", "a key of + and / characters", func(_ *env, q *request) {
		q.key = "+/+/+/+/+/+/+/+/+/+/+w=="
		q.set("Sec-WebSocket-Key", q.key)
	})
	ok("key-spaces", "spaces and tabs around the key", func(_ *env, q *request) { q.set("Sec-WebSocket-Key", " \t"+q.key+" \t ") })
	for _, v := range []string{"WebSocket", "WEBSOCKET", "wEbSoCkEt", "h2c, websocket", "websocket, h2c", "websocket,", " websocket "} {
		ok("upgrade-"+slug(v), fmt.Sprintf("Upgrade: %q", v), func(_ *env, q *request) { q.set("Upgrade", v) })
	}
	for _, v := range []string{"upgrade", "UPGRADE", "keep-alive, Upgrade", "Upgrade, keep-alive", "keep-alive,upgrade,x-y", "keep-alive , Upgrade", ",Upgrade"} {
		ok("connection-"+slug(v), fmt.Sprintf("Connection: %q", v), func(_ *env, q *request) { q.set("Connection", v) })
	}
	ok("two-connection-lines", "the token Upgrade in the second of two Connection lines", func(_ *env, q *request) {
		q.set("Connection", "keep-alive")
		q.add("Connection", "Upgrade")
	})
	ok("two-upgrade-lines", "websocket in the second of two Upgrade lines", func(_ *env, q *request) {
		q.set("Upgrade", "h2c")
		q.add("Upgrade", "websocket")
	})
	ok("lower-case", "every field name in lower case", func(_ *env, q *request) { q.names(strings.ToLower) })
	ok("upper-case", "every field name in upper case", func(_ *env, q *request) { q.names(strings.ToUpper) })
	ok("reversed", "the fields in the opposite order", func(_ *env, q *request) { slices.Reverse(q.lines) })
	ok("no-space", "no space after the colons", func(_ *env, q *request) {
		for i, l := range q.lines {
			q.lines[i] = strings.Replace(l, ": ", ":", 1)
		}
	})
	ok("unknown-fields", "fields the server does not know", func(_ *env, q *request) {
		q.add("X-Unknown", "1")
		q.add("Sec-WebSocket-Unknown", "2")
		q.add("Cookie", "a=b; c=d")
		q.add("User-Agent", "strand-conformance")
	})
	ok("query", "a query in the target", func(_ *env, q *request) { q.line = addQuery(q.line, "a=1&b=%20x") })
	ok("absolute-form", "the target in absolute form", func(e *env, q *request) {
		q.line = "GET " + strings.Replace(e.url.Scheme, "ws", "http", 1) + "://" + e.url.Host + e.target() + " HTTP/1.1"
	})
	ok("hundred-fields", "a hundred more fields", func(_ *env, q *request) { q.many(100) })
	ok("long-field", "a field of four kilobytes", func(_ *env, q *request) { q.add("X-Long", strings.Repeat("l", 4000)) })
	s.badHandshakes()
	s.origins()
	s.subprotocols()
	s.handshakeSegments()
	s.withBody()
}

func slug(s string) string {
	if s == "" {
		return "empty"
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" ,;\t\"=/", r) {
			return '_'
		}
		return r
	}, s) // upper and lower case stay apart
}

func addQuery(line, query string) string {
	f := strings.Split(line, " ")
	sep := "?"
	if strings.Contains(f[1], "?") {
		sep = "&"
	}
	return f[0] + " " + f[1] + sep + query + " " + f[2]
}

func (q *request) names(f func(string) string) {
	for i, l := range q.lines {
		k, v, _ := strings.Cut(l, ":")
		q.lines[i] = f(k) + ":" + v
	}
}

func (q *request) many(n int) {
	for i := range n {
		q.add(fmt.Sprint("X-Field-", i), "v")
	}
}

func (s *list) badHandshakes() {
	bad := func(id, says string, change func(*env, *request), statuses ...int) {
		s.shake(Must, "4.2.1-"+id, says, "status "+codeList(statuses), change, refused(statuses...))
	}
	del := func(k string) func(*env, *request) { return func(_ *env, q *request) { q.del(k) } }
	set := func(k, v string) func(*env, *request) { return func(_ *env, q *request) { q.set(k, v) } }
	bad("no-host", "no Host", del("Host"), 400)
	bad("no-upgrade", "no Upgrade", del("Upgrade"), 400, 426)
	bad("no-connection", "no Connection", del("Connection"), 400, 426)
	bad("no-key", "no Sec-WebSocket-Key", del("Sec-WebSocket-Key"), 400)
	bad("no-version", "no Sec-WebSocket-Version", del("Sec-WebSocket-Version"), 400, 426)
	for _, v := range []string{"h2c", "websockets", "web", "TLS/1.0", ""} {
		bad("upgrade-is-"+slug(v), fmt.Sprintf("Upgrade: %q", v), set("Upgrade", v), 400, 426)
	}
	for _, v := range []string{"keep-alive", "upgraded", "up grade", "Upgrade-Insecure", ""} {
		bad("connection-is-"+slug(v), fmt.Sprintf("Connection: %q", v), set("Connection", v), 400, 426)
	}
	keys := []struct{ name, v string }{
		{"empty", ""}, {"short-text", "abc"}, {"not-base64", "!!!!!!!!!!!!!!!!!!!!!!=="}, {"no-padding", "dGhlIHNhbXBsZSBub25jZQ"},
		{"1-byte", "AA=="}, {"15-bytes", base64.StdEncoding.EncodeToString(make([]byte, 15))},
		{"17-bytes", base64.StdEncoding.EncodeToString(make([]byte, 17))}, {"32-bytes", base64.StdEncoding.EncodeToString(make([]byte, 32))},
		{"long", strings.Repeat("A", 3000)}, {"url-alphabet", "_-_-_-_-_-_-_-_-_-_-_w=="}, {"inner-space", "dGhlIHNhbXBs ZSBub25jZQ=="},
	}
	for _, k := range keys {
		bad("key-"+k.name, fmt.Sprintf("a key that is wrong: %.30q", k.v), set("Sec-WebSocket-Key", k.v), 400)
	}
	bad("key-twice", "two keys", func(_ *env, q *request) { q.add("Sec-WebSocket-Key", q.key) }, 400)
	bad("key-twice-different", "two different keys", func(_ *env, q *request) { q.add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==") }, 400)
	for _, v := range []string{"0", "7", "8", "12", "14", "25", "255", "1", "130"} {
		s.shake(Should, "4.4-version-"+v, "version "+v, "426 with Sec-WebSocket-Version: 13", set("Sec-WebSocket-Version", v), wrongVersion)
	}
	for _, v := range []string{"", "thirteen", "13a", "-13", "+13", "013", "13.0", "0x0d", "256"} {
		bad("version-"+slug(v), fmt.Sprintf("Sec-WebSocket-Version: %q", v), set("Sec-WebSocket-Version", v), 400, 426)
	}
	for _, m := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"} {
		s.shake(Should, "4.2.1-method-"+m, "method "+m, "status 405", func(_ *env, q *request) {
			q.method(m)
			if m == "POST" || m == "PUT" || m == "PATCH" {
				q.add("Content-Length", "0")
			}
		}, refused(405))
	}
	bad("method-get", "method get in lower case", func(_ *env, q *request) { q.method("get") }, 400, 405, 501)
	bad("http-1.0", "HTTP/1.0", func(_ *env, q *request) { q.line = strings.Replace(q.line, "HTTP/1.1", "HTTP/1.0", 1) }, 400, 426, 505)
	bad("http-0.9", "HTTP/0.9", func(_ *env, q *request) { q.line = strings.Replace(q.line, "HTTP/1.1", "HTTP/0.9", 1) }, 400, 426, 505)
	bad("http-2.0", "HTTP/2.0 in a request line", func(_ *env, q *request) { q.line = strings.Replace(q.line, "HTTP/1.1", "HTTP/2.0", 1) }, 400, 426, 505)
	bad("bad-field", "a field without a colon", func(_ *env, q *request) { q.lines = append(q.lines, "no colon here") }, 400)
	bad("space-before-colon", "a space before a colon", func(_ *env, q *request) { q.lines = append(q.lines, "X-Odd : 1") }, 400)
	bad("nothing-else", "a plain GET", func(_ *env, q *request) { q.lines = q.lines[:1] }, 400, 404, 426, 200)
	s.manyFields()
}

func (s *list) manyFields() {
	s.add(Case{ID: "4.2.1-ten-thousand-fields", Says: "ten thousand fields: a limit or a 101, and the server lives on", Want: "101, 400, 413, 431 or TCP closed",
		run: func(e *env) error {
			q := newRequest(e)
			q.many(10000)
			x, err := e.exchange(segWhole, q, nil)
			if err == nil && !slices.Contains([]int{101, 400, 413, 431}, x.r.status) {
				return fmt.Errorf("got %q", x.r.line)
			}
			x, err = e.exchange(segWhole, newRequest(e), nil)
			if err != nil {
				return err
			}
			return switched(e, x)
		}})
}

func (s *list) origins() {
	foreign := func(id, says, origin string) {
		s.shake(Must, "10.2-foreign-"+id, says, "403 (or 101 where foreign Origins are allowed)",
			func(_ *env, q *request) { q.add("Origin", origin) }, func(e *env, x *exchange) error {
				if e.opt.OriginChecked {
					return refused(403)(e, x)
				}
				if x.r.status == 101 {
					return switched(e, x)
				}
				return refused(403)(e, x)
			})
	}
	s.shake(Must, "10.2-same", "an Origin that is the Host", "101, then echo", func(e *env, q *request) {
		q.add("Origin", strings.Replace(e.url.Scheme, "ws", "http", 1)+"://"+e.url.Host)
	}, switched)
	s.shake(Must, "10.2-none", "no Origin: not a browser", "101, then echo", func(*env, *request) {}, switched)
	foreign("host", "another host's Origin", "http://evil.example")
	foreign("null", "the Origin null", "null")
	foreign("suffix", "an Origin whose host only begins like ours", "http://127.0.0.1.evil.example")
	foreign("port", "an Origin with another port", "http://127.0.0.1:1")
	foreign("user", "an Origin with our host as user", "http://127.0.0.1@evil.example")
	foreign("garbage", "an Origin that is no URL", "http://%zz")
}

func (s *list) subprotocols() {
	for _, v := range []string{"chat", "chat, superchat", "a,b,c,d,e", " x "} {
		s.shake(Must, "4.2.2-subprotocol-"+slug(v), fmt.Sprintf("Sec-WebSocket-Protocol: %q; the server takes one of them or none", v), "101 with one offered protocol at most",
			func(_ *env, q *request) { q.add("Sec-WebSocket-Protocol", v) }, func(e *env, x *exchange) error {
				got := x.r.header.Values("Sec-WebSocket-Protocol")
				if len(got) > 1 || len(got) == 1 && !hasToken(map[string][]string{"P": {v}}, "P", got[0]) {
					return fmt.Errorf("peer broke 4.2.2: Sec-WebSocket-Protocol %q for %q", got, v)
				}
				return switched(e, x)
			})
	}
	s.shake(Must, "4.2.2-subprotocol-none", "no Sec-WebSocket-Protocol, so none in the answer", "101 without a protocol", func(*env, *request) {}, func(e *env, x *exchange) error {
		if got := x.r.header.Values("Sec-WebSocket-Protocol"); len(got) != 0 {
			return fmt.Errorf("peer broke 4.2.2: Sec-WebSocket-Protocol %q was not offered", got)
		}
		return switched(e, x)
	})
}

// handshakeSegments asks whether bytes around the upgrade are lost, or read twice.
func (s *list) handshakeSegments() {
	add := func(id, says, want string, run func(e *env) error) {
		s.add(Case{ID: "4.1-" + id, Says: says, Want: want, run: run})
	}
	follow := func(seg segment, body step, fs ...frame) func(*env) error {
		return func(e *env) error {
			q := newRequest(e)
			tail := (&link{isClient: true, rng: e.rng}).encode(fs...)
			x, err := e.exchange(seg, q, tail)
			if err != nil {
				return err
			}
			l, err := e.upgraded(x.c, x.br, x.q, x.r, nil)
			if err != nil {
				return err
			}
			return body(l)
		}
	}
	add("with-text", "a text in the same segment as the handshake", wantsEcho, follow(segWhole, steps(wantText("early"), closes), text("early")))
	add("with-ping", "a ping in the same segment as the handshake", wantsPong, follow(segWhole, steps(wantPong("early"), closes), ping("early")))
	add("with-many", "twenty frames in the same segment as the handshake", "every echo", func(e *env) error {
		var fs []frame
		var ss []step
		for i := range 20 {
			fs = append(fs, text(fmt.Sprint("early ", i)))
			ss = append(ss, wantText(fmt.Sprint("early ", i)))
		}
		return follow(segWhole, steps(append(ss, closes)...), fs...)(e)
	})
	add("with-close", "a Close in the same segment as the handshake", "Close 1000, TCP closed", follow(segWhole, answersClose(1000), closef(1000, "")))
	add("with-bad", "a reserved opcode in the same segment as the handshake", wants1002, follow(segWhole, fails(1002), frame{fin: true, op: 3}))
	add("with-64KiB", "64 KiB in the same write as the handshake", wantsEcho, follow(segWhole, steps(wantBin(noise(1<<16)), closes), binf(noise(1<<16))))
	add("with-1MiB", "1 MiB in the same write as the handshake", wantsEcho, follow(segWhole, steps(wantBin(noise(1<<20)), closes), binf(noise(1<<20))))
	add("chopped", "handshake and text, one byte a segment", wantsEcho, follow(segBytes, steps(wantText("slow"), closes), text("slow")))
	add("random", "handshake and text in random segments", wantsEcho, follow(segRandom, steps(wantText("some"), closes), text("some")))
	for cut := -4; cut <= 10; cut++ {
		add(fmt.Sprintf("cut-%d", cut), fmt.Sprintf("handshake and text in two segments, cut %d bytes after the handshake", cut), wantsEcho, func(e *env) error {
			n := len(newRequest(e).bytes())
			return follow(segAt(n+cut), steps(wantText("cut!"), closes), text("cut!"))(e)
		})
	}
	add("looks-like-http", "a frame whose bytes look like a request is a frame", wantsEcho,
		follow(segWhole, steps(wantText("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), closes), frame{fin: true, op: opText, payload: []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), key: &[4]byte{}}))
	add("refused-then-frames", "frames behind a refused handshake are not echoed", "status 426, then TCP closed or an HTTP error", refusedThenFrames)
	add("keep-alive", "a refused request, then a good handshake on the same connection", "426, then 101 unless the server closes", keepAlive)
	add("fresh-accept", "a hundred handshakes, each with its own key", "each Sec-WebSocket-Accept right", func(e *env) error {
		for range 100 {
			x, err := e.exchange(segWhole, newRequest(e), nil)
			if err != nil {
				return err
			}
			if err := x.r.switches(x.q); err != nil {
				return err
			}
			x.c.Close()
		}
		return nil
	})
}

// withBody asks about a body between the opening request and the first frame: refuse it,
// or take it for a body, but never for frames (RFC 9110 section 7.8).
func (s *list) withBody() {
	body := func(id, field, value, payload string) {
		s.add(Case{ID: "4.2.1-body-" + id, Says: "a GET with a body, " + field + ": " + value + ", then a text", Want: "an error status, or 101 and the exact echo", Grade: Should,
			run: func(e *env) error {
				q := newRequest(e)
				q.add(field, value)
				tail := append([]byte(payload), (&link{isClient: true, rng: e.rng}).encode(text("after the body"))...)
				x, err := e.exchange(segWhole, q, tail)
				if err != nil {
					return err
				}
				if x.r.status >= 400 {
					return nil
				}
				l, err := e.upgraded(x.c, x.br, x.q, x.r, nil)
				if err != nil {
					return err
				}
				return steps(wantText("after the body"), closes)(l)
			}})
	}
	body("length", "Content-Length", "5", "hello")
	body("length-0", "Content-Length", "0", "")
	body("chunked", "Transfer-Encoding", "chunked", "5\r\nhello\r\n0\r\n\r\n")
}

func refusedThenFrames(e *env) error {
	q := newRequest(e)
	q.set("Sec-WebSocket-Version", "12")
	x, err := e.exchange(segWhole, q, (&link{isClient: true, rng: e.rng}).encode(text("unseen echo"), text("unseen echo")))
	if err != nil {
		return err
	}
	if x.r.status == 101 {
		return fmt.Errorf("got %q", x.r.line)
	}
	if c, ok := x.c.(interface{ CloseWrite() error }); ok {
		c.CloseWrite() // an HTTP server may wait for the rest of what it takes for a request
	}
	x.c.SetReadDeadline(time.Now().Add(e.opt.Timeout))
	rest, err := io.ReadAll(io.LimitReader(x.br, 1<<20))
	if err != nil && !isEnd(err) {
		return fmt.Errorf("TCP is not closed: %w", err)
	}
	if strings.Contains(string(rest), "unseen echo") {
		return fmt.Errorf("a frame behind the refused handshake was echoed")
	}
	return nil
}

func keepAlive(e *env) error {
	q := newRequest(e)
	q.set("Sec-WebSocket-Version", "12")
	x, err := e.exchange(segWhole, q, nil)
	if err != nil {
		return err
	}
	if hasToken(x.r.header, "Connection", "close") {
		return nil
	}
	var n int64
	if _, err := fmt.Sscan(x.r.header.Get("Content-Length"), &n); err != nil {
		return nil // chunked or until the end: the case is about the next request only
	}
	if _, err := io.CopyN(io.Discard, x.br, n); err != nil {
		return err
	}
	q = newRequest(e)
	if _, err := x.c.Write(q.bytes()); err != nil {
		return err
	}
	r, err := e.readResponse(x.c, x.br)
	if err != nil {
		return err
	}
	return switched(e, &exchange{x.c, x.br, q, r})
}
