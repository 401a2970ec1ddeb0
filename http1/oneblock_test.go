package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/d74363f0/strand/internal/buf"
)

// shape is one way to answer a request.
type shape struct {
	method  string
	minor   int
	status  int
	size    int  // bytes of body that the handler writes
	declare bool // Content-Length is set
	flush   int  // 0: never, 1: before the body, 2: behind it
	long    bool // the lines that the server adds do not fit where room was left for them
}

func (s shape) request() string {
	return fmt.Sprintf("%s /?%s HTTP/1.%d\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", s.method, s.query(), s.minor)
}

func (s shape) query() string {
	return fmt.Sprintf("%d-%d-%t-%d-%t", s.status, s.size, s.declare, s.flush, s.long)
}

func (s shape) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	rc := http.NewResponseController(w)
	if s.long {
		w.Header().Set("Connection", strings.Repeat("x", 400))
	}
	if s.declare {
		w.Header().Set("Content-Length", fmt.Sprint(s.size))
	}
	w.Header().Set("X-Shape", s.query())
	w.WriteHeader(s.status)
	if s.flush == 1 {
		_ = rc.Flush()
	}
	_, _ = io.WriteString(w, strings.Repeat("b", s.size)) // some may have no body
	if s.flush == 2 {
		_ = rc.Flush()
	}
}

func shapes() (all []shape) {
	for _, method := range []string{"GET", "HEAD"} {
		for minor := range 2 {
			for _, status := range []int{200, 204, 304} {
				for _, size := range []int{0, 1, gatherMax, gatherMax + 1, 70_000} {
					for flush := range 3 {
						for _, declare := range []bool{false, true} {
							for _, long := range []bool{false, true} {
								all = append(all, shape{method, minor, status, size, declare, flush, long})
							}
						}
					}
				}
			}
		}
	}
	return all
}

// answer is what a client sees of a response to s, with two of the same request sent at once, as text.
func (s shape) answer(t *testing.T, addr string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, strings.Repeat(s.request(), 2)); err != nil {
		t.Fatal(err)
	}
	_ = c.(*net.TCPConn).CloseWrite()
	raw, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	var out strings.Builder
	br := bufio.NewReader(bytes.NewReader(raw))
	for {
		res, err := http.ReadResponse(br, &http.Request{Method: s.method})
		if err != nil {
			rest, _ := io.ReadAll(br)
			fmt.Fprintf(&out, "%v, %d bytes behind it", err, len(rest))
			return out.String()
		}
		body, err := io.ReadAll(res.Body)
		res.Header.Del("Date")
		fmt.Fprintf(&out, "%s %s %v %d %v %t %d %v\n", res.Proto, res.Status, res.Header, res.ContentLength, res.TransferEncoding,
			res.Close, len(body), err)
		if bytes.Count(body, []byte("b")) != len(body) {
			t.Errorf("%+v: a body with other bytes", s)
		}
	}
}

// TestResponsesAsNetHTTP: a response looks like net/http's, whichever way its pieces go to the connection.
func TestResponsesAsNetHTTP(t *testing.T) {
	before, _ := atRest(t)
	all := make(map[string]shape)
	h := func(w http.ResponseWriter, r *http.Request) { all[r.URL.RawQuery].ServeHTTP(w, r) }
	for _, s := range shapes() {
		all[s.query()] = s
	}
	std := httptest.NewServer(http.HandlerFunc(h))
	defer std.Close()
	ts := serve(t, h, nil)
	for _, s := range shapes() {
		want, got := s.answer(t, std.Listener.Addr().String()), s.answer(t, ts.addr)
		if got != want {
			t.Errorf("%+v:\n%s\nnet/http:\n%s", s, got, want)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); buf.InUse() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d Blocks are not home", buf.InUse()-before)
		}
	}
}
