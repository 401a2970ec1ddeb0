package http1

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/buf"
	"github.com/d74363f0/strand/internal/h1"
)

// bodyAllowed reports whether a response with this status can have a body.
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// writeHeader fixes the status and puts the handler's header lines into w.out. What depends
// on the body, or on what becomes of the connection, is added by headTail when the head is
// sent. The handler may go on using its map: what it changes later has no effect, as with
// net/http, but no copy of the map was needed for that. mu is held.
func (w *response) writeHeader(code int) {
	if code < 100 || code > 999 {
		panic("invalid WriteHeader code " + strconv.Itoa(code))
	}
	if code < 200 && code != http.StatusSwitchingProtocols {
		w.informational(code)
		return
	}
	w.ex.body.answer()
	w.status = code
	w.has = 0
	w.out = w.firstBlock()
	w.out.Advance(len(h1.AppendStatusLine(w.out.Tail()[:0], int(w.minor), code, statusText(code))))
	w.headerLines(false)
	w.headLen = w.out.Len()
	w.room(headGap)
	w.out.Advance(headGap) // whatever these bytes are, nobody sees them: see send
	w.bodyAt = w.out.Len()
}

// firstBlock returns an empty Block for a response. The one its head came in will do if no body
// is to follow, for until the handler returns nobody looks for input then (else another of the handler's
// goroutines may be reading: nothing of hc.in is looked at), and if nothing is left in it. One that grew for a large head
// will not, for a response may be queued for long. mu is held, and it says that the exchange has not ended.
func (w *response) firstBlock() *buf.Block {
	hc := w.hc
	if w.ex.body == nil {
		if b := hc.in; b != nil && b.Len() == 0 && b.Cap() <= readBlock {
			hc.in = nil
			return b
		}
	}
	return buf.Take(hc.c.ID(), 256+headGap+gatherMax/4)
}

// informational sends a 1xx response at once. mu is held.
func (w *response) informational(code int) {
	if w.minor == 0 {
		return // RFC 9110, 15.2: not to an HTTP/1.0 client
	}
	if code == http.StatusContinue {
		w.ex.body.continued()
	}
	w.out = buf.Take(w.hc.c.ID(), 512)
	w.out.Advance(len(h1.AppendStatusLine(w.out.Tail()[:0], 1, code, statusText(code))))
	w.headerLines(true)
	w.room(2)
	w.out.Append([]byte("\r\n"))
	err := w.whenRoom(func(c *strand.Conn) error {
		_, err := c.Write(w.out.Data())
		return err
	})
	w.out.Release()
	w.out = nil
	if err != nil {
		return
	}
	if err := w.hc.c.Flush(); err != nil {
		_ = w.failed(err)
	}
}

func statusText(code int) string {
	if s := http.StatusText(code); s != "" {
		return s
	}
	return "status code " + strconv.Itoa(code)
}

// headerLines appends the handler's header lines to w.out, sorted by name, and notes what
// they say about the message. mu is held.
func (w *response) headerLines(informational bool) {
	if len(w.header) == 1 { // most often, and to look for it is cheaper than to go through a map
		if values, ok := w.header["Content-Type"]; ok {
			w.headerField("Content-Type", values, informational)
			return
		}
	}
	var array [16]string
	names := array[:0]
	for name := range w.header {
		names = append(names, name)
	}
	if len(names) > 1 {
		slices.Sort(names)
	}
	for _, name := range names {
		w.headerField(name, w.header[name], informational)
	}
}

// headerField appends the lines of one header field to w.out. mu is held.
func (w *response) headerField(name string, values []string, informational bool) {
	if !w.noteHeader(name, values, informational) {
		return
	}
	for _, v := range values {
		w.room(len(name) + len(v) + 4)
		w.out.Advance(len(h1.AppendField(w.out.Tail()[:0], name, v)))
	}
}

// noteHeader takes note of a header field and reports whether its lines go out as they are.
// Those about framing and the connection are written by headTail. mu is held.
func (w *response) noteHeader(name string, values []string, informational bool) bool {
	switch framingName(name) {
	case "Content-Length":
		if !informational {
			w.noteLength(values)
		}
		return false
	case "Transfer-Encoding":
		if !informational {
			w.noteCoding(values)
		}
		return false
	case "Connection":
		if informational {
			return true
		}
		w.has |= hasConnection
		w.rare().connHdr = strings.Join(values, ", ")
		return false
	case "Content-Type":
		w.has |= hasType
		return bodyAllowed(w.status) || w.status != http.StatusNotModified || informational
	case "Content-Encoding":
		if len(values) > 0 && values[0] != "" {
			w.has |= hasEncoding
		}
	case "Date":
		w.has |= hasDate
	case "Trailer":
		w.noteTrailers(values)
	default:
		if strings.HasPrefix(name, http.TrailerPrefix) {
			w.has |= hasTrailers
			return false
		}
	}
	return true
}

// framingName returns the canonical name of a header field that frames the message, however
// the handler spelt it, and any other name as it is.
func framingName(name string) string {
	for _, f := range [...]string{"Content-Length", "Transfer-Encoding", "Connection"} {
		if len(name) == len(f) && strings.EqualFold(name, f) {
			return f
		}
	}
	return name
}

// noteLength notes the declared length. An empty one says that none is to be declared.
func (w *response) noteLength(values []string) {
	if len(values) == 0 || values[0] == "" {
		w.has |= hasLength
		return
	}
	n, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil || n < 0 {
		w.logf("http: invalid Content-Length of %q", values[0])
		return
	}
	w.length = n
	w.has |= hasLength
}

