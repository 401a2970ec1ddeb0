package http1

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/buf"
)

// TestFirstBlock: a response is built in the Block its head came in, unless that has input left, or will have, or
// is larger than a response should hold while it is queued.
func TestFirstBlock(t *testing.T) {
	for _, c := range []struct {
		name string
		size int
		left string
		body bool
		same bool
	}{
		{"a small head", readBlock, "", false, true},
		{"a pipelined request behind it", readBlock, "GET", false, false},
		{"a body to come", readBlock, "", true, false},
		{"a large head", 1 << 20, "", false, false},
	} {
		hc := &conn{c: new(strand.Conn), in: buf.Take(0, c.size)}
		hc.in.Append([]byte(c.left))
		in := hc.in
		w := &response{hc: hc, ex: &exchange{}}
		if c.body {
			w.ex.body = &body{}
		}
		b := w.firstBlock()
		if same := b == in; same != c.same || same == (hc.in != nil) || b.Len() != 0 || b.Cap() > readBlock {
			t.Errorf("%s: the same Block %t, want %t; %d bytes in it of %d", c.name, same, c.same, b.Len(), b.Cap())
		}
		b.Release()
		hc.release()
	}
}

// TestResponseBesideBody: a handler may write its response in one goroutine and read its body in another, as
// http.TimeoutHandler has it. The race detector looks on.
func TestResponseBesideBody(t *testing.T) {
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(io.Discard, r.Body)
		}()
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, "ok")
		<-read
	}, nil)
	for range 50 {
		c := ts.dial(t)
		_, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2000\r\n\r\n"+strings.Repeat("x", 2000))
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(answer), "\r\nok") {
			t.Fatalf("%q, %v", answer, err)
		}
	}
}
