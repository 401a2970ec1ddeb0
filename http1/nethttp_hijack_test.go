package http1_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// stdHijack takes the connection over; what goes wrong fails the test and gives nil.
func stdHijack(t testing.TB, w http.ResponseWriter) (net.Conn, io.Reader) {
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Errorf("Hijack: %v", err)
		return nil, nil
	}
	return c, rw
}

func TestStdHijackWrite(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			rw.WriteString("[by the writer]")
			rw.Flush()
			io.WriteString(c, "[by the conn]")
			c.Close()
		}()
	})
	if got := stdRaw(t, url, "GET / HTTP/1.1\nHost: x"); got != "[by the writer][by the conn]" {
		t.Errorf("%q", got)
	}
}

func TestStdHijackTwice(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		c, _ := stdHijack(t, w)
		if c == nil {
			return
		}
		defer c.Close()
		if _, _, err := w.(http.Hijacker).Hijack(); !errors.Is(err, http.ErrHijacked) {
			t.Errorf("the second Hijack: %v; want ErrHijacked", err)
		}
		for _, p := range []string{"", "x"} {
			if _, err := w.Write([]byte(p)); !errors.Is(err, http.ErrHijacked) {
				t.Errorf("Write(%q) after Hijack: %v; want ErrHijacked", p, err)
			}
		}
	})
	if got := stdRaw(t, url, "GET / HTTP/1.1\nHost: x"); got != "" {
		t.Errorf("%q came from a connection that wrote nothing", got)
	}
}

func TestStdHijackWriteNothingQuietly(t *testing.T) {
	t.Parallel()
	var log stdLog
	url, _, stop := stdStart(t, &stdServer{ErrorLog: log.logger(), Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			stdFlush(w)
			if c, _ := stdHijack(t, w); c != nil {
				defer c.Close()
			}
			if _, err := w.Write(nil); !errors.Is(err, http.ErrHijacked) {
				t.Errorf("Write: %v; want ErrHijacked", err)
			}
		})})
	stdRaw(t, url, "GET / HTTP/1.1\nHost: x")
	stop()
	if got := log.String(); got != "" {
		t.Errorf("logged %q", got)
	}
}

func TestStdHijackAfterFlush(t *testing.T) {
	t.Parallel()
	got := stdGet(t, stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "Hello, ")
		stdFlush(w)
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		rw.WriteString("6\r\nworld!\r\n0\r\n\r\n")
		if err := errors.Join(rw.Flush(), c.Close()); err != nil {
			t.Error(err)
		}
	}))
	if got.body != "Hello, world!" {
		t.Errorf("%q", got.body)
	}
}

func TestStdHijackKeepsBytes(t *testing.T) {
	t.Parallel()
	for _, n := range []int{3, 8 << 10, 100 << 10} {
		for _, when := range []string{"with the request", "in the handler"} {
			inside := make(chan struct{})
			taken := make(chan struct{})
			done := make(chan struct{})
			url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
				defer close(done)
				close(inside)
				c, rw, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				close(taken)
				if p, err := rw.Peek(3); string(p) != "xxx" || err != nil {
					t.Errorf("Peek: %q, %v", p, err)
				}
				if r.Context().Err() != nil {
					t.Error("the context ended by the hijack")
				}
				if got, err := io.ReadAll(rw); len(got) != n || strings.Trim(string(got), "x") != "" || err != nil {
					t.Errorf("%d bytes %s: read %d, %v", n, when, len(got), err)
				}
			})
			w := stdDial(t, url)
			w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if when == "in the handler" {
				stdAwait(t, inside, "the handler")
			}
			w.send(strings.Repeat("x", n))
			stdAwait(t, taken, "the hijack") // a client that has gone before ends the context
			w.c.CloseWrite()
			stdAwait(t, done, "the handler's end")
		}
	}
}

func TestStdHijackAfterCloseNotify(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/notify" {
			stdNotify(w)
			w.Header().Set("Addr", r.RemoteAddr)
			return
		}
		c, _ := stdHijack(t, w)
		if c == nil {
			return
		}
		defer c.Close()
		fmt.Fprintf(c, "HTTP/1.0 200 OK\r\nAddr: %s\r\nContent-Length: 0\r\n\r\n", r.RemoteAddr)
	})
	c := stdClient(t)
	a := stdDo(t, c, stdRequest(t, "GET", url+"/notify", nil)).Header.Get("Addr")
	b := stdDo(t, c, stdRequest(t, "GET", url+"/hijack", nil)).Header.Get("Addr")
	if a == "" || a != b {
		t.Errorf("%q and %q; want one connection", a, b)
	}
}

