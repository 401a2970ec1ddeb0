package soak

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A checker is the handler side of our own server. It knows the seed, so it can tell of every request what it has to
// be, and it knows which connection each client address is.
type checker struct {
	run   *run
	mux   *http.ServeMux
	conns sync.Map // client address → owners
	keep  keeper

	slots chan struct{} // holds one for each goroutine that outlives its handler on purpose, and bounds them

	mu   sync.Mutex
	then map[Mark]func() // guarded by mu; what is to be done once the client has the whole reply
}

const maxLate = 4096

func newChecker(r *run) *checker {
	c := &checker{run: r, slots: make(chan struct{}, maxLate), then: map[Mark]func(){}}
	c.mux = http.NewServeMux()
	c.mux.HandleFunc("/echo", c.with((*request).echo))
	c.mux.HandleFunc("/ws", c.with((*request).webSocket))
	c.mux.HandleFunc("/stats", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(r.stats()) // a client that has gone needs no figures
	})
	for path, h := range hostileHandlers {
		c.mux.HandleFunc("/hostile/"+path, c.with(h))
	}
	return c
}

// owners are the connection that has an address, and the one that had it before. A port is used again as soon as its
// connection was reset, and the handler of a request that came before the reset may still have to run.
type owners struct{ now, before Mark }

func (o owners) has(m Mark) bool { return o.now.SameConn(m) || o.before.SameConn(m) }

// connected is told of a connection before its first byte is sent.
func (c *checker) connected(addr string, m Mark) {
	o := owners{now: m, before: m}
	if at, ok := c.conns.Load(addr); ok {
		o.before = at.(owners).now
	}
	c.conns.Store(addr, o)
}

// replied is told that the client has the whole reply to m.
func (c *checker) replied(m Mark) {
	c.mu.Lock()
	f := c.then[m]
	delete(c.then, m)
	c.mu.Unlock()
	if f != nil {
		f()
	}
}

// afterReply has f run when the client has the whole reply, or at the end of the run.
func (c *checker) afterReply(m Mark, f func()) {
	c.mu.Lock()
	c.then[m] = f
	c.mu.Unlock()
}

// later runs f on a goroutine of its own after d, unless there are too many such already.
func (c *checker) later(d time.Duration, f func()) {
	select {
	case c.slots <- struct{}{}:
	default:
		return
	}
	go func() {
		defer func() { <-c.slots }()
		pause(d)
		f()
	}()
}

// pause waits for d; for the shortest it only lets others go first, which a timer could not do in time.
func pause(d time.Duration) {
	if d < 20*time.Microsecond {
		for range int(d / time.Microsecond) {
			runtime.Gosched()
		}
		return
	}
	time.Sleep(d)
}

// finish waits for the late goroutines and compares everything that is still kept.
func (c *checker) finish() {
	c.mu.Lock()
	then := c.then
	c.then = map[Mark]func(){}
	c.mu.Unlock()
	for _, f := range then {
		f()
	}
	// All slots taken is nobody left. A handler of a hijacked connection may still run and ask for one, which is why
	// this is no WaitGroup: its Add must not race its Wait.
	for range cap(c.slots) {
		c.slots <- struct{}{}
	}
	for range cap(c.slots) {
		<-c.slots
	}
	c.keep.checkAll()
}

// A request is one request as its handler sees it, with what it has to be.
type request struct {
	c      *checker
	w      http.ResponseWriter
	r      *http.Request
	mark   Mark
	coding Coding
	want   []byte
	ident  string
	rng    *rand.Rand // decides what the handler does; a function of the mark
}

func (c *checker) with(h func(*request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := &request{c: c, w: w, r: r}
		if !q.admit() {
			http.Error(w, "not a request of this soak", http.StatusBadRequest)
			return
		}
		h(q)
	}
}

