package http1

import (
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
