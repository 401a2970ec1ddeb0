package soak

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// hostileHandlers is what handlers do that net/http lets one write down, by path below /hostile/.
var hostileHandlers = map[string]func(*request){
	"double-close": (*request).doubleClose,
	"late-close":   (*request).lateClose,
	"late-read":    (*request).lateRead,
	"late-write":   (*request).lateWrite,
	"kept-request": (*request).keptRequest,
	"kept-header":  (*request).keptHeader,
	"panic":        (*request).panics,
	"hijack":       (*request).hijack,
	"timeout":      (*request).timesOut,
	"wrapped-body": (*request).wrappedBody,
	"unread":       (*request).unread,
	"ws-kept":      (*request).webSocket,
}

// soon is how long after its handler a late goroutine acts: mostly while the connection is busy with what comes next.
func (q *request) soon() time.Duration {
	if q.rng.IntN(16) == 0 {
		return time.Duration(q.rng.IntN(20_000)) * time.Microsecond
	}
	return time.Duration(q.rng.IntN(150)) * time.Microsecond
}

// doubleClose closes the body ten times, from two goroutines. hazard 163
func (q *request) doubleClose() {
	b := q.body()
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			for range 5 {
				q.r.Body.Close() // the first one has done it; the others must do nothing
			}
		})
	}
	if q.rng.IntN(2) == 0 {
		both.Wait()
	}
	if b != nil {
		q.write(b)
	}
	both.Wait()
}

// lateClose closes the body after the handler returned: the defect of nbio 1.2.18. hazard 163
func (q *request) lateClose() {
	body, wait, n := q.r.Body, q.soon(), 1+q.rng.IntN(3)
	q.echo()
	q.c.later(wait, func() {
		for range n {
			body.Close()
		}
	})
}

// lateRead reads the body after the handler returned, which may have left some of it. No byte of another request may
// come. hazard 164
func (q *request) lateRead() {
	b := q.want // knowing the seed, the handler can answer without reading
	if q.rng.IntN(2) == 0 {
		if b = q.body(); b == nil {
			return
		}
	}
	body, wait := q.r.Body, q.soon()
	q.write(b)
	q.c.later(wait, func() {
		buf := make([]byte, 4096)
		for range 8 {
			n, err := body.Read(buf)
			if n > 0 {
				q.lateBytes(buf[:n])
			}
			if err != nil {
				return
			}
		}
	})
}

// lateBytes checks bytes that came out of a body after its handler had returned: its own are harmless.
func (q *request) lateBytes(p []byte) {
	if strings.Contains(string(q.want), string(p)) {
		return
	}
	o := outcome{mark: q.mark, coding: q.coding, body: p, what: "a body read after its handler returned", expected: &expect{want: q.want}}
	o.verdict = q.c.run.judgeFor(q.mark).judge(q.mark, q.coding, q.want, p)
	if o.class == Lost || o.class == Reordered {
		return // parts of its own body
	}
	q.find(&o)
}

// lateWrite writes to the ResponseWriter after the handler returned. The bytes may go nowhere. hazard 169
func (q *request) lateWrite() {
	b := q.body()
	if b == nil {
		return
	}
	q.reply()
	q.w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	q.w.Write(b)
	stain := q.mark
	stain.Kind = kindStain
	n, w := 64+q.rng.IntN(4096), q.w
	q.c.later(q.soon(), func() {
		defer func() { recover() }() // net/http may panic here; nobody else is to suffer
		p := q.c.run.keys.appendPayload(nil, stain, Binary, 0, n)
		w.Write(p)
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
	})
}

// keptRequest keeps the request and compares all its strings later. hazards 167, 168
func (q *request) keptRequest() {
	b := q.body()
	if b == nil {
		return
	}
	r := q.r
	uri, url, host, addr := strings.Clone(r.RequestURI), r.URL.String(), strings.Clone(r.Host), strings.Clone(r.RemoteAddr)
	method, pattern := strings.Clone(r.Method), strings.Clone(r.Pattern)
	header := map[string]string{}
	for k, v := range r.Header {
		header[strings.Clone(k)] = strings.Join(append([]string(nil), v...), "\x00")
	}
	q.c.keep.add(func() {
		q.kept("RequestURI", uri, r.RequestURI)
		q.kept("URL", url, r.URL.String())
		q.kept("Host", host, r.Host)
		q.kept("RemoteAddr", addr, r.RemoteAddr)
		q.kept("Method", method, r.Method)
		q.kept("Pattern", pattern, r.Pattern)
		q.kept("number of headers", len(header), len(r.Header))
		for k, v := range header {
			q.kept("header "+k, v, strings.Join(r.Header[k], "\x00"))
		}
	})
	q.keepBytes("the body", b, q.mark, q.coding, len(q.want))
	q.write(append([]byte(nil), b...))
}

