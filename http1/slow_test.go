package http1

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/h1"
)

// answers reads responses off a connection, wants them whole, and returns the bodies' lengths.
func answers(t *testing.T, r io.Reader, n int) (sizes []int64) {
	t.Helper()
	br := bufio.NewReader(r)
	for range n {
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		k, err := io.Copy(io.Discard, res.Body)
		if err != nil {
			t.Fatalf("after %d bytes: %v", k, err)
		}
		sizes = append(sizes, k)
	}
	return sizes
}

// fill writes until the client's kernel takes no more and left or fewer bytes of room are in the queue.
func fill(w http.ResponseWriter, max, left int) {
	res := w.(*response)
	for full := 0; full < 25; {
		room := max - res.hc.c.Buffered()
		if room <= left {
			full++ // or the portable transport's writer has not come to it yet
			time.Sleep(time.Millisecond)
			continue
		}
		full = 0
		_, _ = io.WriteString(w, strings.Repeat("x", min(max/2, room-left/2)))
		_ = http.NewResponseController(w).Flush()
	}
}

// TestIdleTimeoutWithAResponseToRead: a client that still has a response to read is not idle.
func TestIdleTimeoutWithAResponseToRead(t *testing.T) {
	conns := make(chan *conn, 1)
	ts := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fill(w, DefaultMaxQueued, DefaultMaxQueued/2)
		conns <- w.(*response).hc
	}, nil)
	c := ts.dial(t)
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	hc := <-conns
	kept := make(chan bool)
	if err := hc.c.Post(func(c *strand.Conn) {
		kept <- hc.OnTimeout(c, strand.TimeoutIdle) && hc.mode == modeHead
	}); err != nil {
		t.Fatal(err)
	}
	if !<-kept {
		t.Errorf("closed with %d bytes to be read", hc.c.Buffered())
	}
	answers(t, c, 1)
}

// TestServersOwnWritesFindRoom: what the server writes by itself is not lost where the answers before fill a small queue.
func TestServersOwnWritesFindRoom(t *testing.T) {
	const queue = maxPending // as much as may wait when a request is begun
	for request, want := range map[string]string{
		"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello": "HTTP/1.1 100 Continue\r\n",
		"GET /hints HTTP/1.1\r\nHost: x\r\n\r\n":                                                   "HTTP/1.1 103 Early Hints\r\n",
		"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n":                                                    "HTTP/1.1 400 Bad Request\r\n",
	} {
		filled := make(chan struct{})
		ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/fill":
				fill(w, queue, 40)
				close(filled)
			case "/echo":
				_, _ = io.Copy(w, r.Body)
			case "/hints":
				w.WriteHeader(http.StatusEarlyHints)
				_, _ = io.WriteString(w, "done")
			}
		}, func(s *Server) { s.MaxQueued = queue })
		c := ts.dial(t)
		if _, err := io.WriteString(c, "GET /fill HTTP/1.1\r\nHost: x\r\n\r\n"+request); err != nil {
			t.Fatal(err)
		}
		<-filled                          // a client that reads meanwhile keeps the queue from being full
		time.Sleep(50 * time.Millisecond) // for the second request to be looked at too early
		br := bufio.NewReader(c)
		answers(t, br, 1)
		if line, err := br.ReadString('\n'); line != want {
			t.Errorf("%q, %v; want %q", line, err, want)
		}
	}
}

// TestFailedWriteEndsTheContext: who waits for the context of a request whose response cannot be written goes on.
func TestFailedWriteEndsTheContext(t *testing.T) {
	done := make(chan error, 1)
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		p := make([]byte, 1<<20)
		var err error
		for err == nil {
			_, err = w.Write(p)
		}
		<-r.Context().Done()
		done <- err
	}, func(s *Server) { s.WriteTimeout = 100 * time.Millisecond })
	c := ts.dial(t)
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(15 * time.Second):
		t.Error("the context of a request whose response has failed is not done")
	}
}