// find files a finding of the handler's side.
func (q *request) find(o *outcome) {
	if o.class == Good {
		return
	}
	q.c.run.tally[q.mark.Kind].class[o.class].Add(1)
	f := q.c.run.finding(o, "handler", q.mark.Kind)
	f.Local = q.r.RemoteAddr
	q.c.run.book.add(f)
}

// admit checks that everything in the request's head belongs to one request, and that one to this connection.
func (q *request) admit() bool {
	r := q.r
	f := strings.Fields(r.Header.Get("X-Soak"))
	if len(f) != 3 {
		return false
	}
	m, ok := parseMark(f[0])
	coding, err1 := strconv.ParseUint(f[1], 10, 8)
	n, err2 := strconv.ParseUint(f[2], 10, 24)
	if !ok || err1 != nil || err2 != nil || coding >= uint64(codings) {
		o := outcome{mark: m, what: "X-Soak: " + r.Header.Get("X-Soak")}
		o.note(Damaged, "the request's mark cannot be read")
		q.find(&o)
		return false
	}
	q.mark, q.coding, q.ident = m, Coding(coding), identType+m.String()
	q.rng = rand.New(rand.NewPCG(q.c.run.cfg.Seed^uint64(m.Worker)<<48, uint64(m.Conn)<<32|uint64(m.Seq)))
	q.want = q.c.run.keys.appendPayload(nil, m, q.coding, 0, int(n))
	o := outcome{mark: m, what: r.Method + " " + r.RequestURI}
	q.head(&o)
	q.find(&o)
	q.c.run.tally[m.Kind].handler.Add(1)
	return true
}

var headersOfOurs = map[string]bool{
	"X-Soak": true, "X-Soak-Pad": true, "Content-Type": true, "Content-Length": true, "Connection": true, "Upgrade": true,
	"Sec-Websocket-Version": true, "Sec-Websocket-Key": true, "Sec-Websocket-Extensions": true,
}

func (q *request) head(o *outcome) {
	r, m := q.r, q.mark
	if at, ok := q.c.conns.Load(r.RemoteAddr); !ok {
		o.note(Foreign, "came in on a connection of nobody (%s)", r.RemoteAddr)
	} else if at := at.(owners); !at.has(m) {
		o.note(Foreign, "came in on the connection of %v (%s)", at.now, r.RemoteAddr)
	}
	if id := r.URL.Query().Get("id"); id != m.String() {
		o.note(Foreign, "its query is that of %q", id)
	}
	if r.Host != q.c.run.host {
		o.note(Damaged, "its Host is %q", r.Host)
	}
	for k, v := range r.Header {
		if !headersOfOurs[k] {
			o.note(Foreign, "a header that was never sent: %s: %q", k, v)
		}
	}
	if kinds[m.Kind].ws {
		return
	}
	if r.Method != http.MethodPost {
		o.note(Damaged, "its method is %q", r.Method)
	}
	if ct := r.Header.Get("Content-Type"); ct != q.ident {
		o.ident(m, "Content-Type", ct)
	}
	if r.ContentLength != int64(len(q.want)) && r.ContentLength != -1 {
		o.note(Damaged, "its ContentLength is %d, not %d", r.ContentLength, len(q.want))
	}
	pad := m
	pad.Kind = kindPad
	if want := q.c.run.keys.appendPayload(nil, pad, Hex, 0, padding(m)); string(want) != r.Header.Get("X-Soak-Pad") {
		o.note(Damaged, "its X-Soak-Pad is %.40q", r.Header.Get("X-Soak-Pad"))
	}
}

// body reads the request's body with reads of different sizes and checks it. It returns nil if the client gave up.
func (q *request) body() []byte {
	buf := make([]byte, 0, len(q.want)+512)
	for {
		k := 1 + q.rng.IntN(cap(buf)-len(buf))
		n, err := q.r.Body.Read(buf[len(buf) : len(buf)+k])
		buf = buf[:len(buf)+n]
		if err != nil || len(buf) > len(q.want)+256 {
			return q.checkBody(buf, err)
		}
	}
}

