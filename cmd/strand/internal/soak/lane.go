package soak

import (
	"bytes"
	"time"
)

// A lane is one connection's conversation: what is due on it, and how to read the next message. HTTP and WebSocket
// differ in next and in nothing else.
type lane struct {
	w      *worker
	x      *wire
	mark   Mark // worker, kind, connection
	seq    uint32
	due    []*expect
	before []*expect // delivered lately, for the recognition of duplicates
	polite bool      // the server has announced that it will close
	next   func() (*got, error)
	// quiet, if not nil, takes in what may come although nothing is due; it returns what may not.
	quiet func() (*got, error)
}

const remembered = 12

// newExpect makes the next message of the lane.
func (l *lane) newExpect(c Coding, n int) *expect {
	m := l.mark
	m.Seq = l.seq
	l.seq++
	e := &expect{mark: m, coding: c}
	e.want = l.w.run.keys.appendPayload(make([]byte, 0, n), m, c, 0, n)
	l.w.remember(m, c, n)
	return e
}

// expecting puts messages that are about to be sent into the queue of those due.
func (l *lane) expecting(es []*expect) {
	now := l.w.run.now()
	for _, e := range es {
		e.sent = now
	}
	l.due = append(l.due, es...)
	l.x.nc.SetDeadline(time.Now().Add(l.w.run.cfg.Timeout))
}

// await reads until nothing is due. It reports whether the connection can carry more.
func (l *lane) await() bool {
	for len(l.due) > 0 {
		g, err := l.next()
		if g != nil && g.is(l.due[0]) {
			l.good(l.due[0])
			l.due = l.due[1:]
			g = nil
			if err == nil {
				continue
			}
			if len(l.due) == 0 {
				return false
			}
		}
		l.trouble(g, err)
		return false
	}
	if len(l.x.buffered()) == 0 {
		return !l.polite
	}
	var g *got
	var err error
	if l.quiet != nil {
		if g, err = l.quiet(); g == nil && err == nil {
			return !l.polite
		}
	}
	l.trouble(g, err)
	return false
}

// good counts a message that came as it should.
func (l *lane) good(e *expect) {
	t := &l.w.run.tally[l.mark.Kind]
	d := time.Duration(l.w.run.now() - e.sent)
	t.latency.add(d)
	l.w.run.latency.add(d)
	t.checked.Add(1)
	t.bytes.Add(uint64(len(e.want)))
	l.delivered(e)
}

func (l *lane) delivered(e *expect) {
	if own := l.w.run.own; own != nil {
		own.replied(e.mark)
	}
	if len(l.before) == remembered {
		copy(l.before, l.before[1:])
		l.before = l.before[:remembered-1]
	}
	l.before = append(l.before, e)
}

// Once a message was not as expected, those still due are awaited this long, to tell lost from late, and what is not
// due a little longer, to tell swapped from gone.
const (
	latePatience  = 2 * time.Second
	strayPatience = 300 * time.Millisecond
)

// trouble settles a conversation in which g, which may be nil, or err came instead of what was due. The connection is
// of no use afterwards.
func (l *lane) trouble(g *got, err error) {
	t := &talk{due: l.due, before: l.before, polite: l.polite}
	j := l.w.run.judgeFor(l.mark) // before the wait: it remembers the present
	if g != nil {
		t.came = append(t.came, g)
	}
	more := func(n int, patience time.Duration) {
		l.x.nc.SetDeadline(time.Now().Add(patience))
		for err == nil && len(t.came) < n {
			if g, err = l.next(); g != nil {
				t.came = append(t.came, g)
			}
		}
	}
	more(len(t.due), min(latePatience, l.w.run.cfg.Timeout))
	more(2*len(t.due)+8, strayPatience)
	t.ended = ending(err)
	raw, _ := l.x.rest(nil, strayPatience) // how it ended has been said
	switch k := len(t.came) - 1; {
	case len(raw) == 0 || timeoutNotice(raw):
	case k >= 0 && (t.came[k].stray || t.came[k].flaw != ""):
		t.came[k].body = append(t.came[k].body, raw...) // what follows a broken message is part of the breakage
	default:
		t.came = append(t.came, &got{stray: true, body: raw, what: "bytes outside any message"})
	}
	for _, o := range j.settle(t) {
		l.record(&o)
	}
	l.due = nil
}

// record counts an outcome and files it if it is a finding.
func (l *lane) record(o *outcome) {
	t := &l.w.run.tally[l.mark.Kind]
	if o.expected != nil && o.class != Refused {
		t.checked.Add(1)
		t.bytes.Add(uint64(len(o.expected.want)))
	}
	if o.expected != nil {
		l.delivered(o.expected)
	}
	if o.class == Good {
		return
	}
	t.class[o.class].Add(1)
	if o.class == Refused {
		return
	}
	l.w.run.file(l, o)
}

// A server has this long to close a connection whose end was agreed on. When it does is its own affair; what it sends
// until then is ours.
const endPatience = 5 * time.Second

// end checks that the server sends nothing more: it has announced to close, or was asked to.
func (l *lane) end() {
	raw, err := l.x.rest(nil, min(endPatience, l.w.run.cfg.Timeout))
	if len(raw) > 0 && !timeoutNotice(raw) {
		j := l.w.run.judgeFor(l.mark)
		t := &talk{before: l.before, ended: ending(err), came: []*got{{stray: true, body: raw, what: "bytes after the last reply"}}}
		for _, o := range j.settle(t) {
			l.record(&o)
		}
	}
}

// timeoutNotice reports whether raw is what some servers say to a connection that has waited for too long: it answers
// no request of ours.
func timeoutNotice(raw []byte) bool { return bytes.HasPrefix(raw, []byte("HTTP/1.1 408 ")) }
