package soak

import (
	"bytes"
	"fmt"
	"net/http"
)

// An expect is a message that was sent and whose echo is due.
type expect struct {
	mark   Mark
	coding Coding
	want   []byte
	ident  string // what the reply's Content-Type has to be; empty where the protocol has none
	sent   int64  // nanoseconds on the run's clock
	policy policy
}

// A policy is what a reply may be instead of a plain echo.
type policy uint8

const (
	mustEcho   policy = iota
	mayTimeout        // or a 503 whose body is the request's identity
	mustBreak         // the handler panics: no whole reply may come
)

// A got is one message as it was received.
type got struct {
	body   []byte
	ident  string
	marks  []string // other headers that have to carry the request's identity
	status int      // of an HTTP reply
	what   string   // first line of the reply or a description of the frame
	flaw   string   // how it breaks the protocol or the convention, if it does
	stray  bool     // raw bytes where no message was due
	aside  string   // what follows from a difference, worth saying if there is one
	cut    bool     // the connection ended before the message did
}

// is reports whether g is what e waits for, to the byte.
func (g *got) is(e *expect) bool {
	switch {
	case g.stray:
		return false
	case e.policy == mayTimeout && g.status == http.StatusServiceUnavailable && !g.cut:
		return g.flaw == "" && string(g.body) == e.mark.String()
	case e.policy == mustBreak && g.status == http.StatusInternalServerError:
		return true
	case e.policy == mustBreak && g.cut:
		return bytes.HasPrefix(e.want, g.body) && (g.ident == e.ident || g.status == 0)
	}
	return g.flaw == "" && !g.cut && !g.declined() && g.ident == e.ident && g.alien(e) == "" && bytes.Equal(g.body, e.want)
}

// alien returns a header value that belongs to another request.
func (g *got) alien(e *expect) string {
	for _, m := range g.marks {
		if m != e.ident {
			return m
		}
	}
	return ""
}

// declined reports whether the server said in so many words that it will not serve the request.
func (g *got) declined() bool {
	return g.status == http.StatusTooManyRequests || g.status >= http.StatusInternalServerError
}

// An outcome is the verdict on one expected message, or on one received without being expected (then want is nil).
type outcome struct {
	verdict
	mark     Mark
	coding   Coding
	expected *expect
	body     []byte
	what     string
}

// A talk is a conversation in which something was not as expected.
type talk struct {
	due    []*expect // what was still to come, in order
	before []*expect // what had been delivered on the connection lately
	came   []*got    // what was received instead
	ended  string    // why no more came
	polite bool      // the server had announced that it would close
}

// settle sorts a talk out. Each due message gets one outcome, and so does each that was received in excess.
func (j *judge) settle(t *talk) []outcome {
	due, before := t.due, t.before
	var out []outcome
	used := make([]bool, len(due))
	var order []int
	var odd []*got
	for _, g := range t.came {
		i := matching(g, due, used)
		if i >= 0 {
			used[i] = true
			order = append(order, i)
			continue
		}
		if e := again(g, due, used, before); e != nil {
			v := verdict{}
			v.note(Duplicated, "the whole reply to %s came again", e.mark)
			out = append(out, outcome{verdict: v, mark: e.mark, coding: e.coding, body: g.body, what: g.what})
			continue
		}
		odd = append(odd, g)
	}
	high := -1
	for _, i := range order {
		o := outcome{mark: due[i].mark, coding: due[i].coding, expected: due[i]}
		if i < high {
			o.note(Reordered, "came after the reply to %s", due[high].mark)
		}
		high = max(high, i)
		out = append(out, o)
	}
	for _, g := range odd {
		out = append(out, j.strange(g, due, used))
	}
	for i, e := range due {
		if used[i] {
			continue
		}
		o := outcome{mark: e.mark, coding: e.coding, expected: e}
		switch {
		case e.policy == mustBreak:
		case t.polite:
			o.note(Refused, "the server closed after an earlier reply, as it had announced")
		default:
			o.note(Lost, "no reply: %s", t.ended)
		}
		out = append(out, o)
	}
	return out
}

func matching(g *got, due []*expect, used []bool) int {
	for i, e := range due {
		if !used[i] && g.is(e) {
			return i
		}
	}
	return -1
}

func again(g *got, due []*expect, used []bool, before []*expect) *expect {
	if len(g.body) == 0 && g.ident == "" {
		return nil
	}
	for i, e := range due {
		if used[i] && g.is(e) {
			return e
		}
	}
	for _, e := range before {
		if g.is(e) {
			return e
		}
	}
	return nil
}

// strange judges a received message that equals none: against the due message it names, else the first one left.
func (j *judge) strange(g *got, due []*expect, used []bool) outcome {
	at := -1
	for i, e := range due {
		if used[i] || g.stray {
			continue
		}
		if at < 0 {
			at = i
		}
		if g.ident != "" && g.ident == e.ident {
			at = i
			break
		}
	}
	if at < 0 {
		return j.unasked(g)
	}
	used[at] = true
	e := due[at]
	o := outcome{mark: e.mark, coding: e.coding, expected: e, body: g.body, what: g.what}
	if g.declined() {
		o.note(Refused, "%s", g.what)
		return o
	}
	if g.status < http.StatusBadRequest {
		o.verdict = j.judge(e.mark, e.coding, e.want, g.body)
	}
	if g.flaw != "" {
		o.note(Damaged, "%s", g.flaw)
	}
	if g.aside != "" && o.class != Good {
		o.notes = append(o.notes, g.aside)
	}
	if g.ident != e.ident && !(g.cut && g.ident == "") && g.status < http.StatusBadRequest {
		name := "Content-Type"
		if e.ident == "text" || e.ident == "binary" {
			name = "message type"
		}
		o.ident(e.mark, name, g.ident)
	}
	if s := g.alien(e); s != "" {
		o.ident(e.mark, "header", s)
	}
	if o.class == Good && g.cut {
		o.note(Lost, "cut short: %s", g.what)
	}
	return o
}

// unasked judges bytes that came although nothing was due.
func (j *judge) unasked(g *got) outcome {
	o := outcome{body: g.body, what: g.what, mark: Mark{Worker: j.conn.Worker, Conn: j.conn.Conn}}
	o.verdict = j.judge(o.mark, Binary, nil, g.body)
	ours := false
	for _, s := range o.spans {
		if s.what != otherSpan {
			continue
		}
		if ours = s.from.mark.SameConn(o.mark) && s.from.mark.Kind != kindStain; !ours {
			break
		}
	}
	if ours {
		o.class = Duplicated // a message of this connection, once more, with whatever is around it
	}
	if o.class == Good {
		o.note(Damaged, "a message nobody asked for")
	}
	if g.ident != "" {
		o.notes = append(o.notes, fmt.Sprintf("its Content-Type is %q", g.ident))
	}
	return o
}

// ident weighs a header that does not carry the request's identity.
func (v *verdict) ident(m Mark, name, is string) {
	o, ok := parseIdent(is)
	switch {
	case !ok:
		v.note(Damaged, "its %s is %q", name, is)
	case o == m:
		v.note(Damaged, "its %s %q is written differently", name, is)
	case o.SameConn(m) && o.Kind != kindStain:
		v.note(Reordered, "its %s is that of %s", name, o)
	default:
		v.note(Foreign, "its %s is that of %s, %s", name, o, relation(m, o))
	}
}
