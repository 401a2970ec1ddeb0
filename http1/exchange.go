package http1

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/buf"
	"github.com/d74363f0/strand/internal/h1"
)

// exchange is one request and its response: everything about them that a handler can reach,
// in one allocation. It is garbage when nobody names it any more and never used again, so
// that a handler may keep any part of it for ever.
type exchange struct {
	req  http.Request
	url  url.URL
	ctx  requestCtx
	life lifeCtx
	res  response
	body *body // nil if the request has none
}

// blank is where the unexported fields of a new request come from.
var blank http.Request

// serve parses a head, runs the handler and finishes the exchange. It reports whether the
// connection may go on with the next request now.
func (hc *conn) serve(head string) bool {
	ex, err := hc.parse(head)
	if err != nil {
		return hc.refuse(err)
	}
	hc.cur.Store(ex)
	hc.setState(http.StateActive)
	if ex.body == nil && hc.peerGone() {
		ex.hangup()
	}
	if !hc.call(ex) {
		return false
	}
	return hc.finish(ex)
}

// parse makes the exchange of a head. It is a call of its own so that what it needs on the
// stack is not beneath the handler, which would have a goroutine's small stack grow.
//
//go:noinline
func (hc *conn) parse(head string) (*exchange, error) {
	var array [24]h1.Field
	r, fields, err := h1.ParseRequest(head, array[:])
	if err != nil {
		return nil, err
	}
	ex := new(exchange)
	if err := h1.ParseTarget(r.Method, r.Target, &ex.url); err != nil {
		return nil, err
	}
	if limit := hc.scope.srv.MaxBodyBytes; limit > 0 && r.ContentLength > limit {
		return nil, errBodyTooLarge
	}
	ex.open(hc, &r, fields)
	return ex, nil
}

func (hc *conn) refuse(err error) bool {
	hc.setState(http.StateActive)
	hc.reject(err.(*h1.Error)) // the grammar has no other errors
	return false
}

// open fills the exchange in from a parsed head.
func (ex *exchange) open(hc *conn, r *h1.Request, fields []h1.Field) {
	ex.ctx.open(hc.baseContext(), hc)
	ex.req = *blank.WithContext(&ex.ctx)
	req := &ex.req
	req.Method, req.RequestURI, req.URL = r.Method, r.Target, &ex.url
	req.Proto, req.ProtoMajor, req.ProtoMinor = "HTTP/1.1", 1, r.Minor
	if r.Minor == 0 {
		req.Proto = "HTTP/1.0"
	}
	if req.Host = ex.url.Host; req.Host == "" {
		req.Host = r.Host
	}
	req.Header = ex.header(fields)
	req.RemoteAddr = hc.remoteAddr()
	req.TLS = hc.tlsState()
	req.Close = r.Close
	ex.openBody(hc, r)
	ex.res.open(hc, ex, r)
}

// header makes the map of the header fields. Each value is a slice of its own capacity, so
// that appending to one cannot reach another (hazard 177).
func (ex *exchange) header(fields []h1.Field) http.Header {
	h := make(http.Header, len(fields))
	values := make([]string, len(fields))
	for i := range fields {
		f := &fields[i]
		if old, ok := h[f.Name]; ok {
			h[f.Name] = append(old, f.Value)
			continue
		}
		values[i] = f.Value
		h[f.Name] = values[i : i+1 : i+1]
	}
	if pragma, ok := h["Pragma"]; ok && pragma[0] == "no-cache" {
		if _, ok := h["Cache-Control"]; !ok {
			h["Cache-Control"] = []string{"no-cache"} // as net/http (RFC 9111, 5.4)
		}
	}
	return h
}

// openBody gives the request its body.
func (ex *exchange) openBody(hc *conn, r *h1.Request) {
	req := &ex.req
	if !r.Chunked && r.ContentLength <= 0 {
		req.Body = http.NoBody
		return
	}
	b := &body{hc: hc, ex: ex}
	ex.body = b
	b.left.Store(r.ContentLength)
	b.expect.Store(r.ExpectContinue)
	b.limit = hc.scope.srv.MaxBodyBytes
	req.Body = b
	req.ContentLength = r.ContentLength
	if r.Chunked {
		b.chunked = new(h1.Chunked)
		req.TransferEncoding = []string{"chunked"}
		if len(r.Trailers) > 0 {
			req.Trailer = make(http.Header, len(r.Trailers))
			for _, name := range r.Trailers {
				req.Trailer[name] = nil
			}
		}
	}
	if d := hc.scope.srv.ReadTimeout; d > 0 {
		began := time.Now()
		if hc.extra != nil && !hc.extra.began.IsZero() {
			began = hc.extra.began
		}
		hc.setDeadline(began.Add(d))
	}
}

