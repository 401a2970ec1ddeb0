package http1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand/internal/steady"
)

const (
	get  = "GET / HTTP/1.1\r\nHost: h\r\n"
	post = "POST / HTTP/1.1\r\nHost: h\r\n"
	next = "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"
)

// reads answers with what it read, or 400 with the error; it counts calls by path.
type reads struct{ next, all atomic.Int32 }

func (r *reads) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.all.Add(1)
	if req.URL.Path == "/next" {
		r.next.Add(1)
	}
	b, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), 400)
		return
	}
	_, _ = fmt.Fprintf(w, "%s %q", req.URL.Path, b)
}

// hazards 1-55 on the wire: what the grammar refuses is answered and ends the connection, and
// what stands behind it is never dispatched (invariants I7, I8). internal/h1 has the whole
// table; these are its kinds.
func TestHazardsRejected(t *testing.T) {
	te := post + "Transfer-Encoding: "
	ch := te + "chunked\r\n\r\n"
	for _, tt := range []struct {
		hazard   int
		in       string
		statuses string
	}{
		{1, post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		{2, post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		{3, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		{4, te + "chunked, chunked\r\n\r\n0\r\n\r\n", "400"},
		{5, te + "chunked, gzip\r\n\r\n0\r\n\r\n", "400"},
		{6, te + "blegh\r\n\r\n", "501"},
		{7, te + "chunked,\r\n\r\n0\r\n\r\n", "400"},
		{8, post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "400"},
		{9, post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "400"},
		{10, post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "400"},
		{12, post + "Content-Length: +5\r\n\r\nhello", "400"},
		{16, post + "Content-Length: 18446744073709551621\r\n\r\nhello", "400"},
		{18, ch + "0x5\r\nhello\r\n0\r\n\r\n", "400"},
		{19, ch + "FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n", "400"},
		{20, ch + "5\nhello\r\n0\r\n\r\n", "400"},
		{22, ch + "5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n", "400"},
		{23, ch + "5;" + strings.Repeat("a", 64<<10) + "\r\nhello\r\n0\r\n\r\n", "400"},
		{25, ch + "5\r\nhelloXX\r\n0\r\n\r\n", "400"},
		{26, ch + "0\r\nContent-Length: 5\r\n\r\n", "400"},
		{26, ch + "0\r\n" + strings.Repeat("A: b\r\n", 1e5) + "\r\n", "400"},
		{28, "GET / HTTP/1.1\nHost: h\n\n", "400"},
		{29, get + "A: b\rc\r\n\r\n", "400"},
		{31, get + "A: b\r\n c\r\n\r\n", "400"},
		{34, get + ": x\r\n\r\n", "400"},
		{37, get + "A: b\x00c\r\n\r\n", "400"},
		{38, "\x00" + get + "\r\n", "400"},
		{39, "\r\n\r\n\r\n\r\n\r\n\r\n" + get + "\r\n", "400"},
		{40, "GET / HTTP/1.1\r\n\r\n", "400"},
		{43, "GET * HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
		{44, "GET /a\x01b HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
		{45, strings.Repeat("G", 1<<20), "414"},
		{46, "GET / HTTP/9.9\r\nHost: h\r\n\r\n", "505"},
		{47, "GET /\r\n\r\n", "400"},
		{48, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
		{48, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400"},
		{55, get + "\r\n" + get + "Host: h\r\n\r\n", "200 400"},
		{56, "GET /" + strings.Repeat("a", 1<<20) + " HTTP/1.1\r\nHost: h\r\n\r\n", "414"},
		{57, get + "A: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", "431"},
		{57, get + strings.Repeat("a", 2<<20) + ": a\r\n\r\n", "431"},
		{58, get + strings.Repeat("a: b\r\n", 10000) + "\r\n", "431"},
		{109, get + "Upgrade: websocket\r\nConnection: Upgrade\r\n" + strings.Repeat("Sec-WebSocket-Protocol: x\r\n", 10000) + "\r\n", "431"},
		{66, post + "Expect: x\r\nContent-Length: 5\r\n\r\nhello", "417"},
		{68, post + "Content-Length: 1099511627776\r\n\r\n", "413"},
		{69, post + "Content-Length: 4097\r\n\r\n" + strings.Repeat("x", 4097), "413"},
		{69, post + "Content-Length: 4096\r\n\r\n" + strings.Repeat("x", 4096), "200"},
		{69, ch + "1001\r\n" + strings.Repeat("x", 4097) + "\r\n0\r\n\r\n", "400"},
		{69, ch + "1000\r\n" + strings.Repeat("x", 4096) + "\r\n0\r\n\r\n", "200"},
	} {
		h := &reads{}
		ts := serve(t, h.ServeHTTP, func(s *Server) { s.MaxBodyBytes = 4096 })
		in := tt.in
		rejected := !strings.HasSuffix(tt.statuses, "200")
		if rejected {
			in += next
		}
		raw := ts.exchangeRaw(t, in)
		if got := statuses(t, raw); got != tt.statuses {
			t.Errorf("hazard %d: %.100q: %s, want %s", tt.hazard, tt.in, got, tt.statuses)
		}
		if h.next.Load() != 0 {
			t.Errorf("hazard %d: %.100q: what stood behind it was dispatched", tt.hazard, tt.in)
		}
		if last := raw[strings.LastIndex(raw, "HTTP/1.1 "):]; rejected && !strings.Contains(last, "\r\nConnection: close\r\n") {
			t.Errorf("hazard %d: %.100q: no Connection: close in %q", tt.hazard, tt.in, last)
		}
		if log := ts.log.String(); log != "" { // I6
			t.Errorf("hazard %d: logged %q", tt.hazard, log)
		}
	}
}

// hazards 27, 72: a body that ends too early is an error to its reader, and no success.
func TestBodyCutShort(t *testing.T) {
	for _, in := range []string{
		post + "Content-Length: 10\r\n\r\nhello",
		post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
	} {
		got := make(chan error, 1)
		ts := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			got <- err
		}, nil)
		raw := ts.exchangeRaw(t, in)
		if err := <-got; err != io.ErrUnexpectedEOF {
			t.Errorf("%q: read error %v", in, err)
		}
		if s := statuses(t, raw); s != "400" {
			t.Errorf("%q: answered %q", in, s)
		}
	}
}

// hazards 42, 49, 50: what follows a request is the next one only if framing says so.
func TestUnreadBodies(t *testing.T) {
	big := strings.Repeat("x", 300<<10)
	for _, tt := range []struct {
		name, in, want string
		dispatched     int32
	}{
		{"GET with a body", get + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(next)) + next + next, "200 200", 2},
		{"chunked", post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + next, "200 200", 2},
		{"bad chunk", post + "Transfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n" + next, "200", 1},
		{"too big to drain", post + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(big)) + big + next, "200", 1},
		{"chunked, too big to drain", post + "Transfer-Encoding: chunked\r\n\r\n4B000\r\n" + big + "\r\n0\r\n\r\n" + next, "200", 1},
		{"close", get + "Connection: close\r\n\r\n" + next, "200", 1},
		{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n" + next, "200", 1},
	} {
		var dispatched atomic.Int32
		ts := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			dispatched.Add(1)
			_, _ = io.WriteString(w, "ok")
		}, nil)
		if got := statuses(t, ts.exchangeRaw(t, tt.in)); got != tt.want || dispatched.Load() != tt.dispatched {
			t.Errorf("%s: %s, %d dispatched", tt.name, got, dispatched.Load())
		}
	}
}

// hazard 51: a handler cannot split its response.
func TestHeaderInjection(t *testing.T) {
	ts := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("A", "b\r\nEvil: 1")
		w.Header()["C\r\nEvil"] = []string{"2"}
		w.Header()["D"] = []string{"\x00e\nEvil: 3"}
		w.Header().Set("Connection", "keep-alive\r\nEvil: 4")
		w.Header().Set("Trailer", "T\r\nEvil: 5")
		w.WriteHeader(999)
	}, nil)
	raw := ts.exchangeRaw(t, get+"\r\n")
	if strings.Contains(raw, "\nEvil") || strings.Contains(raw, "\x00") {
		t.Fatalf("split: %q", raw)
	}
	if got := statuses(t, raw); got != "999" {
		t.Fatal(got)
	}
}

