package conformance

import (
	"errors"
	"fmt"
)

// inflater reads the peer's DEFLATE (RFC 1951) itself, because the standard reader cannot
// tell whether a distance stays inside the negotiated window.
type inflater struct {
	window   int
	takeover bool
	hist     []byte
}

var errDeflate = errors.New("peer sent bad DEFLATE data")

// message inflates one message's payload, the four stripped octets not included.
func (z *inflater) message(p []byte) ([]byte, error) {
	if !z.takeover {
		z.hist = nil
	}
	in := append(append(make([]byte, 0, len(p)+4), p...), 0, 0, 0xff, 0xff)
	s := &inflation{in: in, out: append([]byte(nil), z.hist...), window: z.window}
	if err := s.all(); err != nil {
		return nil, err
	}
	msg := s.out[len(z.hist):]
	z.hist = append([]byte(nil), s.out[max(0, len(s.out)-z.window):]...)
	return msg, nil
}

type inflation struct {
	in     []byte
	at     int
	bits   uint64
	n      uint
	out    []byte
	window int
}

func (s *inflation) fill() {
	for s.n <= 48 && s.at < len(s.in) {
		s.bits |= uint64(s.in[s.at]) << s.n
		s.at++
		s.n += 8
	}
}

func (s *inflation) take(k uint) (int, error) {
	if s.n < k {
		s.fill()
	}
	if s.n < k {
		return 0, fmt.Errorf("%w: ends inside a block", errDeflate)
	}
	v := int(s.bits & (1<<k - 1))
	s.bits >>= k
	s.n -= k
	return v, nil
}

func (s *inflation) align() {
	s.bits >>= s.n & 7
	s.n -= s.n & 7
}

func (s *inflation) all() error {
	for s.n > 0 || s.at < len(s.in) {
		h, err := s.take(3)
		if err != nil {
			return err
		}
		switch h >> 1 {
		case 0:
			err = s.stored()
		case 1:
			err = s.codes(fixedLit, fixedDist)
		case 2:
			err = s.dynamic()
		default:
			err = fmt.Errorf("%w: block type 3", errDeflate)
		}
		if err != nil {
			return err
		}
		if h&1 == 1 { // RFC 7692 7.2.3.5: a final block is padded, more may follow
			s.align()
		}
		s.fill()
	}
	return nil
}

func (s *inflation) stored() error {
	s.align()
	n, err := s.take(16)
	if err != nil {
		return err
	}
	c, err := s.take(16)
	if err != nil {
		return err
	}
	if n^0xffff != c {
		return fmt.Errorf("%w: stored length %#x against %#x", errDeflate, n, c)
	}
	for range n {
		b, err := s.take(8)
		if err != nil {
			return err
		}
		s.out = append(s.out, byte(b))
	}
	return nil
}

// huff is a canonical Huffman code: a table for codes of up to 10 bits, counts for longer.
type huff struct {
	count [16]int
	sym   []int
	fast  [1024]uint16 // symbol<<4 | length, 0 if longer
}

func newHuff(lens []byte) *huff {
	h := &huff{}
	for _, l := range lens {
		h.count[l]++
	}
	h.count[0] = 0
	var next, code [16]int
	for l := 1; l < 16; l++ {
		next[l] = next[l-1] + h.count[l-1]
		code[l] = (code[l-1] + h.count[l-1]) << 1
	}
	h.sym = make([]int, len(lens))
	for v, l := range lens {
		if l == 0 {
			continue
		}
		h.sym[next[l]] = v
		next[l]++
		c := code[l]
		code[l]++
		if l > 10 {
			continue
		}
		rev := 0
		for i := range int(l) {
			rev |= (c >> i & 1) << (int(l) - 1 - i)
		}
		for ; rev < 1024; rev += 1 << l {
			h.fast[rev] = uint16(v)<<4 | uint16(l)
		}
	}
	return h
}

func (s *inflation) symbol(h *huff) (int, error) {
	if s.n < 15 {
		s.fill()
	}
	if e := h.fast[s.bits&1023]; e != 0 && uint(e&15) <= s.n {
		s.bits >>= e & 15
		s.n -= uint(e & 15)
		return int(e >> 4), nil
	}
	code, first, index := 0, 0, 0
	for l := 1; l < 16; l++ {
		b, err := s.take(1)
		if err != nil {
			return 0, err
		}
		code |= b
		if code-h.count[l] < first {
			return h.sym[index+code-first], nil
		}
		index += h.count[l]
		first = (first + h.count[l]) << 1
		code <<= 1
	}
	return 0, fmt.Errorf("%w: no such code", errDeflate)
}

