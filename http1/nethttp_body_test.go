package http1_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const stdNextGet = "GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

// stdPost is a request with a body of n bytes, chunked in one chunk or with a length.
func stdPost(n int, chunked bool, fields string) string {
	body := strings.Repeat("x", n)
	if chunked {
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\n%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
			fields, n, body)
	}
	return fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s", fields, n, body)
}

// stdConsumers are what handlers do with a body they do not want.
var stdConsumers = map[string]func(io.ReadCloser){
	"ignored":   func(io.ReadCloser) {},
	"closed":    func(b io.ReadCloser) { b.Close() },
	"discarded": func(b io.ReadCloser) { io.Copy(io.Discard, b) },
}

func TestStdUnreadBody(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		size    int
		chunked bool
		fields  string
		next    bool // the next request on the connection is served
	}{
		{"two small ones", 11, false, "", true},
		{"20 KiB", 20 << 10, false, "", true},
		{"20 KiB chunked", 20 << 10, true, "", true},
		{"100 KiB", 100 << 10, false, "", true},
		{"20 KiB and close", 20 << 10, false, "Connection: close\r\n", false},
		{"20 KiB chunked and close", 20 << 10, true, "Connection: close\r\n", false},
		{"1 MiB", 1 << 20, false, "", false}, // hazard 49
		{"1 MiB chunked", 1 << 20, true, "", false},
		{"1 MiB and close", 1 << 20, false, "Connection: close\r\n", false},
		{"1 MiB chunked and close", 1 << 20, true, "Connection: close\r\n", false},
	} {
		for how, consume := range stdConsumers {
			if how == "discarded" {
				continue
			}
			t.Run(tt.name+" "+how, func(t *testing.T) {
				t.Parallel()
				var posts, nexts atomic.Int32
				url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/next" {
						nexts.Add(1)
						return
					}
					posts.Add(1)
					consume(r.Body)
				})
				w := stdDial(t, url)
				go io.WriteString(w.c, stdPost(tt.size, tt.chunked, tt.fields)+stdNextGet)
				if got := w.next("POST"); got.StatusCode != 200 {
					t.Errorf("status %d", got.StatusCode)
				}
				w.rest()
				if posts.Load() != 1 || (nexts.Load() == 1) != tt.next {
					t.Errorf("%d posts, next request served %d times; want it served: %v", posts.Load(), nexts.Load(), tt.next)
				}
			})
		}
	}
}

func TestStdUnreadBodyAnnounced(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		stdFlush(w)
	})
	for _, tt := range []struct {
		size  int
		close bool
	}{{100 << 10, false}, {1 << 20, true}} {
		w := stdDial(t, url)
		go io.WriteString(w.c, stdPost(tt.size, false, "")+stdNextGet)
		got := w.next("POST")
		// net/http decides at the flush, because no body can be read after it. A server
		// whose bodies stay readable cannot know yet, and only closes.
		if !stdStrict() && got.Close != tt.close {
			t.Errorf("%d unread bytes: Connection: close is %v", tt.size, got.Close)
		}
		if answered := strings.Contains(w.rest(), "HTTP/1.1 200"); answered == tt.close {
			t.Errorf("%d unread bytes: the next request was answered: %v", tt.size, answered)
		}
	}
}

func TestStdUnreadHugeBodyNotRead(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, stdCode(404))
	w := stdDial(t, url)
	w.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n")
	// The answer must not wait for a body that is too large to be skipped. hazard 68
	if got := w.next("POST"); got.StatusCode != 404 || !got.Close {
		t.Errorf("status %d, close %v; want 404 and a close", got.StatusCode, got.Close)
	}
	w.c.CloseWrite()
	w.wantClosed()
}

