package soak

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// identType is the media type whose parameter carries a request's Mark there and back.
const identType = "application/x-soak; id="

func parseIdent(s string) (Mark, bool) {
	s, ok := strings.CutPrefix(s, identType)
	if !ok {
		return Mark{}, false
	}
	return parseMark(s)
}

// appendRequest writes the request that carries e. Everything in it is a function of e and the arguments.
func (l *lane) appendRequest(dst []byte, path string, e *expect, chunked, last bool) []byte {
	r := l.w.run
	id := e.mark.String()
	e.ident = identType + id
	dst = append(dst, "POST "...)
	dst = append(dst, r.prefix...)
	dst = append(dst, path...)
	dst = append(dst, "?id="...)
	dst = append(dst, id...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, r.host...)
	dst = append(dst, "\r\nContent-Type: "...)
	dst = append(dst, e.ident...)
	dst = fmt.Appendf(dst, "\r\nX-Soak: %s %d %d", id, e.coding, len(e.want))
	if k := padding(e.mark); k > 0 {
		pad := e.mark
		pad.Kind = kindPad
		dst = append(dst, "\r\nX-Soak-Pad: "...)
		dst = r.keys.appendPayload(dst, pad, Hex, 0, k)
	}
	if last {
		dst = append(dst, "\r\nConnection: close"...)
	}
	if !chunked {
		dst = append(dst, "\r\nContent-Length: "...)
		dst = strconv.AppendInt(dst, int64(len(e.want)), 10)
		dst = append(dst, "\r\n\r\n"...)
		return append(dst, e.want...)
	}
	dst = append(dst, "\r\nTransfer-Encoding: chunked\r\n\r\n"...)
	return l.appendChunks(dst, e.want)
}

// padding is the length of a request's X-Soak-Pad header: none for most, up to 2 KiB, always the same for one mark.
func padding(m Mark) int {
	if m.Seq%7 != 3 {
		return 0
	}
	return int(m.Seq*31+m.Conn*17) % 2048
}

func (l *lane) appendChunks(dst, p []byte) []byte {
	rng := l.w.rng
	for len(p) > 0 {
		k := 1 + rng.IntN(len(p))
		if rng.IntN(3) == 0 {
			k = 1 + rng.IntN(min(len(p), 32))
		}
		if rng.IntN(2) == 0 {
			dst = strconv.AppendInt(dst, int64(k), 16)
		} else {
			dst = fmt.Appendf(dst, "%04X", k)
		}
		if rng.IntN(16) == 0 {
			dst = append(dst, ";soak=1"...)
		}
		dst = append(dst, "\r\n"...)
		dst = append(dst, p[:k]...)
		dst = append(dst, "\r\n"...)
		p = p[k:]
	}
	return append(dst, "0\r\n\r\n"...)
}

// A head is what a reply's head says.
type head struct {
	status  int
	line    string
	ident   string
	idents  []string // values of other headers that carry a mark
	length  int      // -1 without Content-Length
	chunked bool
	close   bool
	accept  string // Sec-WebSocket-Accept
	ext     string // Sec-WebSocket-Extensions
	raw     []byte
}

var errHead = errors.New("not an HTTP reply")

// nextReply reads one HTTP reply. A reply cut short comes with the error that cut it.
func (l *lane) nextReply() (*got, error) {
	h, err := l.readHead()
	if err == nil && h.status >= 100 && h.status < 200 && h.status != 101 {
		h, err = l.readHead()
	}
	switch {
	case errors.Is(err, errHead):
		return l.resync(append(h.raw, l.x.buffered()...), err)
	case err != nil && len(h.raw) == 0 && len(l.x.buffered()) == 0:
		return nil, err
	case err != nil:
		return &got{cut: true, what: "a reply cut within its head: " + strconv.Quote(string(h.raw)+string(l.x.buffered()))}, err
	}
	l.polite = l.polite || h.close
	g := &got{status: h.status, what: h.line, ident: h.ident, marks: h.idents}
	if !l.w.run.echoesType {
		g.ident = ""
	}
	if g.flaw = h.flaw(); g.flaw != "" && h.status < 400 {
		return g, errHead
	}
	switch {
	case h.chunked:
		err = l.readChunks(g)
	case h.length >= 0:
		g.body, err = l.x.full(nil, h.length)
	default:
		g.body, err = l.x.rest(nil, l.w.run.cfg.Timeout)
		l.polite = true
		return g, err
	}
	if err != nil && g.flaw == "" {
		g.cut = true
	}
	return g, err
}