// hazard 52: the declared length is kept to, and statuses without a body have none.
func TestDeclaredLength(t *testing.T) {
	var result atomic.Value
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var err error
		switch r.URL.Path {
		case "/more":
			w.Header().Set("Content-Length", "3")
			_, _ = io.WriteString(w, "abc")
			_, err = io.WriteString(w, "d")
		case "/less":
			w.Header().Set("Content-Length", "5")
			_, err = io.WriteString(w, "abc")
		case "/204":
			w.WriteHeader(204)
			_, err = io.WriteString(w, "abc")
		case "/304":
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(304)
			_, err = io.WriteString(w, "abc")
		case "/head":
			_, err = io.WriteString(w, "abc")
		}
		result.Store(fmt.Sprint(err))
	}, nil)
	for _, tt := range []struct{ method, path, err, tail string }{
		{"GET", "/more", http.ErrContentLength.Error(), "\r\n\r\nabc"},
		{"GET", "/less", "<nil>", "\r\n\r\nabc"},
		{"GET", "/204", http.ErrBodyNotAllowed.Error(), "\r\n\r\n"},
		{"GET", "/304", http.ErrBodyNotAllowed.Error(), "\r\n\r\n"},
		{"HEAD", "/head", "<nil>", "Content-Length: 3\r\n\r\n"},
	} {
		raw := ts.exchangeRaw(t, tt.method+" "+tt.path+" HTTP/1.1\r\nHost: h\r\n\r\n"+strings.Replace(next, "GET", "DELETE", 1))
		first, second, _ := strings.Cut(raw[9:], "HTTP/1.1 ")
		if got := result.Load(); tt.path == "/less" && got != "<nil>" || !strings.HasSuffix(first, tt.tail) {
			t.Errorf("%s: %v, %q", tt.path, got, raw)
		}
		if closes := second == ""; closes != (tt.path == "/less") {
			t.Errorf("%s: connection closed: %v", tt.path, closes)
		}
	}
	_ = ts.exchangeRaw(t, "GET /more HTTP/1.1\r\nHost: h\r\n\r\n")
	if got := result.Load(); got != http.ErrContentLength.Error() {
		t.Errorf("writing more than declared: %v", got)
	}
	_ = ts.exchangeRaw(t, "GET /204 HTTP/1.1\r\nHost: h\r\n\r\n")
	if got := result.Load(); got != http.ErrBodyNotAllowed.Error() {
		t.Errorf("writing a body for 204: %v", got)
	}
}

