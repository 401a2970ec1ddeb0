package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/buf"
	"github.com/d74363f0/strand/internal/h1"
)

// Sizes of response writing, in bytes.
const (
	headGap    = 256      // for what headTail adds
	gatherMax  = 2 << 10  // a response this small gets its Content-Length; net/http has the same
	writePiece = 64 << 10 // what is queued at a time
	firstPiece = 32 << 10 // what of a large body goes with the head: the client reads it while we copy the rest
	sniffMax   = 512      // what http.DetectContentType looks at
)

// ending is what a response leaves behind.
type ending uint8

const (
	endKeep     ending = iota // the connection can go on
	endClose                  // it closes after this response
	endHijacked               // it is somebody else's
)

// response is a handler's http.ResponseWriter: a handle. hc is cut when the exchange ends;
// after that nothing is written, from any goroutine and for ever. It also is an
// http.Flusher, http.Hijacker, http.CloseNotifier, io.ReaderFrom and io.StringWriter, and
// has what http.ResponseController looks for.
type response struct {
	ex *exchange // never changed

	taking  sync.Mutex // held, before mu, while the connection is taken away
	mu      sync.Mutex
	hc      *conn       // mu: nil once cut or hijacked
	header  http.Header // mu: the handler's; made when asked for
	out     *buf.Block  // mu: the head without its last lines, a gap for them, gathered body
	headLen int         // mu: bytes of head in out
	bodyAt  int         // mu: where the gathered body begins in out
	length  int64       // mu: declared, or -1
	written int64       // mu: bytes of body accepted from the handler
	more    *resExtra   // mu: what few responses need; see rare
	werr    error       // mu: what ended the writing

	status   int  // mu: 0 until WriteHeader
	minor    int8 // of the request
	isHead   bool // the method is HEAD
	done     bool // mu: the handler has returned
	sent     bool // mu: the head has been sent
	chunking bool // mu
	hijacked bool // mu
	close    bool // mu: the connection ends after this response
	keep10   bool // the client is HTTP/1.0 and wants to keep the connection

	has headHas // mu: what the handler's header has
}

// resExtra is what is made for a response that needs it. mu guards it.
type resExtra struct {
	trailers []string // announced
	connHdr  string   // the handler's Connection header
	codings  string   // the handler's Transfer-Encoding, without chunked and identity
	small    [24]byte // the size line of a chunk
	logs     []string // lines for the server's ErrorLog: see unlock
}

// rare returns the part of a response that few need. mu is held.
func (w *response) rare() *resExtra {
	if w.more == nil {
		w.more = new(resExtra)
	}
	return w.more
}

// connHdr returns the handler's Connection header. mu is held.
func (w *response) connHdr() string {
	if w.more == nil {
		return ""
	}
	return w.more.connHdr
}

// headHas says which fields the handler has set, as found when its header was written.
type headHas uint8

const (
	hasType headHas = 1 << iota
	hasEncoding
	hasTE
	hasIdentity
	hasDate
	hasConnection
	hasTrailers
	hasLength
)

func (w *response) open(hc *conn, ex *exchange, r *h1.Request) {
	w.ex, w.hc = ex, hc
	w.length = -1
	w.minor = int8(r.Minor)
	w.isHead = r.Method == "HEAD"
	w.keep10 = r.Minor == 0 && r.KeepAlive
	w.close = r.Close
	if r.Method == "CONNECT" { // what follows may be the tunnel's
		w.close, w.keep10 = true, false
	}
	if d := hc.scope.srv.WriteTimeout; d > 0 {
		ex.life.writeBy.Store(nanos(time.Now().Add(d)))
	}
}

// Header returns the map that WriteHeader will send. After the handler has returned it is a
// map that nobody reads.
func (w *response) Header() http.Header {
	w.mu.Lock()
	defer w.unlock()
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}