func (s *inflation) codes(lit, dist *huff) error {
	for {
		v, err := s.symbol(lit)
		if err != nil {
			return err
		}
		if v < 256 {
			s.out = append(s.out, byte(v))
			continue
		}
		if v == 256 {
			return nil
		}
		if v > 285 {
			return fmt.Errorf("%w: length code %d", errDeflate, v)
		}
		x, err := s.take(uint(lenExtra[v-257]))
		if err != nil {
			return err
		}
		length := lenBase[v-257] + x
		d, err := s.symbol(dist)
		if err != nil {
			return err
		}
		if d > 29 {
			return fmt.Errorf("%w: distance code %d", errDeflate, d)
		}
		if x, err = s.take(uint(distExtra[d])); err != nil {
			return err
		}
		if err := s.copyBack(length, distBase[d]+x); err != nil {
			return err
		}
	}
}

func (s *inflation) copyBack(length, d int) error {
	if d > s.window {
		return fmt.Errorf("%w: distance %d, the window is %d", errDeflate, d, s.window)
	}
	if d > len(s.out) {
		return fmt.Errorf("%w: distance %d reaches before the %d bytes of context", errDeflate, d, len(s.out))
	}
	if len(s.out) > maxReply {
		return fmt.Errorf("peer sends a message of more than %d bytes", maxReply)
	}
	for range length {
		s.out = append(s.out, s.out[len(s.out)-d])
	}
	return nil
}

func (s *inflation) dynamic() error {
	h, err := s.take(14)
	if err != nil {
		return err
	}
	nlit, ndist, ncode := h&31+257, h>>5&31+1, h>>10+4
	var cl [19]byte
	for i := range ncode {
		v, err := s.take(3)
		if err != nil {
			return err
		}
		cl[clOrder[i]] = byte(v)
	}
	ch := newHuff(cl[:])
	lens := make([]byte, 0, nlit+ndist)
	for len(lens) < nlit+ndist {
		if lens, err = s.codeLength(ch, lens); err != nil {
			return err
		}
	}
	if len(lens) > nlit+ndist {
		return fmt.Errorf("%w: code lengths overrun", errDeflate)
	}
	return s.codes(newHuff(lens[:nlit]), newHuff(lens[nlit:]))
}

func (s *inflation) codeLength(ch *huff, lens []byte) ([]byte, error) {
	v, err := s.symbol(ch)
	if err != nil || v < 16 {
		return append(lens, byte(v)), err
	}
	var bits, base int
	var what byte
	switch v {
	case 16:
		if len(lens) == 0 {
			return nil, fmt.Errorf("%w: repeats nothing", errDeflate)
		}
		bits, base, what = 2, 3, lens[len(lens)-1]
	case 17:
		bits, base = 3, 3
	default:
		bits, base = 7, 11
	}
	x, err := s.take(uint(bits))
	if err != nil {
		return nil, err
	}
	for range base + x {
		lens = append(lens, what)
	}
	return lens, nil
}

var (
	clOrder  = [19]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	lenBase  [29]int
	lenExtra [29]int
	distBase [30]int
	// distExtra and the three before it are the tables of RFC 1951 section 3.2.5, computed.
	distExtra [30]int

	fixedLit, fixedDist *huff
)

func init() {
	base := 3
	for i := range 28 {
		lenExtra[i] = max(0, i/4-1)
		lenBase[i] = base
		base += 1 << lenExtra[i]
	}
	lenBase[28] = 258
	base = 1
	for i := range 30 {
		distExtra[i] = max(0, i/2-1)
		distBase[i] = base
		base += 1 << distExtra[i]
	}
	lens := make([]byte, 288)
	for i := range lens {
		switch {
		case i < 144, i > 279:
			lens[i] = 8
		case i < 256:
			lens[i] = 9
		default:
			lens[i] = 7
		}
	}
	fixedLit = newHuff(lens)
	d := make([]byte, 32)
	for i := range d {
		d[i] = 5
	}
	fixedDist = newHuff(d)
}