// hazard 54: requests split at every byte, and byte by byte, on the wire.
func TestSplitOnTheWire(t *testing.T) {
	h := &reads{}
	ts := serve(t, h.ServeHTTP, nil)
	in := "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n" +
		"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nfg" + "GET /c HTTP/1.1\r\nHost: h\r\n\r\n"
	want := []string{`/a "abcde"`, `/b "fg"`, `/c ""`}
	for cut := 0; cut < len(in); cut++ {
		c := ts.dial(t)
		if cut == 0 { // byte by byte
			go func() {
				for i := range len(in) {
					if _, err := c.Write([]byte{in[i]}); err != nil {
						return
					}
				}
			}()
		} else {
			if _, err := io.WriteString(c, in[:cut]); err != nil {
				t.Fatal(err)
			}
			time.Sleep(200 * time.Microsecond)
			if _, err := io.WriteString(c, in[cut:]); err != nil {
				t.Fatal(err)
			}
		}
		br := bufio.NewReader(c)
		for _, w := range want {
			res, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			b, err := io.ReadAll(res.Body)
			if err != nil || string(b) != w {
				t.Fatalf("cut at %d: %q, %v, want %q", cut, b, err, w)
			}
		}
		_ = c.Close()
	}
}

// expectClosed fails unless the server closes the connection within the bounds. It returns
// what came before.
func expectClosed(t *testing.T, c net.Conn, from, to time.Duration) string {
	t.Helper()
	start := time.Now()
	b, err := io.ReadAll(c)
	if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
		t.Fatal("not closed at all")
	}
	if took := time.Since(start); took < from || took > to {
		t.Fatalf("closed after %v, want %v to %v", took, from, to)
	}
	return string(b)
}

