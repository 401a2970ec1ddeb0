package soak

import (
	"strconv"
	"time"
)

// exchange sends es as requests to their paths in one go and reads the replies. It reports whether the connection can
// carry more.
func (l *lane) exchange(es []*expect, path func(*expect) string, last bool) bool {
	w := l.w
	w.out = w.out[:0]
	for i, e := range es {
		chunked := w.kind == kindChunked || w.kind != kindPost && w.rng.IntN(3) == 0
		w.out = l.appendRequest(w.out, path(e), e, chunked, last && i == len(es)-1)
	}
	l.expecting(es)
	return l.converse()
}

// converse sends w.out and awaits what is due. A large output is sent beside the reading, since an echo may begin
// before its request ends.
func (l *lane) converse() bool {
	w := l.w
	if len(w.out) <= 32<<10 {
		err := l.x.scatter(w.rng, w.out)
		ok := l.await() // even after an error: the reply that explains it may be there
		return ok && err == nil
	}
	sent := make(chan error, 1)
	go func() { sent <- l.x.scatter(w.rng, w.out) }()
	ok := l.await()
	if !ok {
		l.x.nc.SetDeadline(time.Now()) // the rest of the request has no reader any more
	}
	err := <-sent
	return ok && err == nil
}

func toEcho(*expect) string { return "/echo" }

// sessionKeepAlive is a connection with many requests, one at a time or pipelined.
func sessionKeepAlive(w *worker) {
	l := w.open()
	if l == nil {
		return
	}
	defer l.x.close()
	for n := 1 + w.rng.IntN(200); n > 0; n-- {
		depth, limit := 1, 8<<20
		if w.kind == kindPipeline {
			depth, limit = 2+w.rng.IntN(15), 32<<10
		}
		es := make([]*expect, depth)
		for i := range es {
			es[i] = l.newExpect(w.coding(), w.size(limit))
		}
		last := (n == 1 || w.over()) && w.rng.IntN(2) == 0
		if !l.exchange(es, toEcho, last) {
			if l.polite && last {
				l.end()
			}
			return
		}
		if w.over() {
			return
		}
	}
}

func sessionChurn(w *worker) {
	l := w.open()
	if l == nil {
		return
	}
	defer l.x.close()
	last := w.rng.IntN(2) == 0
	l.exchange([]*expect{l.newExpect(w.coding(), w.size(64<<10))}, toEcho, last)
	if l.polite && last {
		l.end()
	}
}

// sessionHalfClose ends its sending side right after the request. The reply has to come all the same, and then the end.
func sessionHalfClose(w *worker) {
	l := w.open()
	if l == nil {
		return
	}
	defer l.x.close()
	for range w.rng.IntN(3) {
		if !l.exchange([]*expect{l.newExpect(w.coding(), w.size(32<<10))}, toEcho, false) {
			return
		}
	}
	e := l.newExpect(w.coding(), w.size(64<<10))
	w.out = l.appendRequest(w.out[:0], "/echo", e, w.rng.IntN(2) == 0, false)
	l.expecting([]*expect{e})
	if l.x.scatter(w.rng, w.out) == nil {
		l.x.finish() // an error here shows as a missing reply
	}
	l.await()
	l.end()
}

// sessionAbort resets the connection at a random byte of the request or of the reply. What had come until then has to
// be right; most of the effect is on the neighbours.
func sessionAbort(w *worker) {
	l := w.open()
	if l == nil {
		return
	}
	for range w.rng.IntN(4) {
		if !l.exchange([]*expect{l.newExpect(w.coding(), w.size(16<<10))}, toEcho, false) {
			l.x.close()
			return
		}
	}
	e := l.newExpect(w.coding(), w.size(256<<10))
	w.out = l.appendRequest(w.out[:0], "/echo", e, w.rng.IntN(2) == 0, false)
	l.expecting([]*expect{e})
	if w.rng.IntN(2) == 0 {
		l.x.scatter(w.rng, w.out[:w.rng.IntN(len(w.out)+1)])
		if w.rng.IntN(2) == 0 {
			time.Sleep(time.Duration(w.rng.IntN(500)) * time.Microsecond)
		}
		l.x.reset()
		return
	}
	l.readSome(e)
	l.x.reset()
}

// readSome sends a request and reads a part of its reply, which has to be the beginning of the right one.
func (l *lane) readSome(e *expect) {
	w := l.w
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		l.x.send(w.out) // an error shows as a short reply
	}()
	defer func() {
		l.x.nc.SetWriteDeadline(time.Now())
		<-sent
	}()
	h, err := l.readHead()
	if err != nil || h.status != 200 {
		return
	}
	k := w.rng.IntN(len(e.want) + 1)
	if h.chunked {
		// The first chunk will do.
		line, err := l.x.line()
		if err != nil {
			return
		}
		size, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return
		}
		k = min(k, int(size))
	}
	body, err := l.x.full(nil, k)
	if err != nil {
		return // a server may give the reply up when the request stops
	}
	want := *e
	want.want = e.want[:k]
	g := &got{body: body, ident: h.ident, marks: h.idents, status: h.status, what: h.line}
	if !w.run.echoesType {
		g.ident = ""
	}
	if g.is(&want) {
		l.good(&want)
		return
	}
	for _, o := range w.run.judgeFor(l.mark).settle(&talk{due: []*expect{&want}, before: l.before, came: []*got{g}}) {
		l.record(&o)
	}
}

// sessionHostile mixes requests to one hostile handler with ordinary ones on the same connections: those are where the
// damage would show.
func sessionHostile(w *worker) {
	l := w.open()
	if l == nil {
		return
	}
	defer l.x.close()
	path := "/hostile/" + kinds[w.kind].hostile
	hostile := map[*expect]bool{}
	to := func(e *expect) string {
		if hostile[e] {
			return path
		}
		return "/echo"
	}
	ends := w.kind == kindPanic || w.kind == kindHijack // such a request is the last of its connection
	for n := 1 + w.rng.IntN(100); n > 0; n-- {
		depth := 1
		if w.rng.IntN(3) == 0 {
			depth = 2 + w.rng.IntN(4)
		}
		clear(hostile)
		es := make([]*expect, depth)
		bad := false
		for i := range es {
			es[i] = l.newExpect(w.coding(), w.size(64<<10))
			if bad = w.rng.IntN(2) == 0 && !(ends && i < depth-1); bad {
				hostile[es[i]] = true
				es[i].policy = policyOf(w.kind)
			}
		}
		if !l.exchange(es, to, false) {
			if l.polite {
				l.end()
			}
			return
		}
		if w.over() {
			return
		}
	}
}

func policyOf(k uint8) policy {
	switch k {
	case kindPanic:
		return mustBreak
	case kindTimeout:
		return mayTimeout
	}
	return mustEcho
}
