package load

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
)

// texts is how many different compressed messages there are.
const texts = 64

// deflateCodec sends compressed text messages. They are compressed once, before
// the measurement; an answer is inflated only the first time its bytes are seen,
// since with no context kept equal bytes mean equal text.
type deflateCodec struct {
	plain  [texts][]byte
	heads  [texts][]byte
	bodies [texts][]byte
	seen   [texts][]byte // an answer that was inflated and was right
}

func newDeflateCodec(size int, seed uint64) (*deflateCodec, error) {
	d := &deflateCodec{}
	r := rand.New(rand.NewPCG(seed, 0xdef1))
	for i := range texts {
		d.plain[i] = sampleText(r, size)
		packed, err := compress(d.plain[i])
		if err != nil {
			return nil, err
		}
		d.heads[i] = clientHeader(0xc0|opText, len(packed))
		for j := range packed {
			packed[j] ^= maskKey[j&3]
		}
		d.bodies[i] = packed
	}
	return d, nil
}

// sampleText is a JSON array of the sort that services send each other.
func sampleText(r *rand.Rand, size int) []byte {
	var b strings.Builder
	b.WriteString("[")
	for b.Len() < size {
		fmt.Fprintf(&b, `{"id":%d,"name":"user-%d","active":%t,"score":%.3f},`,
			r.IntN(1e6), r.IntN(500), r.IntN(2) == 0, r.Float64()*100)
	}
	return []byte(b.String()[:size-1] + "]")
}

// compress is RFC 7692 section 7.2.1: deflate, flush, drop the last four bytes.
func compress(p []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(p); err != nil {
		return nil, err
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff}), nil
}

func decompress(p []byte, limit int) ([]byte, error) {
	tail := strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")
	r := flate.NewReader(io.MultiReader(bytes.NewReader(p), tail))
	return io.ReadAll(io.LimitReader(r, int64(limit)+1))
}

func (d *deflateCodec) open(fd int32, _ uint32) error { return upgrade(fd, true) }

func (d *deflateCodec) pick(c *conn) int { return int((c.index + c.seq*7) % texts) }

func (d *deflateCodec) message(c *conn) (head, body []byte) {
	i := d.pick(c)
	return d.heads[i], d.bodies[i]
}

func (d *deflateCodec) feed(c *conn, p []byte) (int, error) {
	whole := 0
	for len(p) > 0 || c.frame.complete() {
		if !c.frame.inside {
			rest, err := c.frame.header(p)
			if err != nil {
				return whole, err
			}
			p = rest
			if !c.frame.inside {
				break
			}
		}
		n := min(len(p), c.frame.left)
		if c.frame.data() {
			c.held = append(c.held, p[:n]...)
		}
		c.frame.left -= n
		p = p[n:]
		if c.frame.left > 0 || !c.frame.end() {
			continue
		}
		if err := d.check(c); err != nil {
			return whole, err
		}
		c.held = c.held[:0]
		whole++
	}
	return whole, nil
}

func (d *deflateCodec) check(c *conn) error {
	i := d.pick(c)
	got := c.held
	if c.frame.rsv1 {
		if d.seen[i] != nil && bytes.Equal(got, d.seen[i]) {
			return nil
		}
		text, err := decompress(got, len(d.plain[i]))
		if err != nil {
			return &wrongByte{c.index, c.seq, 0, "inflate: " + err.Error()}
		}
		d.seen[i] = bytes.Clone(got)
		got = text
	}
	if !bytes.Equal(got, d.plain[i]) {
		return &wrongByte{c.index, c.seq, 0, "not the text that was sent"}
	}
	return nil
}
