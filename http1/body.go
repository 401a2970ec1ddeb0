package http1

import (
	"context"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/h1"
)

// body is a request's body as its handler sees it: a handle. hc is cut when the exchange
// ends; after that every Read fails, from any goroutine and for ever.
//
// A Read holds mu while it waits; so what a Write of the same handler must know is atomic. What
// an exchange asks of its body may be asked of nil: a request without one.
type body struct {
	whole  atomic.Bool  // read to its end
	broken atomic.Bool  // the input ended, was malformed, or took too long within it
	expect atomic.Bool  // a 100 is owed before the first read
	over   atomic.Bool  // it was longer than the limit: the connection ends with the response
	left   atomic.Int64 // bytes not read if the length was declared, else -1; stored under mu
	ex     *exchange    // never changed

	mu      sync.Mutex
	hc      *conn         // mu: nil once cut
	chunked *h1.Chunked   // mu: nil if the length was declared
	got     int64         // mu: bytes read
	limit   int64         // Server.MaxBodyBytes; never changed
	err     error         // mu: what every further Read returns
	waited  time.Duration // mu: how long reads have waited, for MinBodyRate
	paced   bool          // mu: MinBodyRate has set a read deadline
	closed  bool          // mu: by the handler

	answered bool       // hundred: the response has begun, or can no more
	hundred  sync.Mutex // held while the 100 is written, which waits for nothing
}

// Read reads the body: what is buffered, then the socket. It waits for more input without
// holding the event loop. After Close, and after the handler has returned, it returns
// http.ErrBodyReadAfterClose.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.hc == nil || b.closed:
		return 0, http.ErrBodyReadAfterClose
	case b.err != nil:
		return 0, b.err
	case len(p) == 0:
		return 0, nil
	}
	if b.expect.CompareAndSwap(true, false) {
		b.sendContinue()
	}
	n, err := b.read(p)
	b.got += int64(n)
	if b.limit > 0 && b.got > b.limit {
		n -= int(b.got - b.limit)
		b.got = b.limit
		err = &http.MaxBytesError{Limit: b.limit}
		b.over.Store(true)
	}
	b.err = err
	return n, err
}

// read returns at least one byte or an error. mu is held.
func (b *body) read(p []byte) (int, error) {
	for {
		n, err := b.readNow(p)
		if n > 0 || err != strand.ErrWouldBlock {
			return n, b.ended(err)
		}
		if err := b.wait(); err != nil {
			return 0, err
		}
	}
}

// ended turns the error of a read into the body's. mu is held.
func (b *body) ended(err error) error {
	switch err {
	case nil, strand.ErrWouldBlock:
		return nil
	case io.EOF:
		if b.whole.Load() {
			return io.EOF
		}
		err = io.ErrUnexpectedEOF
	}
	b.broken.Store(true)
	return err
}

// readNow reads what is there. mu is held.
func (b *body) readNow(p []byte) (int, error) {
	if b.chunked != nil {
		return b.readChunks(p)
	}
	left := b.left.Load()
	p = p[:min(int64(len(p)), left)]
	var n int
	var err error
	if in := b.hc.in; in != nil && in.Len() > 0 {
		n = copy(p, in.Data())
		in.Consume(n)
	} else {
		n, err = b.hc.c.Read(p)
	}
	b.left.Store(left - int64(n))
	if int64(n) == left {
		b.finished()
		return n, io.EOF
	}
	return n, err
}

// readChunks is readNow for a chunked body. Data is read from the socket straight into p;
// the framing between goes through the connection's Block. mu is held.
func (b *body) readChunks(p []byte) (int, error) {
	hc := b.hc
	total := 0
	for {
		if hc.in != nil && hc.in.Len() > 0 {
			n, used, done, err := b.chunked.DecodeInto(p[total:], hc.in.Data())
			hc.in.Consume(used)
			total += n
			if err != nil {
				return total, err
			}
			if done {
				b.trailers()
				b.finished()
				return total, io.EOF
			}
			if total == len(p) {
				return total, nil
			}
		}
		if direct := b.chunked.Direct(); direct > 0 {
			n, err := hc.c.Read(p[total:min(int64(len(p)), int64(total)+direct)])
			b.chunked.Advance(int64(n))
			return total + n, err
		}
		if total > 0 {
			return total, nil // the framing can wait for the next call
		}
		if err := hc.fill(); err != nil {
			return 0, err
		}
	}
}

