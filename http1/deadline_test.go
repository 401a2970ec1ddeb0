package http1

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"testing"
	"time"
)

// A deadline set from another goroutine ends a read or a write that waits already.
func TestDeadlineWakesWaiting(t *testing.T) {
	result := make(chan error, 1)
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		soon := func(set func(time.Time) error) {
			time.Sleep(50 * time.Millisecond)
			if err := set(time.Now()); err != nil {
				t.Errorf("setting the deadline: %v", err)
			}
		}
		if r.Method == "POST" {
			go soon(rc.SetReadDeadline)
			_, err := io.ReadAll(r.Body)
			result <- err
			return
		}
		go soon(rc.SetWriteDeadline)
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				result <- err
				return
			}
		}
	}, nil)
	for _, in := range []string{post + "Content-Length: 10\r\n\r\nhello", get + "\r\n"} {
		c := ts.dial(t)
		if _, err := io.WriteString(c, in); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-result:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%.4s: %v", in, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%.4s: still waiting", in)
		}
		_ = c.Close()
	}
}

// A deadline set after the handler has returned is refused and does not reach the
// connection's next request.
func TestLateDeadline(t *testing.T) {
	var late []func() error
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for _, f := range late {
			if err := f(); !errors.Is(err, ErrResponseDone) {
				t.Errorf("a late deadline: %v", err)
			}
		}
		rc := http.NewResponseController(w)
		past := time.Now().Add(-time.Hour)
		late = append(late, func() error { return rc.SetReadDeadline(past) }, func() error { return rc.SetWriteDeadline(past) },
			rc.Flush)
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("the body of a later request: %v", err)
		}
		_, _ = w.Write(b)
	}, nil)
	c := ts.dial(t)
	br := bufio.NewReader(c)
	for range 3 {
		if _, err := io.WriteString(c, post+"Content-Length: 5\r\n\r\nhel"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Millisecond)
		if _, err := io.WriteString(c, "lo"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(res.Body); string(b) != "hello" || err != nil {
			t.Fatalf("%q, %v", b, err)
		}
	}
}