func TestStdBadBodyEndsConnection(t *testing.T) {
	t.Parallel()
	const secret = "GET /secret HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, body := range map[string]string{
		"chunk size": "hax\r\n", // hazard 18
		"trailer":    "3\r\nhax\r\n0\r\nI'm not a valid trailer\r\n",
		"spill":      "3\r\nhaxor\r\n0\r\n\r\n", // hazard 25
	} {
		for how, consume := range stdConsumers {
			t.Run(name+" "+how, func(t *testing.T) {
				t.Parallel()
				var n atomic.Int32
				url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
					n.Add(1)
					if r.URL.Path != "/public" {
						t.Errorf("a request for %q came out of a body", r.URL.Path)
					}
					consume(r.Body)
				})
				w := stdDial(t, url)
				w.send("POST /public HTTP/1.1\r\nHost: x\r\nTrailer: hack\r\nTransfer-Encoding: chunked\r\n\r\n" + body + secret)
				w.rest()
				if got := n.Load(); got > 1 || got == 0 && !stdStrict() {
					t.Errorf("%d requests; want 1", got)
				}
			})
		}
	}
}

func TestStdLateBodyEndsConnection(t *testing.T) {
	t.Parallel()
	for how, consume := range stdConsumers {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int32
			url, _, _ := stdStart(t, &stdServer{ReadTimeout: 150 * time.Millisecond, ReadHeaderTimeout: stdPatience,
				Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					n.Add(1)
					consume(r.Body)
				})})
			w := stdDial(t, url)
			w.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\nfoo bar baz") // hazard 61
			w.rest()
			io.WriteString(w.c, "GET /secret HTTP/1.1\r\nHost: x\r\n\r\n")
			if n.Load() != 1 {
				t.Errorf("%d requests; want 1", n.Load())
			}
		})
	}
}

// stdExpects are requests with an expectation and the first line that must come back.
var stdExpects = []struct {
	name, length, expect string
	read                 bool
	want                 string
}{
	{"wanted", "Content-Length: 100", "100-continue", true, "100 Continue"},
	{"any case", "Content-Length: 100", "100-cOntInUE", true, "100 Continue"},
	{"none", "Content-Length: 100", "", true, "200 OK"},
	{"denied", "Content-Length: 100", "100-continue", false, "401 Unauthorized"},
	{"denied without asking", "Content-Length: 100", "", false, "401 Unauthorized"},
	{"a pony", "Content-Length: 0", "a-pony", false, "417 Expectation Failed"},
	{"no body", "Content-Length: 0", "100-continue", true, "200 OK"},
	{"no body, denied", "Content-Length: 0", "100-continue", false, "401 Unauthorized"},
	{"chunked", "Transfer-Encoding: chunked", "100-continue", true, "100 Continue"},
}

func TestStdExpect(t *testing.T) { // hazard 66
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/read" {
			b, err := io.ReadAll(r.Body)
			if err != nil || len(b) != 100 && len(b) != 0 {
				t.Errorf("the body: %d bytes, %v", len(b), err)
			}
			return
		}
		w.WriteHeader(401)
	})
	for _, tt := range stdExpects {
		w := stdDial(t, url)
		head := "POST /deny HTTP/1.1\r\n"
		if tt.read {
			head = "POST /read HTTP/1.1\r\n"
		}
		head += "Host: x\r\nConnection: close\r\n" + tt.length + "\r\n"
		if tt.expect != "" {
			head += "Expect: " + tt.expect + "\r\n"
		}
		w.send(head + "\r\n")
		body := strings.Repeat("A", 100)
		if tt.expect == "" {
			io.WriteString(w.c, body)
		}
		got := w.next("POST")
		if got.Status != tt.want {
			t.Errorf("%s: %q; want %q", tt.name, got.Status, tt.want)
		}
		if got.StatusCode != 100 {
			continue
		}
		if strings.Contains(tt.length, "chunked") {
			body = "64\r\n" + body + "\r\n0\r\n\r\n"
		}
		w.send(body)
		if got := w.next("POST"); got.StatusCode != 200 {
			t.Errorf("%s: after the body %q", tt.name, got.Status)
		}
	}
}

func TestStdExpectUnread(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		if r.URL.Path == "/read" {
			io.ReadAll(r.Body)
		}
		io.WriteString(w, "Hello world!")
	})
	const fields = " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n"
	w := stdDial(t, url)
	w.send("PUT /read" + fields + "HelloWorld" + "PUT /unread" + fields +
		"GET /ignored HTTP/1.1\r\nHost: x\r\n\r\n")
	got := w.rest()
	// Nobody knows whether the client sends the body that was not asked for. hazard 66
	if n.Load() != 2 || !strings.Contains(got, "Connection: close\r\n") {
		t.Errorf("%d requests; want 2 and a close: %q", n.Load(), got)
	}
}

