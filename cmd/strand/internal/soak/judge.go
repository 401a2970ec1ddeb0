package soak

import (
	"bytes"
	"fmt"
	"math/bits"
	"sort"
)

// A span is a run of received bytes with one explanation.
type span struct {
	at, n int
	what  spanKind
	from  origin // for ownSpan and otherSpan: whose bytes, beginning where
}

type spanKind uint8

const (
	unknownSpan spanKind = iota // bytes nobody is known to have sent
	ownSpan                     // bytes of the message that was expected
	otherSpan                   // bytes of another message
)

// A verdict says what became of one message.
type verdict struct {
	class Class
	spans []span
	notes []string
	// at is where the first byte is that is not as it should be.
	at int
}

// note records something against the message.
func (v *verdict) note(c Class, format string, args ...any) {
	v.class = worse(v.class, c)
	if len(v.notes) < 8 {
		v.notes = append(v.notes, fmt.Sprintf(format, args...))
	}
}

// A judge explains received bytes. recall looks a fragment up that is too short to hold a whole cell; it may be nil.
type judge struct {
	keys   *keyring
	conn   Mark // worker and connection that received
	recall func(frag []byte) (origin, bool)
}

// The work on one bad message is bounded: after so many bytes without an explanation the rest is called unknown.
const maxUnknownSteps = 2048

// maxRecalls bounds the looking up of fragments for one bad message: each is a search through all that was sent lately.
const maxRecalls = 6

// sureBits is how much of a fragment has to agree before its owner is named: nobody is accused because of three words
// that many have sent.
const sureBits = 48

// judge compares what came with what was sent under mark m and explains the difference.
func (j *judge) judge(m Mark, c Coding, want, got []byte) verdict {
	v := verdict{spans: j.explain(m, c, want, got)}
	j.weigh(&v, m, want, got)
	return v
}

func (j *judge) explain(m Mark, c Coding, want, got []byte) []span {
	e := &explainer{judge: j, mark: m, coding: c, want: want, got: got}
	for e.p < len(got) {
		if e.unknown > maxUnknownSteps {
			e.add(span{at: e.p, n: len(got) - e.p})
			break
		}
		e.step()
	}
	e.sharpen()
	return e.spans
}

// An explainer walks through received bytes with a cursor in what was wanted.
type explainer struct {
	*judge
	mark      Mark
	coding    Coding
	want, got []byte
	p, q      int // cursors in got and want
	spans     []span
	unknown   int       // bytes without an explanation so far
	cells     []located // whole cells of other messages within got, once they have been looked for
	scanned   bool
	recalls   int
}

// A located is a cell found somewhere.
type located struct {
	at int
	origin
}

// step explains the bytes at the cursor by the first of: what was due here, another part of the message, another
// message; or calls one byte unknown.
func (e *explainer) step() {
	rest := e.got[e.p:]
	run := commonPrefix(rest, e.want[min(e.q, len(e.want)):])
	if run > 0 && (run >= surely(e.coding, e.p) || run == len(rest)) {
		e.own(e.q, run)
		return
	}
	if off, run := findOwn(e.coding, e.want, rest); run > 0 {
		e.own(off, run)
		return
	}
	if o, run := e.findOther(); run > 0 {
		e.add(span{at: e.p, n: run, what: otherSpan, from: o})
		e.p, e.q = e.p+run, e.q+run
		return
	}
	e.add(span{at: e.p, n: 1})
	e.unknown++
	e.p, e.q = e.p+1, e.q+1
}

func (e *explainer) add(s span) {
	if k := len(e.spans) - 1; k >= 0 && s.what == unknownSpan && e.spans[k].what == unknownSpan {
		e.spans[k].n += s.n
		return
	}
	e.spans = append(e.spans, s)
}

func (e *explainer) own(off, run int) {
	e.add(span{at: e.p, n: run, what: ownSpan, from: origin{e.mark, e.coding, off}})
	e.p, e.q = e.p+run, off+run
}

// sharpen moves the boundaries between spans of the message itself: the last bytes of one may have been taken for its
// continuation by accident. Where they fit the next one as well they go where least is missing or there twice.
func (e *explainer) sharpen() {
	for i := 1; i < len(e.spans) && i < 64; i++ {
		a, b := &e.spans[i-1], &e.spans[i]
		if a.what != ownSpan || b.what != ownSpan {
			continue
		}
		bound, best, bestCost := b.at, 0, e.cost()
		for k := 1; a.n > 1 && b.from.off > 0 && k < surely(e.coding, 0) && e.got[b.at-1] == e.want[b.from.off-1]; k++ {
			shift(a, b, 1)
			if c := e.cost(); c < bestCost {
				best, bestCost = k, c
			}
		}
		shift(a, b, best-(bound-b.at))
	}
}

// shift moves the boundary between two spans k bytes towards the beginning.
func shift(a, b *span, k int) {
	a.n -= k
	b.at, b.from.off, b.n = b.at-k, b.from.off-k, b.n+k
}

// cost is how many bytes of the message are missing or there twice.
func (e *explainer) cost() int {
	var c cover
	twice := 0
	for _, s := range e.spans {
		if s.what == ownSpan {
			twice += c.overlap(s.from.off, s.from.off+s.n)
			c.add(s.from.off, s.from.off+s.n)
		}
	}
	return twice + len(e.want) - c.overlap(0, len(e.want))
}