// WriteHeader fixes the status and the header, as net/http. A 1xx other than 101 is sent at
// once and may be followed by more.
func (w *response) WriteHeader(code int) {
	w.mu.Lock()
	defer w.unlock()
	switch {
	case w.hijacked:
		w.complain("http: response.WriteHeader on hijacked connection from %s (%s:%d)")
		return
	case w.hc == nil:
		return
	case w.status != 0:
		w.complain("http: superfluous response.WriteHeader call from %s (%s:%d)")
		return
	}
	w.writeHeader(code)
}

// unlock gives mu back and then logs what there was to log meanwhile: the logger is the user's, and may
// write to this very response, or wait for one who does.
func (w *response) unlock() {
	var logs []string
	if w.more != nil {
		logs, w.more.logs = w.more.logs, nil
	}
	w.mu.Unlock()
	for _, line := range logs {
		w.ex.ctx.hc.scope.srv.logf("%s", line)
	}
}

// logf has a line logged when mu is given back. mu is held.
func (w *response) logf(format string, args ...any) {
	x := w.rare()
	x.logs = append(x.logs, fmt.Sprintf(format, args...))
}

// complain logs which code of the user misused the response. mu is held.
func (w *response) complain(format string) {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "github.com/d74363f0/strand/http1.(*response)") && !strings.HasPrefix(f.Function, "net/http.") || !more {
			w.logf(format, f.Function, path.Base(f.File), f.Line)
			return
		}
	}
}

// Write sends part of the body. It takes what net/http's takes, returns http.ErrBodyNotAllowed,
// http.ErrContentLength and http.ErrHijacked as that does, and waits, without holding the
// event loop, while the client does not read. p is the caller's again when it returns.
func (w *response) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.unlock()
	if err := w.begin(len(p)); err != nil || len(p) == 0 {
		return 0, err
	}
	return w.body(p)
}

