package http1_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestStdContextEndsWithHandler(t *testing.T) {
	t.Parallel()
	ctxs := make(chan context.Context, 1)
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		if err := r.Context().Err(); err != nil {
			t.Errorf("in the handler: %v", err)
		}
		ctxs <- r.Context()
	})
	stdGet(t, url)
	stdAwait(t, (<-ctxs).Done(), "the end of the context after the handler")
}

func TestStdContextEndsWithClient(t *testing.T) {
	t.Parallel()
	inside, gone := make(chan struct{}), make(chan struct{})
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		close(inside)
		<-r.Context().Done()
		close(gone)
	})
	w := stdDial(t, url)
	w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	stdAwait(t, inside, "the handler")
	w.c.Close()
	stdAwait(t, gone, "the end of the context")
}

func TestStdContextKeys(t *testing.T) {
	t.Parallel()
	type seen struct {
		server any
		local  net.Addr
	}
	ch := make(chan seen, 1)
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		ch <- seen{r.Context().Value(http.ServerContextKey), local}
	})
	stdGet(t, url)
	got := <-ch
	_, own := got.server.(*stdServer)
	if _, std := got.server.(*http.Server); !own && !std {
		t.Errorf("ServerContextKey is a %T; want the server", got.server)
	}
	if got.local == nil || "http://"+got.local.String() != url {
		t.Errorf("LocalAddrContextKey is %v; want %s", got.local, url)
	}
}

func TestStdBaseAndConnContext(t *testing.T) {
	t.Parallel()
	type base struct{}
	type conn struct{}
	var conns atomic.Int32
	ln := stdListen(t)
	stdServe(t, &stdServer{
		BaseContext: func(got net.Listener) context.Context {
			if got.Addr() != ln.Addr() {
				t.Errorf("BaseContext got %v; want the listener given to Serve", got)
			}
			return context.WithValue(context.Background(), base{}, "base")
		},
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if ctx.Value(base{}) != "base" || ctx.Value(conn{}) != nil {
				t.Errorf("ConnContext was not given the base context: %v", ctx)
			}
			return context.WithValue(ctx, conn{}, conns.Add(1))
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Context().Value(base{}), r.Context().Value(conn{}))
		}),
	}, ln)
	for i := range 2 {
		w := stdDial(t, ln.Addr().String())
		for range 2 { // one context for all requests of a connection
			w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if got, want := w.next("GET").body, fmt.Sprintf("base%d", i+1); got != want {
				t.Errorf("connection %d: %q; want %q", i, got, want)
			}
		}
	}
}

func TestStdShutdown(t *testing.T) { // hazard 83
	t.Parallel()
	inside, release, called := make(chan struct{}), make(chan struct{}), make(chan struct{})
	ln := stdListen(t)
	cfg := &stdServer{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/idle" {
			return
		}
		close(inside)
		<-release
		io.WriteString(w, "done")
	})}
	srv := stdPeerOf(cfg)
	srv.RegisterOnShutdown(func() { close(called) })
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	t.Cleanup(func() { srv.Close() })
	idle, busy := stdDial(t, ln.Addr().String()), stdDial(t, ln.Addr().String())
	idle.send("GET /idle HTTP/1.1\r\nHost: x\r\n\r\n")
	idle.next("GET")
	busy.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	stdAwait(t, inside, "the handler")
	result := make(chan error, 1)
	go func() { result <- srv.Shutdown(context.Background()) }()
	stdAwait(t, called, "the call registered for the shutdown")
	if err := stdAwait(t, served, "the end of Serve"); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve: %v; want ErrServerClosed", err)
	}
	idle.wantClosed()
	if c, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		c.Close()
		t.Error("a new connection was accepted")
	}
	select {
	case err := <-result:
		t.Errorf("Shutdown returned %v while a request was served", err)
	default:
	}
	close(release)
	if got := busy.next("GET"); got.body != "done" || !got.Close {
		t.Errorf("the request in flight: %q, close %v", got.body, got.Close)
	}
	if err := stdAwait(t, result, "Shutdown"); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestStdShutdownWithSilentClient(t *testing.T) {
	t.Parallel()
	states := make(chan http.ConnState, 8)
	url, srv, _ := stdStart(t, &stdServer{Handler: stdText("x"),
		ConnState: func(c net.Conn, st http.ConnState) { states <- st }})
	w := stdDial(t, url)
	if st := stdAwait(t, states, "the connection"); st != http.StateNew {
		t.Errorf("state %v; want new", st)
	}
	// net/http gives a connection that never spoke five seconds.
	stdShutdown(t, srv)
	w.wantClosed()
}