func TestStdExpectNotSent(t *testing.T) {
	t.Parallel()
	c := stdClient(t)
	c.Transport.(*http.Transport).ExpectContinueTimeout = stdPatience
	body := stdReaderFunc(func([]byte) (int, error) {
		t.Error("the body was read though nobody asked for it")
		return 0, io.EOF
	})
	req := stdRequest(t, "POST", stdHandle(t, stdCode(401)), body)
	req.Header.Set("Expect", "100-continue")
	if got := stdDo(t, c, req); got.StatusCode != 401 {
		t.Errorf("status %d", got.StatusCode)
	}
}

type stdReaderFunc func([]byte) (int, error)

func (f stdReaderFunc) Read(p []byte) (int, error) { return f(p) }

// A body announced with Expect is read after the handler wrote or returned. Both an
// error and the body are right, hanging is not. net/http may hang for as long as the
// client stays once the handler is gone (golang/go#67555); here the read must end.
func TestStdExpectReadLate(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"after the header", "after the handler", "after an abort"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			started, read := make(chan struct{}), make(chan struct{})
			url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
				late := func() {
					defer close(read)
					close(started)
					io.Copy(io.Discard, r.Body)
				}
				if when == "after the header" {
					w.WriteHeader(200)
					stdFlush(w)
					late()
					return
				}
				defer func() { go late() }()
				if when == "after an abort" {
					panic(http.ErrAbortHandler)
				}
			})
			w := stdDial(t, url)
			w.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
			stdAwait(t, started, "the handler")
			if when == "after the header" || !stdStrict() {
				w.c.Close()
			}
			stdAwait(t, read, "the late read")
		})
	}
}

func TestStdTrailersIn(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		_, declared := r.Trailer["Client-B"]
		b, err := io.ReadAll(r.Body)
		fmt.Fprint(w, declared, string(b), err, len(r.Trailer), r.Trailer.Get("Client-A"), r.Trailer.Get("Client-B"))
	})
	req := stdRequest(t, "POST", url, nil)
	req.Trailer = http.Header{"Client-A": nil, "Client-B": nil}
	req.Body = io.NopCloser(io.MultiReader(strings.NewReader("foo"), stdReaderFunc(func([]byte) (int, error) {
		req.Trailer.Set("Client-A", "a")
		req.Trailer.Set("Client-B", "b")
		return 0, io.EOF
	})))
	req.ContentLength = -1
	if got := stdDo(t, stdClient(t), req).body; got != "truefoo<nil> 2ab" {
		t.Errorf("the handler saw %q", got)
	}
}

func TestStdTrailersOut(t *testing.T) {
	t.Parallel()
	for _, flush := range []bool{false, true} {
		url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "T-A, T-B")
			w.Header().Add("Trailer", "T-C")
			io.WriteString(w, "Some body")
			if flush {
				stdFlush(w)
			}
			w.Header().Set("T-A", "a")
			w.Header().Set("T-C", "c")
			w.Header().Set("T-Undeclared", "no")
		})
		res, err := stdClient(t).Get(url)
		if err != nil {
			t.Fatal(err)
		}
		if want := (http.Header{"T-A": nil, "T-B": nil, "T-C": nil}); !reflect.DeepEqual(res.Trailer, want) {
			t.Errorf("flush %v: declared %v; want %v", flush, res.Trailer, want)
		}
		got := stdRead(res)
		want := http.Header{"T-A": {"a"}, "T-B": nil, "T-C": {"c"}}
		if !reflect.DeepEqual(got.Trailer, want) || got.body != "Some body" || got.ContentLength != -1 {
			t.Errorf("flush %v: %v, %q, length %d; want %v", flush, got.Trailer, got.body, got.ContentLength, want)
		}
		if len(got.Header["T-Undeclared"])+len(got.Header["T-A"]) > 0 {
			t.Errorf("flush %v: a trailer in the header: %v", flush, got.Header)
		}
	}
}