// hazards 60, 77: the header deadline is absolute, and a connection that sends nothing has
// one, too.
func TestHeaderDeadline(t *testing.T) {
	ts := serve(t, (&reads{}).ServeHTTP, func(s *Server) { s.ReadHeaderTimeout = 150 * time.Millisecond })
	c := ts.dial(t)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for i := 0; ; i++ {
			if _, err := io.WriteString(c, (get + "A: bcdefghijklmnopqrstuvwxyz")[i%40:i%40+1]); err != nil {
				return
			}
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	if got := expectClosed(t, c, 100*time.Millisecond, 5*time.Second); !strings.HasPrefix(got, "HTTP/1.1 408 ") {
		t.Fatalf("got %q", got)
	}
	if got := expectClosed(t, ts.dial(t), 100*time.Millisecond, 2*time.Second); got != "" {
		t.Fatalf("got %q", got)
	}
}

// hazard 61: a body that arrives too slowly ends, by the absolute limit or by the rate.
func TestSlowBody(t *testing.T) {
	for name, change := range map[string]func(*Server){
		"ReadTimeout": func(s *Server) { s.ReadTimeout = 150 * time.Millisecond },
		"MinBodyRate": func(s *Server) { s.MinBodyRate, s.bodyGrace = 1000, 150*time.Millisecond },
	} {
		got := make(chan error, 1)
		ts := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			got <- err
		}, change)
		c := ts.dial(t)
		if _, err := io.WriteString(c, post+"Content-Length: 1000\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		go func() {
			for range 500 {
				time.Sleep(20 * time.Millisecond)
				if _, err := c.Write([]byte("x")); err != nil {
					return
				}
			}
		}()
		start := time.Now()
		var ne net.Error
		if err := <-got; !errors.As(err, &ne) || !ne.Timeout() || time.Since(start) < 100*time.Millisecond {
			t.Errorf("%s: body error %v after %v", name, err, time.Since(start))
		}
		raw, err := bufio.NewReader(c).ReadString('\n')
		if err != nil || !strings.HasPrefix(raw, "HTTP/1.1 400 ") {
			t.Errorf("%s: got %q, %v", name, raw, err)
		}
	}
	// One that keeps its rate is left alone.
	steady.Try(t, 75*time.Millisecond, func(t testing.TB) {
		ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			_, _ = fmt.Fprint(w, len(b), err)
		}, func(s *Server) { s.MinBodyRate, s.bodyGrace = 100, 150*time.Millisecond })
		c := ts.dial(t)
		if _, err := io.WriteString(c, post+"Content-Length: 100\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			time.Sleep(40 * time.Millisecond)
			if _, err := io.WriteString(c, "0123456789"); err != nil {
				t.Fatal(err)
			}
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(res.Body); string(b) != "100 <nil>" {
			t.Fatalf("got %q", b)
		}
	})
}

// hazard 62: a client that does not read is given up, and little waits for it.
func TestSlowReader(t *testing.T) {
	result := make(chan error, 1)
	ts := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		p := make([]byte, 1<<20)
		for {
			if _, err := w.Write(p); err != nil {
				result <- err
				return
			}
		}
	}, func(s *Server) { s.WriteProgressTimeout = 200 * time.Millisecond })
	c := ts.dial(t)
	if _, err := io.WriteString(c, get+"\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-result:
		if err == nil {
			t.Fatal("no error")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the handler still writes to a client that does not read")
	}
}