func TestStdShutdownContext(t *testing.T) {
	t.Parallel()
	inside := make(chan struct{})
	release := make(chan struct{})
	defer close(release)
	url, srv, _ := stdStart(t, &stdServer{Handler: http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) { close(inside); <-release })})
	w := stdDial(t, url)
	w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	stdAwait(t, inside, "the handler")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := srv.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown with a busy handler and an ended context: %v", err)
	}
}

func TestStdCloseTwice(t *testing.T) {
	t.Parallel()
	srv := stdPeerOf(&stdServer{})
	if err := errors.Join(srv.Close(), srv.Close()); err != nil {
		t.Errorf("closing an unused server: %v", err)
	}
	stdShutdown(t, srv)
}

func TestStdCloseCutsAll(t *testing.T) {
	t.Parallel()
	inside, gone := make(chan struct{}), make(chan struct{})
	url, srv, _ := stdStart(t, &stdServer{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(inside)
		<-r.Context().Done()
		close(gone)
	})})
	w := stdDial(t, url)
	w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	stdAwait(t, inside, "the handler")
	if err := srv.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	w.wantClosed()
	stdAwait(t, gone, "the end of the request's context")
}

// stdCountClose counts how often a listener is closed.
type stdCountClose struct {
	net.Listener
	n atomic.Int32
}

func (l *stdCountClose) Close() error {
	if l.n.Add(1) == 1 && l.Listener != nil {
		return l.Listener.Close()
	}
	return nil
}

func TestStdListenerClosedOnce(t *testing.T) {
	t.Parallel()
	ln := &stdCountClose{Listener: stdListen(t)}
	srv := stdPeerOf(&stdServer{Handler: stdText("x")})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	w := stdDial(t, ln.Addr().String())
	w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	w.next("GET")
	stdShutdown(t, srv)
	stdAwait(t, served, "the end of Serve")
	if n := ln.n.Load(); n != 1 {
		t.Errorf("the listener was closed %d times; want once", n)
	}
}

func TestStdShutdownThenServe(t *testing.T) {
	t.Parallel()
	srv := stdPeerOf(&stdServer{})
	stdShutdown(t, srv)
	ln := &stdCountClose{}
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve: %v; want ErrServerClosed", err)
	}
	if n := ln.n.Load(); n != 1 {
		t.Errorf("the listener was closed %d times; want once", n)
	}
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("ListenAndServe: %v; want ErrServerClosed", err)
	}
}

func TestStdServeConcurrently(t *testing.T) {
	t.Parallel()
	for range 50 {
		srv := stdPeerOf(&stdServer{})
		errs := make(chan error, 2)
		for range 2 {
			go func() { errs <- srv.Serve(&stdOneConn{}) }()
		}
		for range 2 {
			if err := stdAwait(t, errs, "Serve"); !errors.Is(err, io.EOF) {
				t.Errorf("Serve: %v; want the listener's error", err)
			}
		}
		srv.Close()
	}
}

// stdUncomparable is a listener that cannot be a map key.
type stdUncomparable []int

func (stdUncomparable) Accept() (net.Conn, error) { return nil, io.EOF }
func (stdUncomparable) Addr() net.Addr            { return nil }
func (stdUncomparable) Close() error              { return nil }

