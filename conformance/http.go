package conformance

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"
)

// acceptFor is the hash of RFC 6455 section 4.2.2.
func acceptFor(key string) string {
	h := sha1.Sum([]byte(strings.TrimSpace(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(h[:])
}

// request is an opening handshake as lines, so that any of them can be wrong.
type request struct {
	line  string
	lines []string
	key   string
}

func newRequest(e *env) *request {
	var k [16]byte
	e.rng.Read(k[:])
	key := base64.StdEncoding.EncodeToString(k[:])
	return &request{
		line: "GET " + e.target() + " HTTP/1.1",
		lines: []string{
			"Host: " + e.url.Host,
			"Upgrade: websocket",
			"Connection: Upgrade",
			"Sec-WebSocket-Key: " + key,
			"Sec-WebSocket-Version: 13",
		},
		key: key,
	}
}

func (e *env) target() string {
	if t := e.url.RequestURI(); t != "" {
		return t
	}
	return "/"
}

func fieldName(line string) string {
	k, _, _ := strings.Cut(line, ":")
	return strings.ToLower(k)
}

// set replaces the lines named k with one, or appends it.
func (q *request) set(k, v string) {
	i := slices.IndexFunc(q.lines, func(s string) bool { return fieldName(s) == strings.ToLower(k) })
	if i < 0 {
		q.add(k, v)
		return
	}
	q.lines[i] = k + ": " + v
}

func (q *request) add(k, v string) { q.lines = append(q.lines, k+": "+v) }

func (q *request) del(k string) {
	q.lines = slices.DeleteFunc(q.lines, func(s string) bool { return fieldName(s) == strings.ToLower(k) })
}

func (q *request) method(m string) {
	_, rest, _ := strings.Cut(q.line, " ")
	q.line = m + " " + rest
}

func (q *request) bytes() []byte {
	return []byte(q.line + "\r\n" + strings.Join(q.lines, "\r\n") + "\r\n\r\n")
}

// response is a server's answer to the handshake.
type response struct {
	line   string
	status int
	header http.Header
}

// readHead reads lines up to an empty one.
func readHead(br *bufio.Reader) (line string, h http.Header, err error) {
	tr := textproto.NewReader(br)
	if line, err = tr.ReadLine(); err != nil {
		return "", nil, err
	}
	m, err := tr.ReadMIMEHeader()
	return line, http.Header(m), err
}

func (e *env) readResponse(c net.Conn, br *bufio.Reader) (*response, error) {
	c.SetReadDeadline(time.Now().Add(e.opt.Timeout))
	defer c.SetReadDeadline(time.Time{})
	line, h, err := readHead(br)
	if err != nil {
		return nil, fmt.Errorf("no response: %w", err)
	}
	r := &response{line: line, header: h}
	f := strings.SplitN(line, " ", 3)
	if len(f) < 2 || !strings.HasPrefix(f[0], "HTTP/1.") {
		return nil, fmt.Errorf("status line %q", line)
	}
	if r.status, err = strconv.Atoi(f[1]); err != nil || len(f[1]) != 3 {
		return nil, fmt.Errorf("status line %q", line)
	}
	return r, nil
}

// list joins a field's lines, RFC 9110 section 5.3.
func (r *response) list(k string) string { return strings.Join(r.header.Values(k), ", ") }

// hasToken looks for a token in a list field, in any case.
func hasToken(h http.Header, k, token string) bool {
	for _, v := range strings.Split(strings.Join(h.Values(k), ","), ",") {
		if strings.EqualFold(strings.TrimSpace(v), token) {
			return true
		}
	}
	return false
}

// switches checks everything RFC 6455 section 4.2.2 asks of the 101.
func (r *response) switches(q *request) error {
	if r.status != 101 {
		return fmt.Errorf("got %q, want 101", r.line)
	}
	accept := r.header.Values("Sec-WebSocket-Accept")
	switch {
	case !strings.HasPrefix(r.line, "HTTP/1.1 "):
		return fmt.Errorf("peer broke 4.2.2: %q", r.line)
	case !strings.EqualFold(strings.TrimSpace(r.list("Upgrade")), "websocket"):
		return fmt.Errorf("peer broke 4.2.2: Upgrade %q", r.list("Upgrade"))
	case !hasToken(r.header, "Connection", "Upgrade"):
		return fmt.Errorf("peer broke 4.2.2: Connection %q", r.list("Connection"))
	case len(accept) != 1 || accept[0] != acceptFor(q.key):
		return fmt.Errorf("peer broke 4.2.2: Sec-WebSocket-Accept %q, want %q", accept, acceptFor(q.key))
	case r.header.Get("Content-Length") != "" || r.header.Get("Transfer-Encoding") != "":
		return errors.New("peer broke RFC 9110 8.6: a 101 with a body's framing")
	}
	return nil
}