// noteCoding notes a Transfer-Encoding. The chunks are ours; other codings are the handler's.
func (w *response) noteCoding(values []string) {
	if len(values) == 0 || values[0] == "" {
		return
	}
	w.has |= hasTE
	switch {
	case strings.EqualFold(values[0], "identity"):
		w.has |= hasIdentity
	case strings.EqualFold(values[0], "chunked"):
	default:
		w.rare().codings = values[0]
	}
}

// noteTrailers remembers the names that a Trailer header announces.
func (w *response) noteTrailers(values []string) {
	w.has |= hasTrailers
	for _, list := range values {
		for name := range strings.SplitSeq(list, ",") {
			name = http.CanonicalHeaderKey(strings.Trim(name, " \t"))
			if x := w.rare(); validTrailer(name) && !slices.Contains(x.trailers, name) {
				x.trailers = append(x.trailers, name)
			}
		}
	}
}

// validTrailer reports whether a field may be sent in a trailer section (RFC 9110, 6.5.1).
func validTrailer(name string) bool {
	switch name {
	case "Authorization", "Cache-Control", "Connection", "Content-Encoding", "Content-Length",
		"Content-Range", "Content-Type", "Expect", "Host", "Keep-Alive", "Max-Forwards", "Pragma",
		"Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Range", "Realm", "Te",
		"Trailer", "Transfer-Encoding", "Www-Authenticate":
		return false
	}
	return !strings.HasPrefix(name, "If-") && h1.ValidToken(name)
}

// headTail appends the rest of the head: what depends on the body, of which gathered and p
// are the beginning, or all if the handler is done. mu is held.
func (w *response) headTail(dst, gathered, p []byte) []byte {
	allowed := bodyAllowed(w.status)
	n := len(gathered) + len(p)
	if w.has&hasDate == 0 {
		dst = w.hc.scope.date.append(dst, w.hc.c)
	}
	if w.done && w.has&(hasTrailers|hasTE|hasLength) == 0 && allowed && (!w.isHead || n > 0) {
		w.length = int64(n)
	}
	if w.length >= 0 && w.has&hasTE != 0 && w.has&hasIdentity == 0 {
		w.logf("http: WriteHeader called with both Transfer-Encoding and a Content-Length of %d", w.length)
		w.length = -1
	}
	dst = w.appendConnection(dst, allowed)
	if !allowed {
		if w.status == http.StatusSwitchingProtocols && w.length >= 0 {
			w.length = -1
		}
		return append(dst, "\r\n"...)
	}
	if w.has&(hasType|hasEncoding|hasTE) == 0 && n > 0 {
		dst = h1.AppendField(dst, "Content-Type", sniff(gathered, p))
	}
	switch {
	case w.length >= 0:
		dst = h1.AppendIntField(dst, "Content-Length", w.length)
	case w.chunks():
		w.chunking = !w.isHead
		if !w.isHead {
			if w.more != nil && w.more.codings != "" {
				dst = h1.AppendField(dst, "Transfer-Encoding", w.more.codings)
			}
			dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
		}
	}
	return append(dst, "\r\n"...)
}

// chunks reports whether a body of unknown length is framed by chunks. mu is held.
func (w *response) chunks() bool { return w.minor > 0 && w.has&hasIdentity == 0 }

// appendConnection decides whether the connection outlives the response and says so. mu is
// held.
func (w *response) appendConnection(dst []byte, allowed bool) []byte {
	keepAlives := w.hc.scope.srv.keepAlives()
	endless := allowed && !w.isHead && w.length < 0 && !w.chunks() // only the end of the connection ends it
	connHdr := w.connHdr()
	asksClose := connHdr != "" && hasToken(connHdr, "close")
	if w.keep10 && keepAlives && !endless && !asksClose {
		w.close = false
	}
	if !keepAlives || endless || asksClose || w.ex.body.isOver() || w.ex.body.outlives() || w.minor == 0 && !w.keep10 {
		w.close = true
	}
	switch {
	case w.status == http.StatusSwitchingProtocols || !w.close && w.has&hasConnection != 0:
		if connHdr != "" {
			dst = h1.AppendField(dst, "Connection", connHdr)
		}
	case w.close && w.minor > 0:
		dst = append(dst, "Connection: close\r\n"...)
	case !w.close && w.keep10:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	return dst
}

// sniff detects the content type of a body that begins with a, then b.
func sniff(a, b []byte) string {
	if len(a) == 0 {
		return http.DetectContentType(b)
	}
	if len(a) >= sniffMax || len(b) == 0 {
		return http.DetectContentType(a)
	}
	var array [sniffMax]byte
	n := copy(array[:], a)
	n += copy(array[n:], b)
	return http.DetectContentType(array[:n])
}

// appendTrailers appends the trailer section and the empty line at its end, or nothing if
// there are no trailers. mu is held.
func (w *response) appendTrailers(dst []byte) []byte {
	if w.has&hasTrailers == 0 && !w.lateTrailers() {
		return dst
	}
	trailer := make(http.Header)
	for name, values := range w.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			trailer[http.CanonicalHeaderKey(name)] = values
		}
	}
	for _, name := range w.announced() {
		if values := w.header[name]; len(values) > 0 {
			trailer[name] = values
		}
	}
	dst = h1.AppendFields(dst, trailer, func(name string) bool { return !validTrailer(name) })
	return append(dst, "\r\n"...)
}

// announced returns the names of the trailers that were announced. mu is held.
func (w *response) announced() []string {
	if w.more == nil {
		return nil
	}
	return w.more.trailers
}

// lateTrailers reports whether trailers were set after the head had been sent. mu is held.
func (w *response) lateTrailers() bool {
	for name := range w.header {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			return true
		}
	}
	return false
}