// trailers hands the trailer section to the request. mu is held.
func (b *body) trailers() {
	fields := b.chunked.Trailer()
	if len(fields) == 0 {
		return
	}
	req := &b.ex.req
	if req.Trailer == nil {
		req.Trailer = make(http.Header, len(fields))
	}
	for _, f := range fields {
		req.Trailer[f.Name] = append(req.Trailer[f.Name], f.Value)
	}
}

// finished notes that the body has been read to its end. mu is held.
func (b *body) finished() {
	b.whole.Store(true)
	if b.hc.peerGone() || b.ex.life.gone.Load() {
		b.ex.ctx.cancel(context.Canceled)
	}
}

// wait waits for input. mu is held: who cuts the body ends the exchange's life first.
func (b *body) wait() error {
	paces := b.hc.scope.srv.MinBodyRate > 0
	var began time.Time
	if paces {
		began = time.Now()
		b.pace(began)
	}
	err := b.hc.c.WaitRead(&b.ex.life)
	if paces {
		b.waited += time.Since(began)
	}
	switch {
	case err == nil:
		return nil
	case err == errEnded:
		return http.ErrBodyReadAfterClose
	case os.IsTimeout(err):
		b.broken.Store(true)
	}
	return err
}

// pace sets the read deadline that the server's MinBodyRate asks for: what the client has sent pays for the
// time for which the handler has waited, and for no other. mu is held.
func (b *body) pace(now time.Time) {
	s := b.hc.scope.srv
	if b.hc.deadline {
		return
	}
	grace := s.bodyGrace
	if grace == 0 {
		grace = DefaultBodyGrace
	}
	life := &b.ex.life
	life.mu.Lock()
	defer life.mu.Unlock()
	if life.readSet { // the handler's own comes first
		return
	}
	b.paced = true
	b.hc.c.SetReadDeadline(now.Add(grace - b.waited + time.Duration(float64(b.got)/float64(s.MinBodyRate)*float64(time.Second))))
}

// Close says that the handler is done with the body. It does not wait for the rest of it.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// wholeRead reports whether there is nothing left to read. Any goroutine, without waiting.
func (b *body) wholeRead() bool { return b == nil || b.whole.Load() }

// isBroken reports whether the input ended, or was malformed, within the body.
func (b *body) isBroken() bool { return b != nil && b.broken.Load() }

// sendContinue sends the 100 that the client waits for, unless the response has begun. It does
// not ask the response, which is locked while a Write waits for a client that may be waiting
// for this Read. mu is held.
func (b *body) sendContinue() {
	b.hundred.Lock()
	defer b.hundred.Unlock()
	if b.answered {
		return
	}
	_, _ = b.hc.c.WriteString("HTTP/1.1 100 Continue\r\n\r\n") // an error shows in the read that follows
	_ = b.hc.c.Flush()
}

// answer says, before the response's head is written or its connection taken away, that it is too
// late for a 100.
func (b *body) answer() {
	if b == nil {
		return
	}
	b.hundred.Lock()
	defer b.hundred.Unlock()
	b.answered = true
}

// isOver reports whether more than MaxBodyBytes came. Any goroutine, without waiting.
func (b *body) isOver() bool { return b != nil && b.over.Load() }

// continued notes that the 100 has been sent.
func (b *body) continued() {
	if b != nil {
		b.expect.Store(false)
	}
}

// cut takes the connection from the body and returns what was not read of it, nil if
// nothing. Its budget is negative if it is not worth waiting for.
func (b *body) cut() *drain {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	hc := b.hc
	b.hc = nil
	if hc != nil && b.paced {
		hc.c.SetReadDeadline(time.Time{})
	}
	if hc == nil || b.whole.Load() {
		return nil
	}
	d := &drain{left: b.left.Load(), chunked: b.chunked, budget: maxDrain}
	if b.outlives() {
		d.budget = -1
	}
	return d
}

// outlives reports whether so much of the body is unread, or so little hope for it, that the
// connection ends with this response. Any goroutine, without waiting.
func (b *body) outlives() bool {
	if b.wholeRead() {
		return false
	}
	return b.expect.Load() || b.broken.Load() || b.left.Load() > maxDrain
}