// call runs the handler and reports whether it returned. A panic, and runtime.Goexit, end
// this connection and no other.
func (hc *conn) call(ex *exchange) (returned bool) {
	defer func() {
		if returned {
			return
		}
		// A handler that called Goexit has nothing to recover; its goroutine ends, and the
		// engine sees to the loop.
		hc.scope.srv.logPanic(hc.remote, recover())
		hc.abandon(ex)
	}()
	hc.handler(&ex.req).ServeHTTP(&ex.res, &ex.req)
	return true
}

func (hc *conn) handler(req *http.Request) http.Handler {
	s := hc.scope.srv
	if !s.DisableGeneralOptionsHandler && req.Method == "OPTIONS" && req.RequestURI == "*" {
		return optionsHandler{}
	}
	if s.Handler == nil {
		return http.DefaultServeMux
	}
	return s.Handler
}

// optionsHandler answers "OPTIONS *".
type optionsHandler struct{}

func (optionsHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "0")
	if r.ContentLength != 0 {
		// The client may send a body; it is read within reason and otherwise cut off.
		_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, 4<<10)) // best effort
	}
}

// finish completes the response, cuts the handler's handles and decides what becomes of the
// connection. It reports whether the next request may be read now.
func (hc *conn) finish(ex *exchange) bool {
	ex.life.end()
	end := ex.res.end(hc)
	left := ex.body.cut()
	ex.ctx.cancel(context.Canceled)
	hc.cur.Store(nil)
	if end == endHijacked {
		ex.res.awaitTaken()
		return false
	}
	hc.deadline = hc.deadline || ex.life.readSet // nobody sets it any more, or reads it
	if ex.req.MultipartForm != nil {
		_ = ex.req.MultipartForm.RemoveAll() // files of the request; net/http ignores this, too
	}
	switch {
	case hc.mode == modeClosed:
		return false
	case end == endClose || !hc.scope.srv.keepAlives() || left != nil && left.budget < 0:
		hc.endAfter(left)
		return false
	case left != nil:
		hc.rare().drain, hc.mode = left, modeDrain
		hc.setDeadline(time.Now().Add(drainTime))
		return true
	}
	hc.clearDeadline()
	hc.setState(http.StateIdle)
	return true
}

// endAfter ends the connection after a response. If the client may still be sending, it is
// let finish for a while, so that it gets to read the response.
func (hc *conn) endAfter(left *drain) {
	if left == nil && (hc.in == nil || hc.in.Len() == 0) && hc.quiet() {
		hc.close()
		return
	}
	hc.linger()
}

// quiet reports whether it is certain that the kernel holds no input, or of no use to know. To close a socket with input unread is
// to reset it, and a reset destroys what is on its way to the client (hazard 84).
func (hc *conn) quiet() bool {
	if !buf.Certain(hc.c) {
		return false
	}
	var p [1]byte
	n, err := hc.c.Read(p[:])
	if err == strand.ErrWouldBlock {
		if _, err := hc.c.Read(nil); err == nil { // it was the turn's share of reading that ended, not the input
			_ = hc.c.WaitRead(context.Background()) // renews it, and does not wait
			n, _ = hc.c.Read(p[:])
		}
	}
	return n == 0
}

// abandon ends an exchange whose handler did not return. What it wrote before is sent; the
// response stays incomplete, so that the client knows.
func (hc *conn) abandon(ex *exchange) {
	ex.life.end()
	hijacked := ex.res.abandon()
	left := ex.body.cut()
	ex.ctx.cancel(context.Canceled)
	hc.cur.Store(nil)
	if hijacked {
		ex.res.awaitTaken()
		return
	}
	hc.bound(ex.life.writeBy.Load())
	hc.endAfter(left) // earlier requests of the connection have their answers on the way
}

// hangup cancels the request's context, once its body has been read, because the client has
// gone. Any goroutine.
func (ex *exchange) hangup() {
	ex.life.gone.Store(true)
	if ex.body.wholeRead() {
		ex.ctx.cancel(context.Canceled)
	}
}

// hasToken reports whether a comma-separated list has the token, which is lower-case.
func hasToken(list, token string) bool {
	for e := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.Trim(e, " \t"), token) {
			return true
		}
	}
	return false
}
