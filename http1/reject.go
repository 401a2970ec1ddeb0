package http1

import (
	"net/http"
	"strconv"

	"github.com/d74363f0/strand/internal/h1"
)

// reject answers a request that is none, or one too many, and ends the connection. Responses
// to the requests ahead of it have been queued already (hazard 55).
func (hc *conn) reject(e *h1.Error) {
	text := strconv.Itoa(e.Status) + " " + http.StatusText(e.Status) + ": " + e.Reason
	b := make([]byte, 0, 512)
	b = h1.AppendStatusLine(b, 1, e.Status, http.StatusText(e.Status))
	b = hc.scope.date.append(b, hc.c)
	b = append(b, "Connection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"...)
	b = h1.AppendIntField(b, "Content-Length", int64(len(text)))
	b = append(b, "\r\n"...)
	b = append(b, text...)
	if hc.c.Buffered() == 0 {
		hc.bound(0) // the time of an earlier response is not this one's
	}
	_, _ = hc.c.Write(b) // an error means that nobody listens
	hc.linger()
}