// keptHeader writes to both header maps once the reply has arrived. No later request or reply may show it. hazard 176
func (q *request) keptHeader() {
	b := q.body()
	if b == nil {
		return
	}
	in, out := q.r.Header, q.w.Header()
	stain := q.mark
	stain.Kind = kindStain
	// A map written while the server still reads it would end the process, whoever's fault that is: so long after.
	wait := 2*time.Millisecond + q.soon()
	q.write(b)
	q.c.afterReply(q.mark, func() {
		q.c.later(wait, func() {
			in.Set("X-Soak-Stain", identType+stain.String())
			out.Set("X-Soak-Stain", identType+stain.String())
		})
	})
}

// panics ends its handler with a panic before the reply is whole. hazard 147
func (q *request) panics() {
	if q.rng.IntN(2) == 0 {
		q.body()
	}
	if k := q.rng.IntN(len(q.want) + 1); k < len(q.want) && q.rng.IntN(2) == 0 {
		q.reply()
		q.w.Header().Set("Content-Length", strconv.Itoa(len(q.want)))
		q.w.Write(q.want[:k])
		if q.rng.IntN(2) == 0 {
			http.NewResponseController(q.w).Flush()
		}
	}
	if q.rng.IntN(4) == 0 {
		panic("soak: a handler that panics")
	}
	panic(http.ErrAbortHandler)
}

// hijack takes the connection over, answers on it, closes it, and writes to it after that: the number of its
// descriptor may be another connection's by then. hazard 171
func (q *request) hijack() {
	b := q.body()
	if b == nil {
		return
	}
	conn, rw, err := http.NewResponseController(q.w).Hijack()
	if err != nil {
		o := outcome{mark: q.mark, what: "Hijack"}
		o.note(Damaged, "the connection cannot be hijacked: %v", err)
		q.find(&o)
		return
	}
	rw.WriteString("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: " + q.ident + "\r\nContent-Length: " + strconv.Itoa(len(b)) + "\r\n\r\n")
	rw.Write(b)
	rw.Flush() // the client may have gone
	conn.Close()
	stain := q.mark
	stain.Kind = kindStain
	n := 1 + q.rng.IntN(512)
	q.c.later(q.soon(), func() {
		p := q.c.run.keys.appendPayload(nil, stain, Binary, 0, n)
		if _, err := conn.Write(p); err == nil {
			o := outcome{mark: q.mark, what: "a hijacked connection"}
			o.note(Damaged, "a write after Close reported success")
			q.find(&o)
		}
		rw.Write(p)
		rw.Flush()
		conn.Close()
	})
}

// timesOut answers too late for its http.TimeoutHandler, and goes on writing. hazard 174
func (q *request) timesOut() {
	inner := func(w http.ResponseWriter, r *http.Request) {
		in := *q
		in.w, in.r = w, r
		b := in.body()
		if b == nil {
			return
		}
		pause(time.Duration(in.rng.IntN(12)) * time.Millisecond)
		in.write(b)
	}
	h := http.TimeoutHandler(http.HandlerFunc(inner), 6*time.Millisecond, q.mark.String())
	h.ServeHTTP(q.w, q.r)
}

// wrappedBody does to the body what middleware does. hazard 166
func (q *request) wrappedBody() {
	orig := q.r.Body
	switch q.rng.IntN(4) {
	case 0:
		q.r.Body = http.MaxBytesReader(q.w, orig, int64(len(q.want)))
	case 1:
		q.r.Body = io.NopCloser(io.TeeReader(orig, io.Discard))
	case 2:
		q.r.Body = struct {
			io.Reader
			io.Closer
		}{bufio.NewReader(orig), orig}
	case 3:
		q.r.Body = &twice{orig}
	}
	b := q.body()
	q.r.Body.Close()
	switch q.rng.IntN(3) {
	case 0:
		q.r.Body = nil
	case 1:
		q.r.Body = http.NoBody
	}
	if b != nil {
		q.write(b)
	}
}

// twice closes what it wraps twice, and reads it on after that.
type twice struct{ io.ReadCloser }

func (t *twice) Close() error {
	err := errors.Join(t.ReadCloser.Close(), t.ReadCloser.Close())
	t.Read(make([]byte, 1))
	return err
}

// unread answers without a look at the body, or after a look at its beginning. hazard 49
func (q *request) unread() {
	if q.rng.IntN(2) == 0 {
		p := make([]byte, 1+q.rng.IntN(64))
		n, _ := q.r.Body.Read(p) // an error leaves n bytes to check all the same
		q.lateBytes(p[:n])
	}
	q.write(q.want)
}