// TestBodyRateBesideADeadline: the deadline that a handler has set for its reads is not put off by MinBodyRate.
func TestBodyRateBesideADeadline(t *testing.T) {
	took := make(chan time.Duration, 1)
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		if err := http.NewResponseController(w).SetReadDeadline(began.Add(100 * time.Millisecond)); err != nil {
			t.Error(err)
		}
		if _, err := io.ReadAll(r.Body); err == nil {
			t.Error("a body that did not come was read")
		}
		took <- time.Since(began)
	}, func(s *Server) { s.MinBodyRate, s.bodyGrace = 1, 15*time.Second })
	c := ts.dial(t)
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if d := <-took; d > 10*time.Second {
		t.Errorf("the read ended after %v, not 100 ms", d)
	}
}

// TestWriteTimeoutBehindALinger: a client that is still sending, and reads just enough to be called alive, has no more time for
// its response than WriteTimeout, whether that ends before or behind the time for its own last words.
func TestWriteTimeoutBehindALinger(t *testing.T) {
	for _, tt := range []struct{ limit, atMost time.Duration }{
		{300 * time.Millisecond, lingerTime},
		{lingerTime + 500*time.Millisecond, 4 * lingerTime},
	} {
		t.Run(tt.limit.String(), func(t *testing.T) {
			ended := make(chan struct{})
			ts := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				fill(w, DefaultMaxQueued, 1<<10)
			}, func(s *Server) {
				s.WriteTimeout = tt.limit
				s.ConnState = func(_ net.Conn, st http.ConnState) {
					if st == http.StateClosed {
						close(ended)
					}
				}
			})
			c := ts.dial(t)
			if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nthe beginning"); err != nil {
				t.Fatal(err)
			}
			late := time.After(tt.atMost)
			for {
				select {
				case <-ended:
					return
				case <-late:
					t.Fatalf("not ended after %v", tt.atMost)
				case <-time.After(10 * time.Millisecond):
					_, _ = c.Write([]byte("x")) // on an error it has ended
					_, _ = c.Read(make([]byte, 128))
				}
			}
		})
	}
}

// TestWriteTimeoutOfAPanic: what a handler wrote before it panicked has its own request's time to be sent, not that of the one before.
func TestWriteTimeoutOfAPanic(t *testing.T) {
	conns := make(chan *conn, 2)
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fill(w, DefaultMaxQueued, 1<<10)
		conns <- w.(*response).hc
		if r.Method == "POST" {
			panic(http.ErrAbortHandler)
		}
	}, func(s *Server) { s.WriteTimeout = time.Minute })
	c := ts.dial(t)
	bound := func() int64 {
		t.Helper()
		hc, by := <-conns, make(chan int64)
		if err := hc.c.Post(func(*strand.Conn) { by <- hc.rare().writeBy }); err != nil {
			t.Fatal(err)
		}
		return <-by
	}
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	first := bound()
	answers(t, c, 1)
	began := time.Now()
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if second := bound(); first == 0 || second < began.Add(time.Minute).UnixNano() {
		t.Errorf("the time ends at %d, that of the response before at %d", second, first)
	}
}

// TestTimerOfALinger: a timer that rings before the time of a linger is over, for output that has been sent since, ends nothing; and an
// answer of the server's own has not the time of a response before it.
func TestTimerOfALinger(t *testing.T) {
	conns := make(chan *conn, 1)
	ts := serve(t, func(w http.ResponseWriter, _ *http.Request) { conns <- w.(*response).hc }, nil)
	c := ts.dial(t)
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answers(t, c, 1)
	hc, done := <-conns, make(chan error, 1)
	if err := hc.c.Post(func(*strand.Conn) {
		hc.rare().writeBy = 1 // long ago
		hc.reject(&h1.Error{Status: http.StatusBadRequest})
		if by := hc.extra.writeBy; by != 0 {
			t.Errorf("the answer must have been sent by %d", by)
		}
		hc.extra.lingerBy = time.Now().Add(time.Minute).UnixNano()
		hc.timer()
		done <- hc.c.Post(func(*strand.Conn) {}) // an error says that it has ended
	}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
