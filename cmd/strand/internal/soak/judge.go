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

// judge compares what came with what was sent under mark m and explains the difference.
func (j *judge) judge(m Mark, c Coding, want, got []byte) verdict {
	v := verdict{spans: j.explain(m, c, want, got)}
	j.weigh(&v, m, want, got)
	return v
}

func (j *judge) explain(m Mark, c Coding, want, got []byte) []span {
	var out []span
	add := func(s span) {
		if k := len(out) - 1; k >= 0 && s.what == unknownSpan && out[k].what == unknownSpan {
			out[k].n += s.n
			return
		}
		out = append(out, s)
	}
	unknown := 0
	p, q := 0, 0
	for p < len(got) {
		if unknown > maxUnknownSteps {
			add(span{at: p, n: len(got) - p})
			break
		}
		if run := commonPrefix(got[p:], want[min(q, len(want)):]); run > 0 && (run >= 8 || p+run == len(got) || p == 0) {
			add(span{at: p, n: run, what: ownSpan, from: origin{m, c, q}})
			p, q = p+run, q+run
			continue
		}
		if off, run := findOwn(c, want, got[p:]); run > 0 {
			add(span{at: p, n: run, what: ownSpan, from: origin{m, c, off}})
			p, q = p+run, off+run
			continue
		}
		if o, run := j.findOther(m, got[p:]); run > 0 {
			add(span{at: p, n: run, what: otherSpan, from: o})
			p, q = p+run, q+run
			continue
		}
		add(span{at: p, n: 1})
		unknown++
		p, q = p+1, q+1
	}
	return out
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

// findOther looks for another message's bytes at the beginning of got: by a whole cell that starts within the next
// cell's length, and failing that by recall.
func (j *judge) findOther(own Mark, got []byte) (origin, int) {
	for skip := 0; skip < 128 && skip < len(got); skip++ {
		o, ok := j.keys.identify(got[skip:])
		if !ok || skip >= cellSize[o.coding] {
			continue
		}
		if o.mark == own || o.off < skip {
			break
		}
		o.off -= skip
		if run := j.runOf(o, got); run > skip {
			return o, run
		}
		break
	}
	if j.recall == nil {
		return origin{}, 0
	}
	frag := got[:min(len(got), 128)]
	for len(frag) >= 4 {
		if o, ok := j.recall(frag); ok && o.mark != own {
			return o, j.runOf(o, got)
		}
		if len(frag) <= 8 {
			break
		}
		frag = frag[:max(8, len(frag)/2)]
	}
	return origin{}, 0
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