// WriteString is Write for a string.
func (w *response) WriteString(s string) (int, error) {
	w.mu.Lock()
	defer w.unlock()
	if err := w.begin(len(s)); err != nil || s == "" {
		return 0, err
	}
	if w.gathers(len(s)) {
		return w.gatherString(s), nil
	}
	// The pieces are copies: a slice over a string would let somebody change it.
	n := 0
	for n < len(s) {
		k, err := w.body([]byte(s[n:min(len(s), n+writePiece)]))
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// begin is what every write of n bytes begins with. mu is held.
func (w *response) begin(n int) error {
	switch {
	case w.hijacked:
		if n > 0 {
			w.complain("http: response.Write on hijacked connection from %s (%s:%d)")
		}
		return http.ErrHijacked
	case w.hc == nil:
		return ErrResponseDone
	}
	if w.status == 0 {
		w.writeHeader(http.StatusOK)
	}
	if n == 0 {
		return nil
	}
	if !bodyAllowed(w.status) {
		return http.ErrBodyNotAllowed
	}
	// What is too much is refused and otherwise forgotten (hazard 52): the response has its length all the same, and a
	// connection that was closed for it would lose the answers to what was pipelined behind.
	if w.length >= 0 && w.written+int64(n) > w.length {
		return http.ErrContentLength
	}
	w.written += int64(n)
	return w.werr
}

// gathered returns the body bytes that are kept for now. mu is held.
func (w *response) gathered() []byte {
	if w.out == nil {
		return nil
	}
	return w.out.Data()[w.bodyAt:]
}

// gathers reports whether n more bytes are kept for now. mu is held.
func (w *response) gathers(n int) bool { return len(w.gathered())+n <= gatherMax }

func (w *response) gatherString(s string) int {
	w.room(len(s))
	n := copy(w.out.Tail(), s)
	w.out.Advance(n)
	return n
}

// room makes place for n bytes behind what is in w.out. mu is held.
func (w *response) room(n int) {
	if w.out == nil {
		w.out = buf.Take(w.hc.c.ID(), max(n, gatherMax))
		return
	}
	if len(w.out.Tail()) >= n {
		return
	}
	next := buf.Take(w.hc.c.ID(), w.out.Len()+max(n, gatherMax))
	next.Append(w.out.Data())
	w.out.Release()
	w.out = next
}

// body takes bytes of the body: gathers them, or sends what was gathered and them. mu is held.
func (w *response) body(p []byte) (int, error) {
	if w.gathers(len(p)) {
		w.room(len(p))
		return w.out.Append(p), nil
	}
	n := 0
	for {
		size := writePiece
		if !w.sent && !w.isHead && len(p) > 2*writePiece {
			size = firstPiece
		}
		piece := p[n:min(len(p), n+size)]
		if err := w.send(piece, false); err != nil {
			return n, err
		}
		if n += len(piece); n == len(p) {
			return n, nil
		}
		if !w.chunking && !w.isHead && len(p)-n > writePiece {
			k, err := w.large(p[n:])
			return n + k, err
		}
	}
}

// large writes much of a body that needs no framing, with nothing of it copied but its end.
// mu is held.
func (w *response) large(p []byte) (int, error) {
	if w.werr != nil {
		return 0, w.werr
	}
	if err := w.ex.life.expired(); err != nil {
		return 0, w.failed(err)
	}
	n := 0
	err := w.waitProgress(func(ctx context.Context) (progress bool, err error) {
		k, err := w.hc.c.WriteAll(ctx, p[n:])
		n += k
		return k > 0, err
	})
	if err != nil {
		err = w.failed(err)
	}
	return n, err
}

// What ends a chunk, and a chunked body.
var (
	crlf      = []byte("\r\n")
	crlfLast  = []byte("\r\n0\r\n\r\n")
	last      = crlfLast[2:]
	crlfTrail = crlfLast[:5]
	lastTrail = crlfLast[2:5]
)

// send sends the head if it is still here, what was gathered, and p; with end, also what
// ends the response. mu is held.
func (w *response) send(p []byte, end bool) error {
	if w.werr != nil {
		return w.werr
	}
	gathered := w.gathered()
	var head, tail []byte
	if !w.sent {
		w.sent = true
		// The last lines go into the gap that writeHeader left; should they not fit, append
		// finds them another place.
		data := w.out.Data()
		head = data[:w.headLen]
		tail = w.headTail(data[w.headLen:w.headLen:w.bodyAt], gathered, p)
		if len(p) == 0 && !w.chunking && &tail[0] == &data[w.headLen] {
			return w.sendOut(len(tail))
		}
	} else {
		tail = w.rare().small[:0]
	}
	if w.isHead {
		gathered, p = nil, nil
	}
	var after, trailer []byte
	if n := len(gathered) + len(p); w.chunking && n > 0 {
		tail = h1.AppendChunkSize(tail, n)
		after = crlf
	}
	if end && w.chunking {
		trailer = w.appendTrailers(nil)
		after = chunkedEnd(len(after) > 0, len(trailer) > 0)
	}
	err := w.writev(head, tail, gathered, p, after, trailer)
	if w.out != nil {
		w.out.Release()
		w.out, w.headLen, w.bodyAt = nil, 0, 0
	}
	return err
}

// sendOut gives the connection all of w.out, closed up: the head, the n bytes of its last lines
// in the gap, and what was gathered behind. mu is held.
func (w *response) sendOut(n int) error {
	w.out.Cut(w.headLen+n, w.bodyAt)
	if w.isHead {
		w.out.Cut(w.headLen+n, w.out.Len())
	}
	w.bodyAt = w.out.Len() // nothing is gathered any more
	err := w.whenRoom(func(c *strand.Conn) error { return buf.Send(c, w.out) })
	if err != nil {
		w.out.Release()
	}
	w.out, w.headLen, w.bodyAt = nil, 0, 0
	return err
}

// chunkedEnd returns what ends a chunked body, behind a chunk or not, before a trailer section
// or not.
func chunkedEnd(chunk, trailer bool) []byte {
	switch {
	case chunk && trailer:
		return crlfTrail
	case chunk:
		return crlfLast
	case trailer:
		return lastTrail
	}
	return last
}

// writev queues the pieces as one unit, after waiting for room. mu is held.
func (w *response) writev(head, tail, gathered, p, after, trailer []byte) error {
	return w.whenRoom(func(c *strand.Conn) error {
		_, err := c.Writev(head, tail, gathered, p, after, trailer)
		return err
	})
}

// whenRoom calls write, again whenever there is room for what it refused. mu is held.
func (w *response) whenRoom(write func(*strand.Conn) error) error {
	c := w.hc.c
	for {
		if err := w.ex.life.expired(); err != nil {
			return w.failed(err)
		}
		err := write(c)
		if err == nil {
			return nil
		}
		if err != strand.ErrQueueFull {
			return w.failed(err)
		}
		if err = w.waitWrite(c); err != nil {
			return w.failed(err)
		}
	}
}

// waitWrite waits until the client has read, or took nothing for the server's
// WriteProgressTimeout. mu is held: who cuts the response ends the exchange's life first.
func (w *response) waitWrite(c *strand.Conn) error {
	return w.waitProgress(func(ctx context.Context) (progress bool, err error) {
		before := c.Buffered()
		err = c.WaitWrite(ctx)
		return c.Buffered() < before, err
	})
}

// waitProgress calls wait until it returns without an error, or with one that is not the
// passing of the progress timeout, or without progress. mu is held.
func (w *response) waitProgress(wait func(context.Context) (progress bool, err error)) error {
	d := w.hc.scope.srv.writeProgressTimeout()
	acked := w.hc.c.BytesAcked()
	for {
		var parent context.Context = &w.ex.life
		if w.done {
			parent = context.Background() // the last write
		}
		ctx := patience{life: &w.ex.life, parent: parent, limit: d}
		progress, err := wait(&ctx)
		ctx.end()
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errEnded):
			return ErrResponseDone
		case w.ex.life.expired() != nil:
			return os.ErrDeadlineExceeded
		case errors.Is(err, context.Canceled): // the deadline was changed
		case !errors.Is(err, context.DeadlineExceeded):
			return err
		case !progress:
			was := acked
			if acked = w.hc.c.BytesAcked(); acked == was { // what the client takes, the kernel need not have room for yet
				return os.ErrDeadlineExceeded
			}
		}
	}
}

