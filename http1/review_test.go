package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The read deadline that MinBodyRate set for a body must not outlive it.
func TestBodyRateEndsWithBody(t *testing.T) {
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(w, r.Body); err != nil {
			t.Error(err)
		}
	}, func(s *Server) { s.MinBodyRate, s.bodyGrace = 1<<20, 200*time.Millisecond })
	c := ts.dial(t)
	br := bufio.NewReader(c)
	for i := range 2 {
		if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // the handler waits
		if _, err := io.WriteString(c, "hello"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		if b, err := io.ReadAll(res.Body); err != nil || string(b) != "hello" {
			t.Fatalf("request %d: %q, %v", i, b, err)
		}
		time.Sleep(400 * time.Millisecond)
	}
}

// A request's context whose parent is done has the parent's error, not its cause, and looking
// at it at that moment is no race.
func TestParentContextDone(t *testing.T) {
	cause := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		if err := r.Context().Err(); err != context.Canceled {
			t.Errorf("Err: %v", err)
		}
		if err := context.Cause(r.Context()); err != cause {
			t.Errorf("Cause: %v", err)
		}
	}, func(s *Server) { s.BaseContext = func(net.Listener) context.Context { return ctx } })
	if got := statuses(t, ts.exchangeRaw(t, strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 20))); got != strings.TrimSpace(strings.Repeat("200 ", 20)) {
		t.Error(got)
	}
}
