package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/d74363f0/strand/internal/steady"
)

// A turn that ends at MaxPipelined with nothing buffered, and that did not begin with an event
// of the poller, must still be followed by another one: the kernel has more.
func TestTurnLimitKeepsReading(t *testing.T) {
	release := make(chan struct{})
	var once sync.Once
	first := make(chan struct{})
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(first); <-release })
	}, func(s *Server) { s.MaxPipelined = 3 })
	for _, size := range []int{64, 128, 256} {
		head := "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nA: "
		req := head + strings.Repeat("a", size-len(head)-8) + "\r\n\r\nbody" // which the handler leaves
		const more = 300
		once, first, release = sync.Once{}, make(chan struct{}), make(chan struct{})
		c := ts.dial(t)
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.WriteString(c, strings.Repeat(req, 4)); err != nil {
			t.Fatal(err)
		}
		<-first
		if _, err := io.WriteString(c, strings.Repeat(req, more)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
		close(release)
		br := bufio.NewReader(c)
		for i := range 4 + more {
			res, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Fatalf("requests of %d bytes: response %d: %v", size, i, err)
			}
			_ = res.Body.Close()
		}
		_ = c.Close()
	}
}

// The read deadline that MinBodyRate set for a body must not outlive it.
func TestBodyRateEndsWithBody(t *testing.T) {
	steady.Try(t, 100*time.Millisecond, func(t testing.TB) {
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
	})
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

// A connection over the limit was never new, so it is not reported as closed either: those
// who count connections by ConnState would count below zero.
func TestRefusedConnHasNoState(t *testing.T) {
	var mu sync.Mutex
	count := map[http.ConnState]int{}
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {}, func(s *Server) {
		s.MaxConns = 1
		s.ConnState = func(_ net.Conn, st http.ConnState) {
			mu.Lock()
			defer mu.Unlock()
			count[st]++
		}
	})
	c := ts.dial(t)
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
		t.Fatal(err)
	}
	// It ends, with a reset if it came with a TLS hello, maybe before Dial returns.
	if refused, err := net.Dial("tcp", ts.addr); err == nil {
		_, _ = io.ReadAll(refused)
		_ = refused.Close()
	}
	time.Sleep(50 * time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	if count[http.StateNew] != 1 || count[http.StateClosed] != 0 {
		t.Errorf("states: %v", count)
	}
}

// What follows a CONNECT may be meant for the far end of a tunnel, so it is never read as a
// request (hazard 42).
func TestNothingBehindConnect(t *testing.T) {
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/smuggled" {
			t.Error("the bytes behind a CONNECT were served")
		}
	}, nil)
	got := statuses(t, ts.exchangeRaw(t, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"), "CONNECT")
	if got != "200" {
		t.Error(got)
	}
}

// A handler that hijacks in a goroutine and returns meanwhile must not get the server to
// touch memory that it gave up.
func TestHijackRacesReturn(t *testing.T) {
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		started := make(chan struct{})
		go func() {
			close(started)
			nc, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			rest, _ := rw.Peek(5)
			if string(rest) != "extra" {
				t.Errorf("left over: %q", rest)
			}
			_ = nc.Close()
		}()
		<-started
	}, nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 300 {
				c := ts.dial(t)
				_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\nextra")
				_ = c.(*net.TCPConn).CloseWrite()
				_, _ = io.ReadAll(c)
				_ = c.Close()
			}
		})
	}
	wg.Wait()
	if strings.Contains(ts.log.String(), "released") {
		t.Error(ts.log)
	}
}

// A handler's framing headers are ours however it spells them: two lines that disagree would
// have a proxy see another response than the client.
func TestFramingHeadersOfAnySpelling(t *testing.T) {
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["content-length"] = []string{"3"}
		w.Header()["transfer-encoding"] = []string{"chunked"}
		w.Header()["connection"] = []string{"close"}
		_, _ = io.WriteString(w, "hello")
	}, nil)
	raw := ts.exchangeRaw(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	lower := strings.ToLower(raw)
	if strings.Count(lower, "content-length:")+strings.Count(lower, "transfer-encoding:") != 1 ||
		strings.Count(lower, "connection:") != 1 {
		t.Errorf("%q", raw)
	}
}

// What a handler writes beyond its Content-Length is refused, and costs the connection nothing: the answers to what
// was pipelined behind it are still given.
func TestExcessKeepsConnection(t *testing.T) { // hazards 52, 169
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "2")
		_, _ = io.WriteString(w, "ok")
		if _, err := io.WriteString(w, "too much"); err != http.ErrContentLength {
			t.Errorf("excess: %v", err)
		}
	}, nil)
	const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	c := ts.dial(t)
	if _, err := io.WriteString(c, get+get+get); err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(c)
	for i := range 3 {
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		if b, err := io.ReadAll(res.Body); string(b) != "ok" || err != nil || res.Close {
			t.Errorf("answer %d: %q, %v, close %v", i, b, err, res.Close)
		}
	}
}