func TestStdTrailersUndeclared(t *testing.T) {
	t.Parallel()
	got := stdGet(t, stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Foo", "Bar")
		w.Header().Set(http.TrailerPrefix+"Foo", "Baz")
		stdFlush(w)
		w.Header().Add(http.TrailerPrefix+"Foo", "Baz2")
		w.Header().Set(http.TrailerPrefix+"Bar", "Quux")
	}))
	if want := (http.Header{"Foo": {"Baz", "Baz2"}, "Bar": {"Quux"}}); !reflect.DeepEqual(got.Trailer, want) {
		t.Errorf("trailer %v; want %v", got.Trailer, want)
	}
	if f := got.Header["Foo"]; len(f) != 1 || f[0] != "Bar" {
		t.Errorf("header %v", got.Header)
	}
}

func TestStdReadWhileWriting(t *testing.T) {
	t.Parallel()
	const sent, answer = "some request body", "some response body"
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		read := make(chan struct{})
		go func() {
			defer close(read)
			if b, err := io.ReadAll(r.Body); string(b) != sent || err != nil {
				t.Errorf("read %q, %v", b, err)
			}
		}()
		var wg sync.WaitGroup
		wg.Go(func() {
			<-read
			io.WriteString(w, answer)
		})
		wg.Wait()
	})
	req := stdRequest(t, "POST", url, strings.NewReader(sent))
	req.Header.Set("Expect", "100-continue")
	if got := stdDo(t, stdClient(t), req).body; got != answer {
		t.Errorf("body %q", got)
	}
}

func TestStdBodyOfAnyMethod(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading the body: %v", err)
		}
		w.Header().Set("Got", string(b))
		w.Header().Set("Content-Length", "0")
	})
	for _, method := range []string{"HEAD", "GET", "POST"} {
		c := stdClient(t)
		for _, body := range []string{"", "", "with a length", "", "chunked", "", ""} {
			var r io.Reader
			if body != "" {
				r = strings.NewReader(body)
			}
			if body == "chunked" {
				r = stdReaderOnly{r}
			}
			got := stdDo(t, c, stdRequest(t, method, url, r))
			if got.StatusCode != 200 || got.Header.Get("Got") != body {
				t.Errorf("%s: %d %q; want %q", method, got.StatusCode, got.Header.Get("Got"), body)
			}
		}
	}
}

func TestStdEmptyPosts(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		if b, err := io.ReadAll(r.Body); err != nil || len(b) != 0 {
			t.Errorf("an empty body: %q, %v", b, err)
		}
		w.Header().Set("Content-Length", "0")
	})
	c := stdClient(t)
	var open []*http.Response
	for range 5 {
		res, err := c.Post(url, "", strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, res)
	}
	for _, res := range open { // read only after the connection has been used again
		if got := stdRead(res); got.body != "" || got.err != nil {
			t.Errorf("%q, %v", got.body, got.err)
		}
	}
}

func TestStdMaxBytesReader(t *testing.T) { // hazard 69
	t.Parallel()
	const limit = 1 << 20
	done := make(chan struct{})
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		n, err := io.Copy(io.Discard, r.Body)
		var tooLarge *http.MaxBytesError
		if n != limit || !errors.As(err, &tooLarge) || tooLarge.Limit != limit {
			t.Errorf("read %d bytes, %v; want %d and a MaxBytesError", n, err, limit)
		}
	})
	w := stdDial(t, url)
	w.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 64<<10, strings.Repeat("a", 64<<10))
	sent := 0
	for ; sent < 200*limit; sent += 64 << 10 {
		if _, err := io.WriteString(w.c, chunk); err != nil {
			break
		}
	}
	if sent >= 100*limit {
		t.Errorf("the client could send %d bytes to a handler that reads %d", sent, limit)
	}
	stdAwait(t, done, "the handler")
}

func TestStdMaxBytesHandler(t *testing.T) {
	t.Parallel()
	for _, limit := range []int64{100, 1_000, 1_000_000} {
		for _, size := range []int64{100, 1_000, 1_000_000} {
			var n int64
			var err error
			echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var buf bytes.Buffer
				n, err = io.Copy(&buf, r.Body)
				io.Copy(w, &buf)
			})
			w := stdDial(t, stdHandle(t, http.MaxBytesHandler(echo, limit).ServeHTTP))
			go io.WriteString(w.c, stdPost(int(size), false, ""))
			got := w.next("POST") // hazard 84
			if n > limit || (err != nil) != (size > limit) || int64(len(got.body)) != n {
				t.Errorf("limit %d, size %d: read %d, %v, echoed %d", limit, size, n, err, len(got.body))
			}
		}
	}
}