// failed records that nothing more can be written. mu is held.
func (w *response) failed(err error) error {
	w.werr = err
	w.close = true
	if !w.done {
		w.ex.ctx.cancel(context.Canceled) // as net/http
	}
	return err
}

// Flush sends what has been written so far.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is Flush with the error that keeps the response from being sent.
func (w *response) FlushError() error {
	w.mu.Lock()
	defer w.unlock()
	switch {
	case w.hijacked:
		return http.ErrHijacked
	case w.hc == nil:
		return ErrResponseDone
	}
	if w.status == 0 {
		w.writeHeader(http.StatusOK)
	}
	if w.werr != nil {
		return w.werr
	}
	if w.out != nil {
		if err := w.send(nil, false); err != nil {
			return err
		}
	}
	return w.hc.c.Flush()
}

// end completes the response once the handler has returned, and cuts the handle.
func (w *response) end(hc *conn) ending {
	w.mu.Lock()
	defer w.unlock()
	if w.hijacked {
		return endHijacked
	}
	w.done = true
	if w.status == 0 {
		code := http.StatusOK
		if w.ex.body.isBroken() {
			code = http.StatusBadRequest // the handler has not seen a whole request (hazard 27)
		}
		w.writeHeader(code)
	}
	if w.out != nil || w.chunking {
		_ = w.send(nil, true) // recorded in werr
	}
	w.cut()
	hc.bound(w.ex.life.writeBy.Load())
	short := w.length >= 0 && w.written != w.length && !w.isHead && bodyAllowed(w.status)
	if w.close || w.ex.body.isOver() || short || w.werr != nil || w.status == http.StatusSwitchingProtocols {
		return endClose
	}
	return endKeep
}