func TestStdHijackedConnIsTCP(t *testing.T) {
	t.Parallel()
	got := stdRaw(t, stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		c, _ := stdHijack(t, w)
		if c == nil {
			return
		}
		defer c.Close()
		if _, ok := c.RemoteAddr().(*net.TCPAddr); !ok {
			t.Errorf("RemoteAddr is a %T", c.RemoteAddr())
		}
		if hc, ok := c.(interface{ CloseWrite() error }); !ok {
			t.Errorf("a %T cannot close one direction", c)
		} else {
			io.WriteString(c, "bye")
			hc.CloseWrite()
		}
	}), "GET / HTTP/1.1\nHost: x")
	if got != "bye" {
		t.Errorf("%q", got)
	}
}

func TestStdHijackedWriteHeader(t *testing.T) {
	t.Parallel()
	var log stdLog
	url, _, stop := stdStart(t, &stdServer{ErrorLog: log.logger(), Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			c, _ := stdHijack(t, w)
			if c == nil {
				return
			}
			defer c.Close()
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nfoo")
			w.WriteHeader(0)
			io.WriteString(c, "bar")
		})})
	if got := stdGet(t, url); got.body != "foobar" {
		t.Errorf("%q", got.body)
	}
	stop()
	if got := log.String(); !strings.Contains(got, "hijacked") || !strings.Contains(got, "nethttp_hijack_test.go:") {
		t.Errorf("log %q; want the call on a hijacked connection and where it is", got)
	}
}

func TestStdHijackBadResponse(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if c, _ := stdHijack(t, w); c != nil {
			fmt.Fprintln(c, "not a response")
			c.Close()
		}
	})
	if res, err := stdClient(t).Post(url, "text/plain", strings.NewReader("hello")); err == nil {
		res.Body.Close()
		t.Error("the handler's bytes were not the whole answer")
	}
}

func TestStdSwitchingProtocols(t *testing.T) {
	t.Parallel()
	for _, keepAlives := range []bool{true, false} {
		url, srv, _ := stdStart(t, &stdServer{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "some")
			w.WriteHeader(101)
			w.WriteHeader(200) // too late
			if _, err := io.WriteString(w, "x"); err == nil {
				t.Error("a body could be written behind a 101")
			}
			c, rw := stdHijack(t, w)
			if c == nil {
				return
			}
			defer c.Close()
			io.Copy(c, rw)
		})})
		srv.SetKeepAlivesEnabled(keepAlives)
		w := stdDial(t, url)
		w.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: some\r\n\r\n")
		res, err := http.ReadResponse(w.br, nil)
		if err != nil || res.StatusCode != 101 || res.Header.Get("Upgrade") != "some" || res.Header.Get("Connection") != "Upgrade" {
			t.Fatalf("keep-alives %v: %+v, %v", keepAlives, res, err)
		}
		w.send("hello")
		w.c.CloseWrite()
		if got := w.rest(); got != "hello" {
			t.Errorf("keep-alives %v: %q came back; want hello", keepAlives, got)
		}
	}
}

func TestStdCloseNotify(t *testing.T) {
	t.Parallel()
	inside, gone := make(chan struct{}), make(chan struct{})
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		notify := stdNotify(w)
		close(inside)
		<-notify
		close(gone)
	})
	w := stdDial(t, url)
	w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	stdAwait(t, inside, "the handler")
	w.c.Close()
	stdAwait(t, gone, "the notice")
}

func TestStdCloseNotifyPipelined(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-stdNotify(w):
			t.Errorf("%s: notified though the client is there", r.URL.Path)
		default:
		}
		io.WriteString(w, r.URL.Path)
	})
	w := stdDial(t, url)
	w.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
	for _, want := range []string{"/1", "/2"} {
		if got := w.next("GET").body; got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

func TestStdCloseNotifyAfterBody(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	read, gone := make(chan struct{}), make(chan struct{})
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		body := r.Body
		r.Body = nil // the server must not depend on the handler's field
		notify := stdNotify(w)
		if b, err := io.ReadAll(body); len(b) != size || strings.Trim(string(b), "x") != "" || err != nil {
			t.Errorf("read %d bytes, %v", len(b), err)
		}
		close(read)
		<-notify
		close(gone)
	})
	w := stdDial(t, url)
	w.send(stdPost(size, false, ""))
	stdAwait(t, read, "the body")
	w.c.Close()
	stdAwait(t, gone, "the notice")
}

// stdNotify is the deprecated way to learn that the client left; frameworks still use it.
func stdNotify(w http.ResponseWriter) <-chan bool {
	//lint:ignore SA1019 what is deprecated must still work
	return w.(http.CloseNotifier).CloseNotify()
}
