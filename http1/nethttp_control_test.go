package http1_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"testing"
	"time"
)

func TestStdControlFlush(t *testing.T) {
	t.Parallel()
	read := make(chan struct{})
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "one")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("Flush: %v", err)
		}
		select {
		case <-read:
		case <-r.Context().Done():
		}
		io.WriteString(w, "two")
	})
	res, err := stdClient(t).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 3)
	if _, err := io.ReadFull(res.Body, b); err != nil || string(b) != "one" {
		t.Errorf("%q, %v", b, err)
	}
	close(read)
	if got := stdRead(res); got.body != "two" || got.err != nil {
		t.Errorf("%q, %v", got.body, got.err)
	}
}

func TestStdControlHijack(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		if c, _ := stdHijack(t, w); c != nil {
			io.WriteString(c, "HTTP/1.0 200 OK\r\nX-Header: set\r\nContent-Length: 0\r\n\r\n")
			c.Close()
		}
	})
	if got := stdGet(t, url).Header.Get("X-Header"); got != "set" {
		t.Errorf("%q; want the handler's own response", got)
	}
}

func TestStdControlPastWriteDeadline(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		c := http.NewResponseController(w)
		io.WriteString(w, "one")
		if err := errors.Join(c.Flush(), c.SetWriteDeadline(time.Now().Add(-10*time.Second))); err != nil {
			t.Errorf("before the deadline: %v", err)
		}
		io.WriteString(w, "two")
		if err := c.Flush(); err == nil {
			t.Error("a flush after the deadline succeeded")
		}
		// What was cut stays cut.
		if err := c.SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Errorf("a new deadline: %v", err)
		}
		io.WriteString(w, "three")
		if err := c.Flush(); err == nil {
			t.Error("a flush after a new deadline succeeded")
		}
	})
	res, err := stdClient(t).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	if got := stdRead(res); got.body != "one" || got.err == nil {
		t.Errorf("%q, %v; want what was sent in time and an error", got.body, got.err)
	}
	stdAwait(t, done, "the handler")
}

func TestStdControlFutureWriteDeadline(t *testing.T) {
	t.Parallel()
	werr := make(chan error, 1)
	start := make(chan struct{})
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		stdFlush(w)
		<-start
		if err := c.SetWriteDeadline(time.Now().Add(5 * time.Millisecond)); err != nil {
			t.Errorf("SetWriteDeadline: %v", err)
		}
		_, err := io.Copy(w, stdEndless('a'))
		werr <- err
	})
	res, err := stdClient(t).Get(url)
	close(start)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Error("an endless body ended well")
	}
	res.Body.Close()
	if err := stdAwait(t, werr, "the write"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the write: %v; want a deadline", err)
	}
}

func TestStdControlPastReadDeadline(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		c := http.NewResponseController(w)
		b := make([]byte, 3)
		if _, err := io.ReadFull(r.Body, b); err != nil || string(b) != "one" {
			t.Errorf("before the deadline: %q, %v", b, err)
		}
		if err := c.SetReadDeadline(time.Now()); err != nil {
			t.Errorf("SetReadDeadline: %v", err)
		}
		if b, err := io.ReadAll(r.Body); err == nil || len(b) > 0 {
			t.Errorf("after the deadline: %q, %v", b, err)
		}
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			t.Errorf("SetReadDeadline: %v", err)
		}
		if b, err := io.ReadAll(r.Body); err == nil {
			t.Errorf("the error did not stick: %q", b)
		}
	})
	w := stdDial(t, url)
	w.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
	stdAwait(t, done, "the handler")
}

func TestStdControlFutureReadDeadline(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(5 * time.Millisecond)); err != nil {
			t.Errorf("SetReadDeadline: %v", err)
		}
		if _, err := io.Copy(io.Discard, r.Body); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the read: %v; want a deadline", err)
		}
		io.WriteString(w, "late")
	})
	w := stdDial(t, url)
	w.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\none")
	if got := w.next("POST"); got.body != "late" {
		t.Errorf("%q", got.body)
	}
}

// stdWrapped is a ResponseWriter of a middleware.
type stdWrapped struct{ http.ResponseWriter }

func (w stdWrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestStdControlUnwraps(t *testing.T) {
	t.Parallel()
	got := stdGet(t, stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(stdWrapped{w})
		if err := errors.Join(c.Flush(), c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Time{}),
			c.EnableFullDuplex()); err != nil {
			t.Error(err)
		}
	}))
	if got.StatusCode != 200 {
		t.Errorf("status %d", got.StatusCode)
	}
}

func TestStdControlFullDuplex(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		if err := c.EnableFullDuplex(); err != nil {
			t.Errorf("EnableFullDuplex: %v", err)
		}
		c.Flush()
		var b [1]byte
		for {
			if _, err := io.ReadFull(r.Body, b[:]); err != nil {
				return
			}
			w.Write(b[:])
			c.Flush()
		}
	})
	pr, pw := io.Pipe()
	res, err := stdClient(t).Post(url, "text/plain", pr)
	if err != nil {
		t.Fatal(err)
	}
	for i := range byte(20) {
		if _, err := pw.Write([]byte{i}); err != nil {
			t.Fatal(err)
		}
		var b [1]byte
		if _, err := io.ReadFull(res.Body, b[:]); err != nil || b[0] != i {
			t.Fatalf("byte %d came back as %d, %v", i, b[0], err)
		}
	}
	pw.Close()
	if got := stdRead(res); got.body != "" || got.err != nil {
		t.Errorf("%q, %v", got.body, got.err)
	}
}