func (q *request) checkBody(b []byte, err error) []byte {
	want, gone := q.want, err != nil && !errors.Is(err, io.EOF)
	if gone {
		want = want[:min(len(b), len(want))] // the client reset: what came has to be the beginning
	}
	if string(b) != string(want) {
		o := outcome{mark: q.mark, coding: q.coding, body: b, what: "the request's body", expected: &expect{want: want}}
		j := q.c.run.judgeFor(q.mark)
		o.verdict = j.judge(q.mark, q.coding, want, b)
		q.find(&o)
	}
	if gone {
		return nil
	}
	return b
}

// reply starts the reply to q.
func (q *request) reply() {
	q.w.Header().Set("Content-Type", q.ident)
	q.w.Header().Set("X-Soak-Reply", q.ident)
}

// write sends the whole reply: with a length or in chunks, in one piece or several.
func (q *request) write(b []byte) {
	q.reply()
	if q.rng.IntN(2) == 0 {
		q.w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	}
	for range q.rng.IntN(4) {
		k := q.rng.IntN(len(b) + 1)
		if _, err := q.w.Write(b[:k]); err != nil {
			return
		}
		if q.rng.IntN(4) == 0 {
			http.NewResponseController(q.w).Flush() // not every writer can, and none has to
		}
		b = b[k:]
	}
	q.w.Write(b) // the client may have gone
}

// echo is the well-behaved handler: small bodies as a whole, large ones while they come.
func (q *request) echo() {
	if len(q.want) > 64<<10 && http.NewResponseController(q.w).EnableFullDuplex() == nil {
		q.stream()
		return
	}
	if b := q.body(); b != nil {
		q.write(b)
	}
}

func (q *request) stream() {
	q.reply()
	buf := make([]byte, 16<<10)
	var all []byte
	for {
		n, err := q.r.Body.Read(buf)
		all = append(all, buf[:n]...)
		if n > 0 {
			if _, werr := q.w.Write(buf[:n]); werr != nil {
				q.checkBody(all, werr)
				return
			}
		}
		if err != nil || len(all) > len(q.want)+256 {
			if q.checkBody(all, err) == nil {
				panic(http.ErrAbortHandler) // half a body must not look like a whole one
			}
			return
		}
	}
}

// A keeper holds on to things handlers kept and compares them later, the oldest first.
type keeper struct {
	mu    sync.Mutex
	queue []func() // guarded by mu
}

const maxKept = 4096

// add keeps check for a while: it is run when so many newer ones have come, or at the end.
func (k *keeper) add(check func()) {
	k.mu.Lock()
	k.queue = append(k.queue, check)
	var old []func()
	if len(k.queue) > maxKept {
		half := len(k.queue) / 2
		old = append(old, k.queue[:half]...)
		k.queue = append(k.queue[:0:0], k.queue[half:]...)
	}
	k.mu.Unlock()
	for _, f := range old {
		f()
	}
}

func (k *keeper) checkAll() {
	k.mu.Lock()
	old := k.queue
	k.queue = nil
	k.mu.Unlock()
	for _, f := range old {
		f()
	}
}

// kept files a finding about something that changed while it was kept.
func (q *request) kept(what string, was, is any) {
	if a, b := fmt.Sprint(was), fmt.Sprint(is); a != b {
		o := outcome{mark: q.mark, what: what}
		o.note(Foreign, "%s was %.200q when the handler ran and is %.200q now", what, a, b)
		q.find(&o)
	}
}

// keepBytes compares b, which the handler kept, with the message it has to be, some time later.
func (q *request) keepBytes(what string, b []byte, m Mark, c Coding, n int) {
	q.c.keep.add(func() {
		want := q.c.run.keys.appendPayload(nil, m, c, 0, n)
		if string(want) == string(b) {
			return
		}
		o := outcome{mark: m, coding: c, body: b, what: what + ", kept by the handler", expected: &expect{want: want}}
		j := q.c.run.judgeFor(m)
		o.verdict = j.judge(m, c, want, b)
		q.find(&o)
	})
}