// surely is how many equal bytes are no accident; at the beginning, where nothing speaks against it, fewer will do.
func surely(c Coding, at int) int {
	bits := 48
	if at == 0 {
		bits = 16
	}
	return bits / bitsPerByte[c]
}

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// findOwn looks for the beginning of got anywhere in want. The probe is as long as it takes to make an accident
// unlikely in a message of that length.
func findOwn(c Coding, want, got []byte) (off, run int) {
	need := (bits.Len(uint(len(want))) + 7) / bitsPerByte[c]
	probe := min(len(got), 2*need)
	if probe < need || probe == 0 {
		return 0, 0
	}
	off = bytes.Index(want, got[:probe])
	if off < 0 {
		return 0, 0
	}
	return off, commonPrefix(got, want[off:])
}

// findOther looks for another message's bytes at the cursor: by a whole cell that starts within the next cell's
// length, and failing that by recall.
func (e *explainer) findOther() (origin, int) {
	if !e.scanned {
		e.scan()
	}
	rest := e.got[e.p:]
	for len(e.cells) > 0 && e.cells[0].at < e.p {
		e.cells = e.cells[1:]
	}
	if len(e.cells) > 0 {
		o := e.cells[0].origin
		if skip := e.cells[0].at - e.p; skip < cellSize[o.coding] && o.off >= skip {
			o.off -= skip
			if run := e.runOf(o, rest); run > skip {
				return o, run
			}
		}
	}
	if e.recall == nil || e.recalls >= maxRecalls {
		return origin{}, 0
	}
	e.recalls++
	for _, n := range [...]int{64, 32, 12, 8, 6} {
		if n > len(rest) {
			continue
		}
		o, ok := e.recall(rest[:n])
		if !ok || o.mark == e.mark {
			continue
		}
		if run := e.runOf(o, rest); run*bitsPerByte[o.coding] >= sureBits {
			return o, run
		}
	}
	return origin{}, 0
}

// scan finds all whole cells of other messages.
func (e *explainer) scan() {
	e.scanned = true
	for at := e.p; at+16 <= len(e.got); {
		o, ok := e.keys.identify(e.got[at:])
		if !ok {
			at++
			continue
		}
		if o.mark != e.mark {
			e.cells = append(e.cells, located{at, o})
		}
		at += cellSize[o.coding]
	}
}

// runOf is how many bytes of got are o's message from o.off on.
func (j *judge) runOf(o origin, got []byte) int {
	n := 0
	buf := make([]byte, 0, 4096)
	for n < len(got) {
		k := min(4096, len(got)-n)
		buf = j.keys.appendPayload(buf[:0], o.mark, o.coding, o.off+n, k)
		same := commonPrefix(got[n:n+k], buf)
		n += same
		if same < k {
			break
		}
	}
	return n
}

// weigh turns spans into a class.
func (j *judge) weigh(v *verdict, m Mark, want, got []byte) {
	var have, replaced cover
	high := 0
	v.at = min(len(got), len(want))
	first := func(at int) { v.at = min(v.at, at) }
	expect := 0 // where in want the next received byte belongs if nothing is missing
	for _, s := range v.spans {
		switch s.what {
		case unknownSpan:
			first(s.at)
			v.note(Damaged, "%d bytes at offset %d that nobody sent", s.n, s.at)
			replaced.add(expect, expect+s.n)
		case otherSpan:
			first(s.at)
			v.note(Foreign, "%d bytes at offset %d are bytes %d.. of %s, %s", s.n, s.at, s.from.off, s.from.mark, relation(m, s.from.mark))
			replaced.add(expect, expect+s.n)
		case ownSpan:
			lo, hi := s.from.off, s.from.off+s.n
			if lo != s.at {
				first(s.at)
			}
			if twice := have.overlap(lo, hi); twice > 0 {
				v.note(Duplicated, "bytes %d..%d came again at offset %d", lo, hi, s.at)
			} else if lo < high {
				v.note(Reordered, "bytes %d..%d came late, at offset %d", lo, hi, s.at)
			}
			have.add(lo, hi)
			high = max(high, hi)
			expect = hi
			continue
		}
		expect += s.n
	}
	for _, gap := range have.gaps(len(want)) {
		missing := gap[1] - gap[0] - replaced.overlap(gap[0], gap[1])
		if missing > 0 {
			first(gap[0])
			v.note(Lost, "%d of bytes %d..%d never came", missing, gap[0], gap[1])
		}
	}
}

func relation(a, b Mark) string {
	switch {
	case b.Kind == kindStain:
		return "written by a handler after it returned"
	case a.SameConn(b):
		return "another message of the same connection"
	}
	return "another connection"
}

// A cover is a set of byte ranges.
type cover struct{ r [][2]int }

func (c *cover) add(lo, hi int) {
	if lo >= hi {
		return
	}
	c.r = append(c.r, [2]int{lo, hi})
	sort.Slice(c.r, func(i, j int) bool { return c.r[i][0] < c.r[j][0] })
	out := c.r[:1]
	for _, x := range c.r[1:] {
		last := &out[len(out)-1]
		if x[0] <= last[1] {
			last[1] = max(last[1], x[1])
			continue
		}
		out = append(out, x)
	}
	c.r = out
}

func (c *cover) overlap(lo, hi int) int {
	n := 0
	for _, x := range c.r {
		if d := min(hi, x[1]) - max(lo, x[0]); d > 0 {
			n += d
		}
	}
	return n
}

func (c *cover) gaps(n int) [][2]int {
	var out [][2]int
	at := 0
	for _, x := range c.r {
		if x[0] > at {
			out = append(out, [2]int{at, min(x[0], n)})
		}
		at = max(at, x[1])
	}
	if at < n {
		out = append(out, [2]int{at, n})
	}
	return out
}