func TestStdUncomparableListener(t *testing.T) {
	t.Parallel()
	srv := stdPeerOf(&stdServer{})
	defer srv.Close()
	if err := srv.Serve(make(stdUncomparable, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("Serve: %v; want the listener's error", err)
	}
}

// stdErrors is a listener of errors.
type stdErrors struct {
	stdOneConn
	errs []error
}

func (l *stdErrors) Accept() (net.Conn, error) {
	if len(l.errs) == 0 {
		return nil, io.EOF
	}
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, err
}

func TestStdAcceptErrors(t *testing.T) {
	t.Parallel()
	full := &net.OpError{Op: "accept", Err: syscall.EMFILE}
	ln := &stdErrors{errs: []error{full, full}}
	var log stdLog
	srv := stdPeerOf(&stdServer{ErrorLog: log.logger()})
	defer srv.Close()
	if err := srv.Serve(ln); !errors.Is(err, io.EOF) || len(ln.errs) != 0 {
		t.Errorf("Serve: %v; want it to go on after a lack of descriptors", err)
	}
	if !strings.Contains(log.String(), "too many open files") {
		t.Errorf("log %q; want the lack of descriptors", log.String())
	}
}

func TestStdListenAndServe(t *testing.T) {
	t.Parallel()
	ln := stdListen(t)
	defer ln.Close()
	if err := stdPeerOf(&stdServer{Addr: ln.Addr().String()}).ListenAndServe(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("an address in use: %v", err)
	}
	addrs := make(chan string, 1)
	srv := stdPeerOf(&stdServer{Addr: "127.0.0.1:0", Handler: stdText("x"), BaseContext: func(l net.Listener) context.Context {
		addrs <- l.Addr().String()
		return context.Background()
	}})
	served := make(chan error, 1)
	go func() { served <- srv.ListenAndServe() }()
	if got := stdGet(t, "http://"+stdAwait(t, addrs, "the address")); got.body != "x" {
		t.Errorf("%q", got.body)
	}
	stdShutdown(t, srv)
	if err := stdAwait(t, served, "ListenAndServe"); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("ListenAndServe: %v; want ErrServerClosed", err)
	}
}

func TestStdHandlerPanics(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		value  any
		hijack bool
		logged string
	}{
		"a value":           {"on purpose", false, "on purpose"},
		"an error":          {errors.New("on purpose"), false, "on purpose"},
		"nil":               {nil, false, "PanicNilError"},
		"with hijack":       {"on purpose", true, "on purpose"},
		"abort":             {http.ErrAbortHandler, false, ""},
		"abort with hijack": {http.ErrAbortHandler, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log stdLog
			url, _, stop := stdStart(t, &stdServer{ErrorLog: log.logger(), Handler: http.HandlerFunc(
				func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/fine" {
						return
					}
					if tt.hijack {
						if c, _ := stdHijack(t, w); c != nil {
							defer c.Close()
						}
					}
					panic(tt.value)
				})})
			if got := stdRaw(t, url, "GET / HTTP/1.1\nHost: x"); got != "" {
				t.Errorf("%q came from a handler that panicked", got)
			}
			if got := stdGet(t, url+"/fine"); got.StatusCode != 200 {
				t.Errorf("the server after the panic: %d", got.StatusCode)
			}
			if tt.logged == "" {
				stop()
				if got := log.String(); got != "" {
					t.Errorf("an aborted handler was logged: %q", got)
				}
				return
			}
			stdEventually(t, "the panic in the log", func() bool {
				got := log.String()
				return strings.Contains(got, "goroutine ") && strings.Contains(got, "nethttp_life_test.go:")
			})
		})
	}
}

func TestStdPanicMidBody(t *testing.T) {
	t.Parallel()
	for _, value := range []any{"boom", nil, http.ErrAbortHandler} {
		var log stdLog
		read := make(chan struct{})
		url, _, _ := stdStart(t, &stdServer{ErrorLog: log.logger(), Handler: http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, "hello")
				stdFlush(w)
				select {
				case <-read:
				case <-r.Context().Done():
				}
				panic(value)
			})})
		res, err := stdClient(t).Get(url)
		if err != nil {
			t.Fatal(err)
		}
		close(read)
		if got := stdRead(res); got.body != "hello" || got.err == nil {
			t.Errorf("panic(%v): %q, %v; want what was flushed and an error", value, got.body, got.err)
		}
		if quiet := value == any(http.ErrAbortHandler); !quiet {
			stdEventually(t, "the panic in the log", func() bool { return strings.Contains(log.String(), "goroutine ") })
		} else if log.String() != "" {
			t.Errorf("panic(%v) was logged: %q", value, log.String())
		}
	}
}

func TestStdTimeoutHandler(t *testing.T) {
	t.Parallel()
	release := make(chan struct{}, 1)
	werrs := make(chan error, 1)
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		<-release
		_, err := w.Write([]byte("hi"))
		werrs <- err
	})
	release <- struct{}{}
	got := stdGet(t, stdHandle(t, http.TimeoutHandler(slow, stdPatience, "").ServeHTTP))
	if err := <-werrs; got.StatusCode != 200 || got.body != "hi" || err != nil {
		t.Errorf("in time: %d %q, write %v", got.StatusCode, got.body, err)
	}
	got = stdGet(t, stdHandle(t, http.TimeoutHandler(slow, 30*time.Millisecond, "").ServeHTTP))
	if got.StatusCode != 503 || !strings.Contains(got.body, "<title>Timeout</title>") ||
		got.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("too late: %d %q %v", got.StatusCode, got.body, got.Header)
	}
	release <- struct{}{}
	if err := stdAwait(t, werrs, "the late write"); !errors.Is(err, http.ErrHandlerTimeout) {
		t.Errorf("the late write: %v; want ErrHandlerTimeout", err)
	}
}

