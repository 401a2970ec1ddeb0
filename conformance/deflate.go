package conformance

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
)

// bitWriter writes DEFLATE's bits, so that a case can say anything the format can.
type bitWriter struct {
	b    []byte
	bits uint64
	n    uint
}

func (w *bitWriter) put(v, k int) {
	w.bits |= uint64(v) << w.n
	w.n += uint(k)
	for w.n >= 8 {
		w.b = append(w.b, byte(w.bits))
		w.bits >>= 8
		w.n -= 8
	}
}

func (w *bitWriter) align() {
	if w.n > 0 {
		w.put(0, int(8-w.n))
	}
}

// code writes a Huffman code, which DEFLATE packs from its top bit.
func (w *bitWriter) code(c, k int) {
	r := 0
	for i := range k {
		r |= (c >> i & 1) << (k - 1 - i)
	}
	w.put(r, k)
}

// begin opens a block with the fixed codes.
func (w *bitWriter) begin(final bool) {
	f := 0
	if final {
		f = 1
	}
	w.put(f|1<<1, 3)
}

// lit writes a literal or length symbol with the fixed code.
func (w *bitWriter) lit(v int) {
	switch {
	case v < 144:
		w.code(0x30+v, 8)
	case v < 256:
		w.code(0x190+v-144, 9)
	case v < 280:
		w.code(v-256, 7)
	default:
		w.code(0xC0+v-280, 8)
	}
}

// match writes a copy of length bytes from d back.
func (w *bitWriter) match(length, d int) {
	i := 28
	for lenBase[i] > length {
		i--
	}
	w.lit(257 + i)
	w.put(length-lenBase[i], lenExtra[i])
	j := 29
	for distBase[j] > d {
		j--
	}
	w.code(j, 5)
	w.put(d-distBase[j], distExtra[j])
}

// end closes a fixed block.
func (w *bitWriter) end() { w.lit(256) }

// sync writes the empty stored block's header that RFC 7692 leaves on the wire and returns
// the payload: the four octets after it are those a sender strips.
func (w *bitWriter) sync() []byte {
	w.put(0, 3)
	w.align()
	return w.b
}

// style is how a deflater builds a message; every receiver has to take every style.
type style int

const (
	styleMatch  style = iota // fixed codes, matches as far back as the window allows
	styleStored              // blocks without compression
	styleHuff                // dynamic codes
	styles
)

// deflater writes the suite's side of the compressed stream.
type deflater struct {
	window   int
	takeover bool
	hist     []byte
	turn     int
	huff     *flate.Writer // codes without matches; made when needed
}

// message compresses p with the next style in turn, keeping or dropping the context as
// negotiated.
func (z *deflater) message(p []byte) []byte {
	s := style(z.turn % int(styles))
	z.turn++
	return z.styled(p, s)
}

func (z *deflater) styled(p []byte, s style) []byte {
	if !z.takeover {
		z.hist = nil
	}
	var out []byte
	switch {
	case len(p) == 0:
		out = (&bitWriter{}).sync()
	case s == styleStored:
		out = storedBlocks(p)
	case s == styleHuff:
		out = z.dynamic(p)
	default:
		out = z.matches(p)
	}
	z.hist = append(z.hist, p...)
	if n := len(z.hist); n > z.window {
		z.hist = append([]byte(nil), z.hist[n-z.window:]...)
	}
	return out
}

func storedBlocks(p []byte) []byte {
	w := &bitWriter{}
	for len(p) > 0 {
		n := min(len(p), 0xffff)
		w.put(0, 3)
		w.align()
		w.put(n, 16)
		w.put(n^0xffff, 16)
		w.b = append(w.b, p[:n]...)
		p = p[n:]
	}
	return w.sync()
}

// dictTurns is how many messages of a connection may use the standard writer with a
// dictionary: it takes a megabyte each time.
const dictTurns = 24

// dynamic uses the standard writer: with its full window when that is the negotiated one,
// else without matches.
func (z *deflater) dynamic(p []byte) []byte {
	var b bytes.Buffer
	if z.window == 1<<15 && z.turn < dictTurns {
		w, err := flate.NewWriterDict(&b, 2, z.hist)
		if err != nil {
			panic(err) // the level is a constant
		}
		return flushed(w, p, &b)
	}
	if z.huff == nil {
		var err error
		if z.huff, err = flate.NewWriter(&b, flate.HuffmanOnly); err != nil {
			panic(err)
		}
	}
	z.huff.Reset(&b)
	return flushed(z.huff, p, &b)
}

// flushed writes p as one message; a write to a bytes.Buffer cannot fail.
func flushed(w *flate.Writer, p []byte, b *bytes.Buffer) []byte {
	w.Write(p)
	w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
}

// matches is a greedy LZ77 that looks a whole window back and no byte farther.
func (z *deflater) matches(p []byte) []byte {
	all := append(append(make([]byte, 0, len(z.hist)+len(p)), z.hist...), p...)
	var last [1 << 13]int32 // position+1 of what hashed here last
	hash := func(i int) uint32 {
		return binary.LittleEndian.Uint32(all[i:]) * 2654435761 >> 19
	}
	w := &bitWriter{}
	w.begin(false)
	for i := 0; i < len(all); {
		if i < len(z.hist) {
			if i+4 <= len(all) {
				last[hash(i)] = int32(i + 1)
			}
			i++
			continue
		}
		length, d := 0, 0
		if i+4 <= len(all) {
			if j := int(last[hash(i)]) - 1; j >= 0 && i-j <= z.window {
				d = i - j
				for length < 258 && i+length < len(all) && all[j+length] == all[i+length] {
					length++
				}
			}
			last[hash(i)] = int32(i + 1)
		}
		if length < 4 {
			w.lit(int(all[i]))
			i++
			continue
		}
		w.match(length, d)
		i += length
	}
	w.end()
	return w.sync()
}

// zeros returns the compressed form of n zero bytes, about a thousandth of their size.
func zeros(n int) []byte {
	w := &bitWriter{}
	w.begin(false)
	w.lit(0)
	for n--; n > 0; {
		if n < 3 {
			w.lit(0)
			n--
			continue
		}
		k := min(n, 258)
		w.match(k, 1)
		n -= k
	}
	w.end()
	return w.sync()
}