// resync takes bytes that are no reply up to where one may begin, and leaves the rest for the next call.
func (l *lane) resync(raw []byte, err error) (*got, error) {
	l.x.r = l.x.w
	g := &got{stray: true, body: raw, what: "bytes where a reply was due"}
	if i := bytes.Index(raw[min(1, len(raw)):], []byte("HTTP/1.1 ")); i >= 0 {
		g.body, err = raw[:i+1], nil
		l.x.unread(raw[i+1:])
	}
	return g, err
}

func (h *head) flaw() string {
	switch {
	case h.chunked && h.length >= 0:
		return "Content-Length and Transfer-Encoding in one reply"
	case h.length > 64<<20:
		return "a reply that declares " + strconv.Itoa(h.length) + " bytes"
	case h.status >= 400 && h.status < 500 && h.status != 429:
		return "answered to a valid request: " + h.line
	}
	return ""
}

func (l *lane) readHead() (*head, error) {
	h := &head{length: -1}
	line, err := l.headLine(h)
	if err != nil {
		return h, err
	}
	h.line = string(line)
	proto, rest, _ := strings.Cut(h.line, " ")
	code, _, _ := strings.Cut(rest, " ")
	h.status, err = strconv.Atoi(code)
	if err != nil || proto != "HTTP/1.1" && proto != "HTTP/1.0" || len(code) != 3 {
		return h, errHead
	}
	h.close = proto == "HTTP/1.0"
	for {
		line, err := l.headLine(h)
		if err != nil {
			return h, err
		}
		if len(line) == 0 {
			return h, nil
		}
		if err := h.field(line); err != nil {
			return h, err
		}
	}
}

// headLine reads a line and keeps it in h.raw, for the report in case the head makes no sense.
func (l *lane) headLine(h *head) ([]byte, error) {
	line, err := l.x.line()
	if err != nil && line != nil {
		return nil, errHead
	}
	if err != nil {
		if errors.Is(err, errLine) {
			err = errHead
		}
		return nil, err
	}
	h.raw = append(h.raw, line...)
	h.raw = append(h.raw, "\r\n"...)
	if len(h.raw) > 64<<10 {
		return nil, errHead
	}
	return line, nil
}

func (h *head) field(line []byte) error {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(name) == 0 || bytes.ContainsFunc(name, notToken) {
		return errHead
	}
	v := strings.Trim(string(value), " \t")
	switch key := strings.ToLower(string(name)); key {
	case "content-type":
		if h.ident != "" {
			return errHead
		}
		h.ident = v
	case "content-length":
		n, err := strconv.ParseUint(v, 10, 62)
		if err != nil || h.length >= 0 {
			return errHead
		}
		h.length = int(n)
	case "transfer-encoding":
		if !strings.EqualFold(v, "chunked") || h.chunked {
			return errHead
		}
		h.chunked = true
	case "connection":
		h.close = h.close || strings.EqualFold(v, "close")
	case "sec-websocket-accept":
		h.accept = v
	case "sec-websocket-extensions":
		h.ext = v
	default:
		if strings.HasPrefix(key, "x-soak") {
			h.idents = append(h.idents, v)
		}
	}
	return nil
}

func notToken(r rune) bool {
	return r <= ' ' || r >= 127 || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
}

func (l *lane) readChunks(g *got) error {
	for {
		line, err := l.x.line()
		if err != nil {
			if line != nil {
				g.flaw = "a chunk-size line that ends in a bare LF"
			}
			return err
		}
		size, _, _ := strings.Cut(string(line), ";")
		n, err := strconv.ParseUint(size, 16, 31)
		if err != nil {
			g.flaw = "a chunk size that is none: " + strconv.Quote(string(line))
			return errHead
		}
		if n == 0 {
			return l.readTrailers(g)
		}
		if g.body, err = l.x.full(g.body, int(n)); err != nil {
			return err
		}
		crlf, err := l.x.full(nil, 2)
		if err != nil {
			return err
		}
		if string(crlf) != "\r\n" {
			g.flaw = "chunk data followed by " + strconv.Quote(string(crlf))
			return errHead
		}
	}
}

func (l *lane) readTrailers(g *got) error {
	h := &head{length: -1}
	for {
		line, err := l.x.line()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			g.marks = append(g.marks, h.idents...)
			return nil
		}
		if err := h.field(line); err != nil {
			g.flaw = "a trailer that is none: " + strconv.Quote(string(line))
			return err
		}
	}
}
