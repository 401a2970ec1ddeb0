package http1_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// stdSilent is the strict choice of words for a client that is cut off before its
// request is complete: nothing, or a 408.
func stdSilent(got string) bool {
	return got == "" || stdStrict() && strings.HasPrefix(got, "HTTP/1.1 408 ")
}

func TestStdSilentClientCutOff(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]*stdServer{
		"ReadTimeout":                  {ReadTimeout: 100 * time.Millisecond},
		"ReadHeaderTimeout":            {ReadHeaderTimeout: 100 * time.Millisecond},
		"ReadTimeout and WriteTimeout": {ReadTimeout: 100 * time.Millisecond, WriteTimeout: 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				t.Errorf("a handler ran for %s", r.URL)
			})
			url, _, _ := stdStart(t, cfg)
			for _, sent := range []string{"", "G", "GET / HTTP/1.1\r\nHost: foo.com\r\n"} { // hazard 77
				w := stdDial(t, url)
				w.send(sent)
				got := w.rest()
				if sent == "G" && !stdStrict() && strings.HasPrefix(got, "HTTP/1.1 400 ") {
					continue // net/http takes what came of the line for the line
				}
				if !stdSilent(got) {
					t.Errorf("after %q: %q", sent, got)
				}
			}
		})
	}
}

func TestStdSlowHeadCutOff(t *testing.T) {
	t.Parallel()
	url, _, _ := stdStart(t, &stdServer{ReadHeaderTimeout: 200 * time.Millisecond,
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") })})
	w := stdDial(t, url)
	w.send("GET / HTTP/1.1\r\nHost: x\r\nX: ")
	stop := make(chan struct{})
	dripped := make(chan struct{})
	go func() { // a byte now and then must not move the deadline. hazard 60
		defer close(dripped)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-stop:
				return
			}
			if _, err := io.WriteString(w.c, "x"); err != nil {
				return
			}
		}
	}()
	if got := w.rest(); !stdSilent(got) {
		t.Errorf("%q", got)
	}
	close(stop)
	<-dripped
}

func TestStdHeaderTimeoutCleared(t *testing.T) {
	t.Parallel()
	stdRetry(t, func(d time.Duration) error {
		url, _, _ := stdStart(t, &stdServer{ReadHeaderTimeout: d, Handler: http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				stdFlush(w)
				select {
				case <-time.After(2 * d):
				case <-r.Context().Done():
					return
				}
				io.Copy(w, r.Body)
			})})
		w := stdDial(t, url)
		w.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
		_, err := w.tryNext("POST")
		return err
	})
}

func TestStdReadTimeoutOfBody(t *testing.T) {
	t.Parallel()
	stdRetry(t, func(d time.Duration) error { // it bounds a TLS handshake, too
		url, _, _ := stdStart(t, &stdServer{ReadTimeout: d, ReadHeaderTimeout: stdPatience,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(io.Discard, r.Body); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("reading the body: %v; want a deadline", err)
				}
				io.WriteString(w, "late")
			})})
		w := stdDial(t, url)
		w.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
		got, err := w.tryNext("POST")
		if err != nil {
			return fmt.Errorf("ReadTimeout %v: %w; want the response to be readable", d, err)
		}
		if got.body != "late" || !got.Close {
			t.Errorf("%q, close %v; want the response to be the last", got.body, got.Close)
		}
		w.wantClosed()
		return nil
	})
}

// TestStdReadTimeoutFromTheBeginning: what the head took is not given to the body again.
func TestStdReadTimeoutFromTheBeginning(t *testing.T) {
	t.Parallel()
	stdRetry(t, func(d time.Duration) error {
		d *= 5
		read := make(chan error, 1)
		url, _, _ := stdStart(t, &stdServer{ReadTimeout: d, ReadHeaderTimeout: stdPatience,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, err := io.Copy(io.Discard, r.Body)
				read <- err
			})})
		w := stdDial(t, url)
		w.send("POST / HTTP/1.1\r\nHost: x\r\n")
		began := time.Now()
		<-time.After(d / 2)
		w.send("Content-Length: 10\r\n\r\n")
		_, end := w.tryNext("POST")
		select {
		case err := <-read:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("reading the body: %v; want a deadline", err)
			}
		default: // the head came too late, or the body has no deadline
			return fmt.Errorf("ReadTimeout %v: the body is not at its end: %v", d, end)
		}
		if took := time.Since(began); took > d*5/4 {
			return fmt.Errorf("ReadTimeout %v: over after %v", d, took)
		}
		return nil
	})
}

