package load

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// httpCodec posts windows of the table and wants them back, or gets a document
// that it knows. It reads identity bodies with a Content-Length only: that is
// what a server sends for both.
type httpCodec struct {
	table *table
	size  int    // of what is posted; 0 to get
	want  []byte // the document
	head  []byte
	batch int // answers to a message, which is that many requests
}

func newHTTPEcho(t *table, size int) *httpCodec {
	head := fmt.Sprintf("POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n", size)
	return &httpCodec{table: t, size: size, head: []byte(head), batch: 1}
}

func newHTTPGet(path string, want []byte, pipeline int) *httpCodec {
	one := "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
	n := max(1, pipeline)
	return &httpCodec{want: want, head: []byte(strings.Repeat(one, n)), batch: n}
}

func (h *httpCodec) open(int32, uint32) error { return nil }

func (h *httpCodec) message(c *conn) (head, body []byte) {
	if h.size == 0 {
		return h.head, nil
	}
	return h.head, h.table.plain[c.off : c.off+h.size]
}

// expected is the body of the answer to the message in flight.
func (h *httpCodec) expected(c *conn) []byte {
	if h.size == 0 {
		return h.want
	}
	return h.table.plain[c.off : c.off+h.size]
}

func (h *httpCodec) feed(c *conn, p []byte) (int, error) {
	want := h.expected(c)
	whole := 0
	for len(p) > 0 {
		if !c.frame.inside {
			rest, err := h.begin(c, p, len(want))
			if err != nil || !c.frame.inside {
				return whole, err
			}
			p = rest
		}
		n := min(len(p), len(want)-c.got)
		if !bytes.Equal(p[:n], want[c.got:c.got+n]) {
			return whole, &wrongByte{c.index, c.seq, c.got, "not the byte that was expected"}
		}
		c.got += n
		p = p[n:]
		if c.got < len(want) {
			break
		}
		c.got = 0
		c.frame.inside = false
		c.answers++
		if c.answers == h.batch {
			c.answers = 0
			whole++
		}
	}
	return whole, nil
}

// begin reads the head of an answer, which may come in pieces.
func (h *httpCodec) begin(c *conn, p []byte, want int) (rest []byte, err error) {
	head := p
	if len(c.held) > 0 {
		c.held = append(c.held, p...)
		head = c.held
	}
	end := bytes.Index(head, []byte("\r\n\r\n"))
	if end < 0 {
		if len(c.held) == 0 {
			c.held = append(c.held, p...)
		}
		return nil, nil
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		return nil, fmt.Errorf("connection %d: answer %q", c.index, head[:min(end, 200)])
	}
	n, err := contentLength(head[:end])
	if err != nil || n != want {
		return nil, &wrongByte{c.index, c.seq, 0, fmt.Sprintf("length %d (%v), want %d", n, err, want)}
	}
	rest = p[len(p)-(len(head)-end-4):]
	c.held = c.held[:0]
	c.frame.inside = true
	return rest, nil
}

func contentLength(head []byte) (int, error) {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		k, v, ok := bytes.Cut(line, []byte(":"))
		if ok && len(k) == len("Content-Length") && strings.EqualFold(string(k), "Content-Length") {
			return strconv.Atoi(string(bytes.TrimSpace(v)))
		}
	}
	return 0, fmt.Errorf("no Content-Length")
}
