package http1

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestNoContinueBehindTheHead: a handler that reads the body when its response has begun has no 100 sent behind the
// response's head, and neither has one that has panicked since.
func TestNoContinueBehindTheHead(t *testing.T) {
	for _, path := range []string{"/read", "/panic"} {
		ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/panic" {
				res, b := w.(*response), r.Body.(*body)
				res.mu.Lock()
				res.status = http.StatusOK // as if the head had gone, for abandon to end
				res.mu.Unlock()
				res.abandon()
				b.mu.Lock()
				b.sendContinue() // a goroutine of the handler's, before the body is cut, too
				b.mu.Unlock()
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			_, _ = io.Copy(w, r.Body)
		}, nil)
		got := ts.exchangeRaw(t, "POST "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
		if strings.Contains(got, "100 Continue") || path == "/read" && !strings.Contains(got, "hello") {
			t.Errorf("%s: %q", path, got)
		}
	}
}