func TestStdUploadAnsweredEarly(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "bye", http.StatusUnauthorized) })
	w := stdDial(t, url)
	go io.WriteString(w.c, stdPost(5<<20, false, ""))
	// The lingering close lets a client that is still sending read the answer. hazard 84
	if got := w.next("POST"); got.StatusCode != 401 || got.body != "bye\n" || got.err != nil {
		t.Errorf("%d %q %v", got.StatusCode, got.body, got.err)
	}
	w.wantClosed()
}

func TestStdBodyClosedWhileRead(t *testing.T) {
	t.Parallel()
	readErr := make(chan error, 1)
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		reading := make(chan struct{})
		go func() {
			close(reading)
			_, err := r.Body.Read(make([]byte, 100))
			readErr <- err
		}()
		<-reading
	})
	w := stdDial(t, url)
	w.send("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n")
	// The read that hangs must not keep the handler's end from closing the body.
	if err := stdAwait(t, readErr, "the hanging read"); err == nil {
		t.Error("a read of bytes that never came succeeded")
	}
}

func TestStdBodySetNil(t *testing.T) {
	t.Parallel()
	w := stdDial(t, stdHandle(t, func(w http.ResponseWriter, r *http.Request) { r.Body = nil }))
	for range 2 {
		w.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
		if got := w.next("POST"); got.StatusCode != 200 {
			t.Errorf("status %d", got.StatusCode)
		}
	}
}

func TestStdProxySharesBody(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	backend := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		io.CopyN(w, r.Body, size)
		<-r.Context().Done()
	})
	c := stdClient(t)
	proxy := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		req, _ := http.NewRequestWithContext(ctx, "POST", backend, r.Body)
		req.ContentLength = size
		res, err := c.Do(req)
		if err != nil {
			t.Errorf("the inner request: %v", err)
			cancel()
			return
		}
		io.CopyN(io.Discard, res.Body, size/2)
		cancel() // the client closes the body while the server ends it too
		res.Body.Close()
		io.WriteString(w, "OK")
	})
	w := stdDial(t, proxy)
	go io.WriteString(w.c, stdPost(size, false, ""))
	if got := w.next("POST"); got.StatusCode != 200 || got.body != "OK" {
		t.Errorf("%d %q", got.StatusCode, got.body)
	}
}

func TestStdFormFilesRemoved(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		r.ParseMultipartForm(1)
		f, _, err := r.FormFile("file")
		if err != nil {
			t.Errorf("FormFile: %v", err)
			return
		}
		defer f.Close()
		of, ok := f.(*os.File)
		if !ok {
			t.Errorf("FormFile is a %T", f)
			return
		}
		io.WriteString(w, of.Name())
	})
	var form bytes.Buffer
	mw := multipart.NewWriter(&form)
	part, _ := mw.CreateFormFile("file", "my.txt")
	part.Write(bytes.Repeat([]byte("A"), 64<<10))
	mw.Close()
	req := stdRequest(t, "POST", url, &form)
	req.Header.Set("Content-Type", mw.FormDataContentType())
	name := stdDo(t, stdClient(t), req).body
	stdEventually(t, "removing "+name, func() bool {
		_, err := os.Stat(name)
		return errors.Is(err, os.ErrNotExist)
	})
}

func TestStdFullDuplexEcho(t *testing.T) {
	t.Parallel()
	const size = 4 << 20
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		if n, err := io.Copy(w, r.Body); n != size || err != nil {
			t.Errorf("echoed %d bytes, %v", n, err)
		}
	})
	w := stdDial(t, url)
	go io.WriteString(w.c, stdPost(size, false, ""))
	if got := w.next("POST"); len(got.body) != size || got.err != nil || strings.Trim(got.body, "x") != "" {
		t.Errorf("%d bytes came back, %v", len(got.body), got.err)
	}
}