func TestStdTimeoutHandlerRaces(t *testing.T) { // hazard 174
	t.Parallel()
	for name, h := range map[string]http.Handler{
		"body": http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for range 20 {
				if _, err := io.WriteString(w, "hi"); err != nil {
					return
				}
				<-time.After(time.Millisecond)
			}
		}), 10*time.Millisecond, ""),
		"header": http.TimeoutHandler(stdCode(204), time.Nanosecond, ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := stdHandle(t, h.ServeHTTP)
			c := stdClient(t)
			for range 30 {
				got := stdDo(t, c, stdRequest(t, "GET", url, nil))
				if s := got.StatusCode; s != 200 && s != 204 && s != 503 {
					t.Errorf("status %d", s)
				}
			}
		})
	}
}

func TestStdTimeoutHandlerStartsWithRequest(t *testing.T) {
	t.Parallel()
	stdRetry(t, func(d time.Duration) error {
		url := stdHandle(t, http.TimeoutHandler(stdCode(204), d, "").ServeHTTP)
		<-time.After(d + d/2)
		if got := stdGet(t, url); got.StatusCode != 204 {
			return fmt.Errorf("status %d; want 204", got.StatusCode)
		}
		return nil
	})
}

func TestStdTimeoutHandlerCanceled(t *testing.T) {
	t.Parallel()
	werrs := make(chan error, 1)
	h := http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := io.WriteString(w, "a"); err != nil {
				werrs <- err
				return
			}
			<-time.After(time.Millisecond)
		}
	}), stdPatience, "")
	got := stdGet(t, stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		h.ServeHTTP(w, r.WithContext(ctx))
	}))
	if got.StatusCode != 503 || got.body != "" {
		t.Errorf("%d %q; want an empty 503", got.StatusCode, got.body)
	}
	if err := stdAwait(t, werrs, "the write error"); !errors.Is(err, context.Canceled) {
		t.Errorf("the write: %v; want context.Canceled", err)
	}
}

func TestStdTimeoutHandlerEmpty(t *testing.T) {
	t.Parallel()
	h := http.TimeoutHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), stdPatience, "")
	if got := stdGet(t, stdHandle(t, h.ServeHTTP)); got.StatusCode != 200 {
		t.Errorf("status %d; want 200", got.StatusCode)
	}
}

func TestStdTimeoutHandlerPanic(t *testing.T) {
	t.Parallel()
	var log stdLog
	h := http.TimeoutHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("on purpose") }), stdPatience, "")
	url, _, _ := stdStart(t, &stdServer{ErrorLog: log.logger(), Handler: h})
	w := stdDial(t, url)
	w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	w.wantClosed()
	stdEventually(t, "the panic in the log", func() bool { return strings.Contains(log.String(), "on purpose") })
}

func TestStdTimeoutHandlerLogs(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		var log stdLog
		exit := make(chan struct{})
		d := stdPatience
		if late {
			d = 30 * time.Millisecond
		} else {
			close(exit)
		}
		h := http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for range 4 {
				w.WriteHeader(404)
			}
			<-exit
		}), d, "timed out here!")
		url, _, _ := stdStart(t, &stdServer{ErrorLog: log.logger(), Handler: h})
		got := stdGet(t, url)
		if want := map[bool]string{false: "404 ", true: "503 timed out here!"}[late]; fmt.Sprint(got.StatusCode, " ", got.body) != want {
			t.Errorf("late %v: %d %q", late, got.StatusCode, got.body)
		}
		if late {
			close(exit)
		}
		// TimeoutHandler finds the log through ServerContextKey, as an *http.Server.
		if n := strings.Count(log.String(), "superfluous response.WriteHeader call from"); n != 3 {
			t.Errorf("late %v: %d superfluous calls in the server's log; want 3: %q", late, n, log.String())
		}
	}
}