// abandon cuts the handle of a handler that did not return, and reports whether it had
// hijacked the connection. What it had only begun to gather is not sent.
func (w *response) abandon() (hijacked bool) {
	w.mu.Lock()
	defer w.unlock()
	w.cut()
	return w.hijacked
}

// cut takes the connection, and the handler's header map, from the handle. mu is held.
func (w *response) cut() {
	w.hc = nil
	w.header = nil
	w.ex.body.answer()
	if w.out != nil {
		w.out.Release()
		w.out = nil
	}
}

// CloseNotify returns a channel that receives a value when the client has gone. It is
// deprecated in favour of Request.Context.
func (w *response) CloseNotify() <-chan bool {
	ch := make(chan bool, 1)
	w.ex.ctx.AfterFunc(func() { ch <- true })
	return ch
}

// SetReadDeadline bounds the reads of the request's body, one that waits included.
func (w *response) SetReadDeadline(t time.Time) error {
	return w.ex.life.setRead(w.ex.ctx.hc.c, t)
}

// SetWriteDeadline bounds the writes of the response, one that waits included.
func (w *response) SetWriteDeadline(t time.Time) error { return w.ex.life.setWrite(t) }

// EnableFullDuplex has nothing to do: reading the body after the response has begun always
// works.
func (w *response) EnableFullDuplex() error { return nil }

// ReadFrom writes what src has, from the file's pages to the socket if src is a file, or an
// io.LimitedReader of one, and the response's length was declared.
func (w *response) ReadFrom(src io.Reader) (int64, error) {
	n, more, err := w.sniffFrom(src)
	if !more {
		return n, err
	}
	if f, size, ok := fileOf(src); ok {
		k, err, ok := w.sendFile(f, size)
		if ok {
			if lr, ok := src.(*io.LimitedReader); ok {
				lr.N -= k
			}
			return n + k, err
		}
	}
	k, err := io.CopyBuffer(struct{ io.Writer }{w}, src, make([]byte, 32<<10))
	return n + k, err
}

// sniffFrom copies what is needed to detect the content type. A source that fails at once, or has
// nothing, has not begun the response, so that it can still become another one; any error of the
// source is the caller's, io.ErrUnexpectedEOF too: a body that was cut short must not look whole.
func (w *response) sniffFrom(src io.Reader) (n int64, more bool, err error) {
	w.mu.Lock()
	sent := w.sent
	w.unlock()
	if sent {
		return 0, true, nil
	}
	n, err = io.CopyBuffer(struct{ io.Writer }{w}, io.LimitReader(src, sniffMax), make([]byte, sniffMax))
	return n, err == nil && n == sniffMax, err
}