func TestStdNoReadTimeout(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{0, -1} {
		url, _, _ := stdStart(t, &stdServer{ReadTimeout: d, Handler: http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				http.NewResponseController(w).EnableFullDuplex()
				w.WriteHeader(200)
				stdFlush(w)
				b, err := io.ReadAll(r.Body)
				fmt.Fprint(w, string(b), err)
			})})
		w := stdDial(t, url)
		w.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
		res, err := http.ReadResponse(w.br, nil)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(20 * time.Millisecond) // a timeout that is not there cannot fire early
		w.send("hello")
		if got := stdRead(res); got.body != "hello<nil>" {
			t.Errorf("ReadTimeout %d: %q", d, got.body)
		}
	}
}

func TestStdWriteTimeout(t *testing.T) {
	t.Parallel()
	stdRetry(t, func(d time.Duration) error { // it bounds a TLS handshake, too
		werr := make(chan error, 1)
		url, _, _ := stdStart(t, &stdServer{WriteTimeout: d, Handler: http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				_, err := io.Copy(w, stdEndless('a'))
				werr <- err
			})})
		w := stdDial(t, url)
		w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		got := w.rest()
		if strings.HasSuffix(got, "0\r\n\r\n") {
			t.Error("a cut response looks complete")
		}
		if got == "" {
			return fmt.Errorf("WriteTimeout %v: cut off before the response", d)
		}
		if err := stdAwait(t, werr, "the end of the endless write"); !errors.Is(err, os.ErrDeadlineExceeded) { // hazard 62
			t.Errorf("the write ended with %v; want a deadline", err)
		}
		return nil
	})
}

func TestStdNoWriteTimeout(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{0, -1} {
		url, _, _ := stdStart(t, &stdServer{WriteTimeout: d, Handler: http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) { io.Copy(w, stdEndless('a')) })})
		res, err := stdClient(t).Get(url)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.CopyN(io.Discard, res.Body, 1<<20); err != nil {
			t.Errorf("WriteTimeout %d: %d bytes, %v", d, n, err)
		}
		res.Body.Close()
	}
}

func TestStdWriteTimeoutPerRequest(t *testing.T) {
	t.Parallel()
	stdRetry(t, func(d time.Duration) error {
		url, _, _ := stdStart(t, &stdServer{WriteTimeout: d, Handler: stdText("x")})
		w := stdDial(t, url)
		for i := range 3 { // together longer than the timeout of one
			w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if _, err := w.tryNext("GET"); err != nil {
				return fmt.Errorf("request %d with WriteTimeout %v: %v", i, d, err)
			}
			<-time.After(d * 2 / 3)
		}
		return nil
	})
}

func TestStdWriteTimeoutOfHandler(t *testing.T) {
	t.Parallel()
	const d = 100 * time.Millisecond
	for _, timeout := range []time.Duration{d, 0} {
		url, _, _ := stdStart(t, &stdServer{WriteTimeout: timeout, Handler: http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					<-time.After(2 * d)
				}
			})})
		w := stdDial(t, url)
		w.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
		_, err := w.tryNext("GET")
		if (err == nil) != (timeout == 0) {
			t.Errorf("WriteTimeout %v, handler of %v: %v", timeout, 2*d, err)
		}
	}
}

func TestStdIdleTimeout(t *testing.T) {
	t.Parallel()
	url, _, _ := stdStart(t, &stdServer{IdleTimeout: 100 * time.Millisecond, ReadHeaderTimeout: stdPatience,
		Handler: stdText("x")})
	w := stdDial(t, url)
	w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := w.next("GET"); got.Close {
		t.Error("the connection was not kept")
	}
	w.wantClosed() // hazard 63
}

func TestStdReadTimeoutNotInHandler(t *testing.T) {
	t.Parallel()
	stdRetry(t, func(d time.Duration) error {
		url, _, _ := stdStart(t, &stdServer{ReadTimeout: d, Handler: http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				select {
				case <-time.After(2 * d):
					io.WriteString(w, "ok")
				case <-r.Context().Done():
					io.WriteString(w, r.Context().Err().Error())
				}
			})})
		w := stdDial(t, url)
		w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		got, err := w.tryNext("GET")
		if err == nil && got.body != "ok" {
			err = fmt.Errorf("ReadTimeout %v: %q", d, got.body)
		}
		return err
	})
}

func TestStdHeaderTimeoutNotWhenIdle(t *testing.T) {
	t.Parallel()
	stdRetry(t, func(d time.Duration) error {
		url, _, _ := stdStart(t, &stdServer{ReadHeaderTimeout: d, Handler: stdText("x")})
		w := stdDial(t, url)
		for i := range 2 {
			if _, err := io.WriteString(w.c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				return err
			}
			if _, err := w.tryNext("GET"); err != nil {
				return fmt.Errorf("request %d with ReadHeaderTimeout %v: %v", i, d, err)
			}
			<-time.After(d * 3 / 2)
		}
		return nil
	})
}