// An empty line behind a body is no request: the connection stays idle, has no deadline for a head, and Shutdown closes it.
func TestEmptyLineLeavesConnIdle(t *testing.T) {
	states := make(chan http.ConnState, 16)
	var srv *Server
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		srv.ReadHeaderTimeout = 100 * time.Millisecond // only now: the first head may take longer
	}, func(s *Server) {
		s.ConnState = func(_ net.Conn, st http.ConnState) { states <- st }
		srv = s
	})
	c := ts.dial(t)
	br := bufio.NewReader(c)
	for range 2 {
		if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := http.ReadResponse(br, nil); err != nil {
			t.Fatal(err)
		}
		for st := http.StateNew; st != http.StateIdle; st = <-states {
		}
		time.Sleep(250 * time.Millisecond)
		if len(states) > 0 {
			t.Fatalf("behind an empty line the connection is %v", <-states)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := ts.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// Empty lines that come one by one are counted together, and nothing but the head's own first byte begins its time.
func TestEmptyLinesOneByOne(t *testing.T) {
	began := make(chan time.Time, 1)
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if x := w.(*response).hc.extra; x != nil {
			began <- x.began
			return
		}
		began <- time.Time{}
	}, func(s *Server) { s.ReadTimeout = 20 * time.Second })
	c := ts.dial(t)
	say := func(s string) {
		if _, err := io.WriteString(c, s); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	br := bufio.NewReader(c)
	for range 4 {
		say("\r\n")
	}
	first := time.Now()
	say("GET / HT")
	say("TP/1.1\r\nHost: x\r\n\r\n")
	if _, err := http.ReadResponse(br, nil); err != nil {
		t.Fatal(err)
	}
	if at := <-began; !at.IsZero() && at.Before(first) { // zero: the parts came as one
		t.Errorf("the head began %v too early", first.Sub(at))
	}
	for range 5 {
		say("\r\n")
	}
	if res, err := http.ReadResponse(br, nil); err != nil || res.StatusCode != http.StatusBadRequest {
		t.Errorf("five empty lines: %v, %v", res, err)
	}
}

// A handler that calls Goexit costs the requests before it nothing.
func TestGoexitKeepsEarlierAnswers(t *testing.T) { // hazard 147
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/exit" {
			runtime.Goexit()
		}
		_, _ = io.WriteString(w, "first")
	}, nil)
	c := ts.dial(t)
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /exit HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); !strings.HasSuffix(string(b), "\r\n\r\nfirst") || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// A handler that calls Goexit after Hijack leaves the connection to whom it gave it.
func TestGoexitAfterHijack(t *testing.T) { // hazard 147
	taken := make(chan net.Conn, 1)
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		nc, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
		}
		taken <- nc
		runtime.Goexit()
	}, nil)
	c := ts.dial(t)
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	nc := <-taken
	time.Sleep(50 * time.Millisecond) // the handler's goroutine ends
	if _, err := io.WriteString(nc, "mine"); err != nil {
		t.Error(err)
	}
	_ = nc.Close()
	if b, err := io.ReadAll(c); string(b) != "mine" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// A Read that owes a 100, or finds the body too large, does not wait for a Write that waits for the client.
func TestReadBesideBlockedWrite(t *testing.T) {
	for name, head := range map[string]string{
		"100":       "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
		"too large": "Transfer-Encoding: chunked\r\n\r\n7\r\nhello, \r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			read := make(chan string, 1)
			ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
				sc := w.(*response).hc.c
				_ = http.NewResponseController(w).Flush()
				written := make(chan struct{})
				go func() { defer close(written); _, _ = w.Write(make([]byte, 64<<20)) }()
				for same, last := 0, 0; same < 20; time.Sleep(5 * time.Millisecond) { // until the Write waits
					n := sc.Buffered()
					if same++; n == 0 || n != last {
						same, last = 0, n
					}
				}
				b, _ := io.ReadAll(r.Body)
				read <- string(b)
				<-written
			}, func(s *Server) { s.MaxBodyBytes = 5 })
			c := ts.dial(t)
			if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\n"+head); err != nil {
				t.Fatal(err)
			}
			select {
			case got := <-read:
				if got != "hello" {
					t.Errorf("read %q", got)
				}
			case <-time.After(10 * time.Second):
				t.Error("Read waits for the Write")
			}
			_ = c.Close()
		})
	}
}