// hazard 63
func TestIdleTimeout(t *testing.T) {
	ts := serve(t, (&reads{}).ServeHTTP, func(s *Server) { s.IdleTimeout = 150 * time.Millisecond })
	c := ts.dial(t)
	if _, err := io.WriteString(c, get+"\r\n"); err != nil {
		t.Fatal(err)
	}
	if raw := expectClosed(t, c, 100*time.Millisecond, 3*time.Second); statuses(t, raw) != "200" {
		t.Fatalf("got %q", raw)
	}
}

// hazard 64
func TestMaxConns(t *testing.T) {
	for name, change := range map[string]func(*Server){
		"MaxConns":      func(s *Server) { s.MaxConns = 3 },
		"MaxConnsPerIP": func(s *Server) { s.MaxConnsPerIP = 3 },
	} {
		ts := serve(t, (&reads{}).ServeHTTP, change)
		var open []net.Conn
		ask := func(c net.Conn) error {
			if _, err := io.WriteString(c, get+"\r\n"); err != nil {
				return err
			}
			_, err := http.ReadResponse(bufio.NewReader(c), nil)
			return err
		}
		for range 3 {
			c := ts.dial(t)
			if err := ask(c); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			open = append(open, c)
		}
		if err := ask(ts.dial(t)); err == nil {
			t.Fatalf("%s: a fourth connection was served", name)
		}
		if err := ask(open[0]); err != nil {
			t.Fatalf("%s: an established connection suffered: %v", name, err)
		}
		_ = open[0].Close()
		for deadline := time.Now().Add(5 * time.Second); ; {
			if err := ask(ts.dial(t)); err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: the place of a closed connection is not free", name)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// hazard 65: while a client does not read its responses, its further requests are not begun.
func TestPipelineFlood(t *testing.T) {
	var served atomic.Int32
	body := bytes.Repeat([]byte("x"), 32<<10)
	ts := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		served.Add(1)
		_, _ = w.Write(body)
	}, nil)
	const n = 4000
	c := ts.dial(t)
	go func() { _, _ = io.WriteString(c, strings.Repeat(get+"\r\n", n)) }()
	var last int32
	for same := 0; same < 10; {
		time.Sleep(20 * time.Millisecond)
		now := served.Load()
		if same++; now != last {
			last, same = now, 0
		}
	}
	if last >= n/2 {
		t.Fatalf("%d of %d requests served for a client that reads nothing", last, n)
	}
	br := bufio.NewReader(c)
	for i := range n {
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatalf("response %d: %v", i, err)
		}
		if m, err := io.Copy(io.Discard, res.Body); m != int64(len(body)) || err != nil {
			t.Fatalf("response %d: %d bytes, %v", i, m, err)
		}
	}
}

// hazard 66: a 100 is sent when the body is wanted, once, and not to HTTP/1.0.
func TestExpectContinue(t *testing.T) {
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/unread" {
			_, _ = io.WriteString(w, "no")
			return
		}
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
	}, nil)
	const expect = "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
	c := ts.dial(t)
	br := bufio.NewReader(c)
	if _, err := io.WriteString(c, post+expect); err != nil {
		t.Fatal(err)
	}
	if line, err := br.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	_, _ = br.ReadString('\n')
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(res.Body); string(b) != "hello" || err != nil {
		t.Fatalf("%q, %v", b, err)
	}
	_ = c.Close()
	if got := statuses(t, ts.exchangeRaw(t, post+expect+"hello"+next)); got != "100 200 200" {
		t.Errorf("body sent at once: %s", got)
	}
	if got := statuses(t, ts.exchangeRaw(t, "POST /unread HTTP/1.1\r\nHost: h\r\n"+expect+"hello"+next)); got != "200" {
		t.Errorf("body not wanted: %s", got)
	}
	if got := statuses(t, ts.exchangeRaw(t, "POST / HTTP/1.0\r\n"+expect+"hello")); got != "200" {
		t.Errorf("HTTP/1.0: %s", got)
	}
}