// fileOf returns the regular file that src reads, and how many bytes of it.
func fileOf(src io.Reader) (f *os.File, size int64, ok bool) {
	limit := int64(1<<63 - 1)
	if lr, isLimited := src.(*io.LimitedReader); isLimited {
		src, limit = lr.R, lr.N
	}
	if f, ok = src.(*os.File); !ok {
		return nil, 0, false
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, 0, false
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil || at >= info.Size() {
		return nil, 0, false
	}
	return f, min(limit, info.Size()-at), true
}

// sendFile sends size bytes of a file if the response has a declared length and room for
// them; ok is false if not.
func (w *response) sendFile(f *os.File, size int64) (n int64, err error, ok bool) {
	w.mu.Lock()
	defer w.unlock()
	if w.hc == nil || w.hijacked || w.status == 0 || w.isHead || w.length < 0 || w.written+size > w.length ||
		!bodyAllowed(w.status) || w.werr != nil {
		return 0, nil, false
	}
	if w.out != nil {
		if err := w.send(nil, false); err != nil {
			return 0, err, true
		}
		if w.chunking { // the handler's Transfer-Encoding took the place of its length
			return 0, nil, false
		}
	}
	err = w.waitProgress(func(ctx context.Context) (bool, error) {
		k, err := w.hc.c.SendFile(ctx, f, size-n)
		n += k
		return k > 0, err
	})
	w.written += n
	if err != nil {
		err = w.failed(err)
	}
	return n, err, true
}

// Hijack gives the connection to the caller, as net/http: a blocking net.Conn and a bufio
// pair whose reader holds what had been read already.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, early, err := w.takeNetConn()
	if err != nil {
		return nil, nil, err
	}
	br := bufio.NewReader(nc)
	if early > 0 {
		br = bufio.NewReaderSize(nc, max(early, 4<<10))
		if _, err := br.Peek(early); err != nil {
			return nil, nil, err
		}
	}
	return nc, bufio.NewReadWriter(br, bufio.NewWriter(nc)), nil
}

// takeNetConn takes the connection as a net.Conn, which first returns the early bytes that
// were read and not consumed.
func (w *response) takeNetConn() (nc net.Conn, early int, err error) {
	w.taking.Lock()
	defer w.taking.Unlock()
	c, rest, err := w.takeConn(false)
	if err != nil {
		return nil, 0, err
	}
	c.Unread(rest)
	return c.NetConn(), len(rest), nil
}

// awaitTaken waits for a goroutine of the handler that is still taking the connection away.
// The strand calls it before it goes on beside the new owner.
func (w *response) awaitTaken() {
	w.taking.Lock()
	defer w.taking.Unlock()
}

// HijackStrand gives the connection to the caller as a strand.Conn, with what had been read
// already given back to it. The caller sets a Handler of its own and returns from the
// handler. It is for protocols that go on without a goroutine.
func (w *response) HijackStrand() (*strand.Conn, error) {
	w.taking.Lock()
	defer w.taking.Unlock()
	c, rest, err := w.takeConn(true)
	if err != nil {
		return nil, err
	}
	c.Unread(rest)
	return c, nil
}

// takeConn takes the connection away from the server. What was read and not consumed comes
// with it. taking is held.
func (w *response) takeConn(events bool) (*strand.Conn, []byte, error) {
	w.mu.Lock()
	switch {
	case w.hijacked:
		w.unlock()
		return nil, nil, http.ErrHijacked
	case w.hc == nil:
		w.unlock()
		return nil, nil, ErrResponseDone
	}
	hc := w.hc
	if w.sent {
		w.close = true
	} else if w.out != nil {
		_ = w.send(nil, false) // as net/http: what was written before goes out
	}
	w.cut()
	w.hijacked = true
	w.unlock()
	w.ex.life.end()
	w.ex.body.cut()
	return hc.c, hc.giveUp(events), nil
}

// giveUp makes the connection somebody else's and returns its unread input.
func (hc *conn) giveUp(events bool) []byte {
	hc.clearDeadline()
	hc.c.SetReadDeadline(time.Time{})
	hc.c.SetIdleTimeout(0)
	hc.c.SetWriteTimeout(0)
	hc.c.SetTimer(0)
	if events {
		hc.c.SetMaxQueued(strandMaxQueued)
	}
	var rest []byte
	if hc.in != nil {
		rest = append(rest, hc.in.Data()...)
	}
	hc.release()
	hc.cur.Store(nil) // a client that goes away no longer concerns the request's context
	hc.mode = modeHijacked
	hc.scope.srv.leave(hc) // first: the hook is the user's, and may wait for Shutdown, or panic
	hc.setState(http.StateHijacked)
	return rest
}

// strandMaxQueued is what the engine gives a connection unless told otherwise.
const strandMaxQueued = 1 << 20