// hazards 67, 78: an upgrade that no handler takes is an ordinary request, and 101 without a
// hijack ends the connection.
func TestUpgradeIgnored(t *testing.T) {
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/switch" {
			w.Header().Set("Connection", "Upgrade")
			w.WriteHeader(101)
			return
		}
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
	}, nil)
	up := "Connection: upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
	if got := statuses(t, ts.exchangeRaw(t, post+up+"Content-Length: 5\r\n\r\nhello"+next)); got != "200 200" {
		t.Errorf("ignored: %s", got)
	}
	raw := ts.exchangeRaw(t, "GET /switch HTTP/1.1\r\nHost: h\r\n"+up+"\r\n"+next)
	if strings.Count(raw, "HTTP/1.1 ") != 1 || !strings.HasPrefix(raw, "HTTP/1.1 101 ") {
		t.Errorf("101 without a hijack: %q", raw)
	}
}

// hazards 72, 73: a client that closes its half behind the request gets its answer.
func TestHalfClose(t *testing.T) {
	ts := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(30 * time.Millisecond)
		_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20))
	}, nil)
	raw := ts.exchangeRaw(t, get+"\r\n")
	if got := statuses(t, raw); got != "200" || len(raw) < 1<<20 {
		t.Fatalf("%s, %d bytes", got, len(raw))
	}
	if raw := ts.exchangeRaw(t, get); raw != "" {
		t.Fatalf("half a request was answered: %q", raw)
	}
}

// hazard 71: a reset reaches the handler as an error and as the end of its context.
func TestReset(t *testing.T) {
	entered, result := make(chan struct{}), make(chan error, 2)
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		select {
		case <-r.Context().Done():
			result <- nil
		case <-time.After(10 * time.Second):
			result <- errors.New("context not cancelled")
		}
		var err error
		for range 1000 {
			if _, err = w.Write(make([]byte, 64<<10)); err != nil {
				break
			}
		}
		if err == nil {
			result <- errors.New("writing to nobody succeeds")
			return
		}
		result <- nil
	}, nil)
	c := ts.dial(t)
	if _, err := io.WriteString(c, get+"\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	for range 2 {
		if err := <-result; err != nil {
			t.Fatal(err)
		}
	}
}

// hazard 84: the answer to a client that is still uploading can be read.
func TestLingeringClose(t *testing.T) {
	ts := serve(t, (&reads{}).ServeHTTP, func(s *Server) { s.MaxBodyBytes = 1000 })
	for range 5 {
		c := ts.dial(t)
		if _, err := io.WriteString(c, post+"Content-Length: 2097152\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		for range 32 { // over TLS, under the race detector, on a loaded machine 8 MiB take longer than lingerTime
			if _, err := c.Write(make([]byte, 64<<10)); err != nil {
				t.Fatalf("the upload was cut off: %v", err)
			}
		}
		_ = c.(*net.TCPConn).CloseWrite()
		raw, err := io.ReadAll(c)
		if err != nil || statuses(t, string(raw)) != "413" {
			t.Fatalf("%q, %v", raw, err)
		}
	}
}

// hazard 82: the Date is that of the second, which is asked of the clock late in one and in the next.
func TestDate(t *testing.T) {
	ts := serve(t, (&reads{}).ServeHTTP, nil)
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1700 * time.Millisecond)))
	for range 4 {
		const coarse = 100 * time.Millisecond // how far a loop's idea of the time may lie back
		earliest := time.Now().Add(-coarse).Truncate(time.Second)
		res, err := http.Get(ts.url)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		date, err := http.ParseTime(res.Header.Get("Date"))
		if err != nil || date.Before(earliest) || date.After(time.Now()) {
			t.Fatalf("Date %q at %v (%v)", res.Header.Get("Date"), earliest.UTC(), err)
		}
		time.Sleep(600 * time.Millisecond)
	}
}
