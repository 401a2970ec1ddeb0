package http1_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"testing"
)

func stdFlush(w http.ResponseWriter) { w.(http.Flusher).Flush() }

// stdHeadRules are handlers and what the bytes of the response must and must not contain.
var stdHeadRules = []struct {
	name    string
	handler http.HandlerFunc
	want    []string
	never   []string
}{
	{"write alone", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello world")
	}, []string{"Content-Length: 11\r\n", "Content-Type: text/plain"}, nil},
	{"header before write", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "some/type")
		io.WriteString(w, "hello world")
		w.Header().Set("Too-Late", "x")
	}, []string{"Content-Length: 11\r\n", "Content-Type: some/type\r\n"}, []string{"Too-Late"}},
	{"header after write", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello world")
		w.Header().Set("Too-Late", "x")
	}, []string{"hello world"}, []string{"Too-Late"}},
	{"flush then write", func(w http.ResponseWriter, r *http.Request) {
		stdFlush(w)
		io.WriteString(w, "after")
		w.Header().Set("Too-Late", "x")
	}, []string{"Transfer-Encoding: chunked\r\n"}, []string{"Too-Late", "Content-Length"}},
	{"header, flush, write", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "some/type")
		stdFlush(w)
		io.WriteString(w, "after")
		w.Header().Set("Too-Late", "x")
	}, []string{"Transfer-Encoding: chunked\r\n", "Content-Type: some/type\r\n"}, []string{"Too-Late"}},
	{"sniffed on the first write", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "<html><head></head></html>")
		w.Header().Set("Content-Type", "x/wrong")
	}, []string{"Content-Type: text/html; charset=utf-8\r\n"}, []string{"x/wrong"}},
	{"a type of its own", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "some/type")
		io.WriteString(w, "<html><head></head></html>")
	}, []string{"Content-Type: some/type\r\n"}, []string{"text/html"}},
	{"nothing", func(http.ResponseWriter, *http.Request) {},
		[]string{"HTTP/1.1 200 OK\r\n", "Content-Length: 0\r\n"}, []string{"Content-Type", "chunked"}},
	{"a header only", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Some-Header", "v")
	}, []string{"Some-Header: v\r\n"}, nil},
	{"WriteHeader freezes", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(404)
		w.Header().Set("Too-Late", "x")
	}, []string{"HTTP/1.1 404 Not Found\r\n"}, []string{"Too-Late"}},
	{"Content-Length off", func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Length"] = nil
		io.WriteString(w, "OK")
	}, []string{"Transfer-Encoding: chunked\r\n", "\r\nOK\r\n"}, []string{"Content-Length"}},
	{"Date off", func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		io.WriteString(w, "<html>x</html>")
	}, []string{"text/html"}, []string{"Date"}},
	{"Content-Type off", func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = nil
		io.WriteString(w, "<html>x</html>")
	}, []string{"Date: "}, []string{"Content-Type"}},
	{"chunked said by the handler", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Transfer-Encoding", "chunked")
		io.WriteString(w, "hello")
	}, []string{"Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"}, []string{"Content-Length"}},
	{"a coding of the handler's", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Transfer-Encoding", "foo")
		io.WriteString(w, "<html>")
	}, nil, []string{"Content-Length", "Content-Type"}},
	{"no body on 204", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "123")
		w.Header().Set("Content-Type", "foo/bar")
		w.WriteHeader(204)
	}, []string{"Content-Type: foo/bar\r\n"}, []string{"Content-Length", "chunked"}},
	{"writes gathered into one chunk", func(w http.ResponseWriter, r *http.Request) {
		stdFlush(w)
		for _, b := range []byte("xyz") {
			w.Write([]byte{b})
		}
	}, []string{"\r\n\r\n3\r\nxyz\r\n0\r\n\r\n"}, nil},
	{"hints", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Link", "a")
		w.WriteHeader(103)
		w.Header().Add("Link", "b")
		w.WriteHeader(103)
		io.WriteString(w, "stuff")
	}, []string{"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" +
		"HTTP/1.1 103 Early Hints\r\nLink: a\r\nLink: b\r\n\r\n" +
		"HTTP/1.1 200 OK\r\n", "\r\n\r\nstuff"}, nil},
	{"processing", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(102)
		io.WriteString(w, "stuff")
	}, []string{"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n"}, nil},
	{"header values stay on their line", func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Foo"] = []string{" Bar\r\nBaz: quux "}
	}, nil, []string{"\r\nBaz"}}, // hazard 51
}

func TestStdResponseHead(t *testing.T) {
	t.Parallel()
	for _, tt := range stdHeadRules {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := stdRaw(t, stdHandle(t, tt.handler), "GET / HTTP/1.1\nHost: x")
			for _, s := range tt.want {
				if strings.Count(got, s) != 1 {
					t.Errorf("%q is not there once in\n%q", s, got)
				}
			}
			for _, s := range tt.never {
				if strings.Contains(got, s) {
					t.Errorf("%q is in\n%q", s, got)
				}
			}
		})
	}
}

func TestStdResponseDate(t *testing.T) {
	t.Parallel()
	got := stdGet(t, stdHandle(t, func(http.ResponseWriter, *http.Request) {}))
	if _, err := http.ParseTime(got.Header.Get("Date")); err != nil {
		t.Errorf("Date: %v", err)
	}
}

func TestStdGzipTransferCoding(t *testing.T) {
	t.Parallel()
	got := stdRaw(t, stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Transfer-Encoding", "gzip")
		gz := gzip.NewWriter(w)
		io.WriteString(gz, "hello")
		gz.Close()
	}), "GET / HTTP/1.1\nHost: x")
	head, _, _ := strings.Cut(got, "\r\n\r\n")
	if g, c := strings.Index(head, "gzip"), strings.Index(head, "chunked"); g < 0 || c < g {
		t.Errorf("gzip and then chunked should be in %q", head)
	}
}

// stdShape is a handler and the response a Go client must see.
type stdShape struct {
	name, method string
	handler      http.HandlerFunc
	status       int
	length       int64
	cl           string // the Content-Length header; "absent" for none
	chunked      bool
	ct           string
	body         string
}

var stdShapes = []stdShape{
	{"head of nothing", "HEAD", func(http.ResponseWriter, *http.Request) {}, 200, -1, "absent", false, "", ""},
	{"head of a little", "HEAD", stdText("small"), 200, 5, `["5"]`, false, "text/plain; charset=utf-8", ""},
	{"head of much", "HEAD", func(w http.ResponseWriter, r *http.Request) {
		for range 10 {
			io.WriteString(w, strings.Repeat("x", 64<<10))
		}
	}, 200, -1, "absent", true, "text/plain; charset=utf-8", ""},
	{"head with a length", "HEAD", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1235")
	}, 200, 1235, `["1235"]`, false, "", ""},
	{"head counted and sniffed", "HEAD", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "<html>")
		io.Copy(w, stdReaderOnly{strings.NewReader("789a")})
	}, 200, 10, `["10"]`, false, "text/html; charset=utf-8", ""},
	{"nothing", "GET", func(http.ResponseWriter, *http.Request) {}, 200, 0, `["0"]`, false, "", ""},
	{"204", "GET", stdCode(204), 204, 0, "absent", false, "", ""},
	{"304", "GET", stdCode(304), 304, 0, "absent", false, "", ""},
	{"404", "GET", stdCode(404), 404, 0, `["0"]`, false, "", ""},
	{"a little", "GET", stdText("small body"), 200, 10, `["10"]`, false, "text/plain; charset=utf-8", "small body"},
	{"a length", "GET", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "3")
		io.WriteString(w, "foo")
	}, 200, 3, `["3"]`, false, "text/plain; charset=utf-8", "foo"},
	{"flush before", "GET", func(w http.ResponseWriter, r *http.Request) {
		stdFlush(w)
		io.WriteString(w, "foo")
	}, 200, -1, "absent", true, "", "foo"},
	{"flush between", "GET", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "foo")
		stdFlush(w)
		io.WriteString(w, "bar")
	}, 200, -1, "absent", true, "text/plain; charset=utf-8", "foobar"},
	{"gibberish length", "GET", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "gibberish")
		stdFlush(w)
		io.WriteString(w, "chunks")
	}, 200, -1, "absent", true, "", "chunks"},
	{"empty type", "GET", func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = []string{""}
		io.WriteString(w, "<html><body>hi</body></html>")
	}, 200, 28, `["28"]`, false, "", "<html><body>hi</body></html>"},
	{"upgrade not taken", "GET", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("Upgrade"))
	}, 200, 9, `["9"]`, false, "text/plain; charset=utf-8", "WebSocket"},
	{"star", "FOO", stdText("hi"), 200, 2, `["2"]`, false, "text/plain; charset=utf-8", "hi"},
}

func stdText(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, s) }
}

func stdCode(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) }
}

func TestStdResponseShape(t *testing.T) {
	t.Parallel()
	for _, tt := range stdShapes {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := stdRequest(t, tt.method, stdHandle(t, tt.handler), nil)
			req.Header.Set("Connection", "Upgrade")
			req.Header.Set("Upgrade", "WebSocket")
			got := stdDo(t, stdClient(t), req)
			if got.StatusCode != tt.status || got.body != tt.body || got.ContentLength != tt.length {
				t.Errorf("%d, length %d, %q; want %d, %d, %q", got.StatusCode, got.ContentLength, got.body,
					tt.status, tt.length, tt.body)
			}
			if cl := stdSeen(got.Header, "Content-Length"); cl != tt.cl {
				t.Errorf("Content-Length %s; want %s", cl, tt.cl)
			}
			if c := len(got.TransferEncoding) > 0; c != tt.chunked && tt.method != "HEAD" {
				t.Errorf("chunked %v; want %v", c, tt.chunked)
			}
			if ct := got.Header.Get("Content-Type"); ct != tt.ct {
				t.Errorf("Content-Type %q; want %q", ct, tt.ct)
			}
		})
	}
}

func TestStdHeadReadFrom(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("a", 4096)
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader(body)); err != nil {
			t.Errorf("ReadFrom: %v", err)
		}
	})
	w := stdDial(t, url)
	for range 2 {
		w.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
		if got := w.next("HEAD"); got.StatusCode != 200 || got.body != "" {
			t.Errorf("HEAD: %d %.20q", got.StatusCode, got.body)
		}
		w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if got := w.next("GET"); got.body != body {
			t.Errorf("GET after HEAD: %d bytes; want %d", len(got.body), len(body))
		}
	}
}

func TestStdBodylessCodes(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("length") {
			w.Header().Set("Content-Length", "123")
		}
		code, _ := strconv.Atoi(r.URL.Path[1:])
		w.WriteHeader(code)
		if !r.URL.Query().Has("more") {
			return
		}
		if _, err := w.Write([]byte("stuff")); !errors.Is(err, http.ErrBodyNotAllowed) {
			t.Errorf("%d: Write: %v; want ErrBodyNotAllowed", code, err)
		}
	})
	for _, code := range []int{204, 304} {
		for _, query := range []string{"", "?length", "?more"} {
			for _, proto := range []string{"HTTP/1.0", "HTTP/1.1\nHost: x"} {
				got := stdRaw(t, url, fmt.Sprintf("GET /%d%s %s", code, query, proto))
				if !strings.Contains(got, fmt.Sprintf(" %d %s\r\n", code, http.StatusText(code))) {
					t.Errorf("%d%s: %q", code, query, got)
				}
				for _, never := range []string{"Content-Length", "chunked", "stuff"} {
					if strings.Contains(got, never) {
						t.Errorf("%d%s: %q is in %q", code, query, never, got)
					}
				}
			}
		}
	}
}

func TestStdWriteTooLittle(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "500")
		io.WriteString(w, "too short")
	})
	res, err := stdClient(t).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	if got := stdRead(res); !errors.Is(got.err, io.ErrUnexpectedEOF) || got.body != "too short" {
		t.Errorf("a short body: %q, %v; want an unexpected EOF", got.body, got.err)
	}
	w := stdDial(t, url)
	w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := w.rest(); !strings.HasSuffix(got, "\r\n\r\ntoo short") { // hazard 52
		t.Errorf("%q; want it to end with the short body", got)
	}
}

func TestStdWriteTooMuch(t *testing.T) {
	t.Parallel()
	for _, flush := range []bool{false, true} {
		url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "3")
			if flush {
				io.WriteString(w, "123")
				stdFlush(w)
			}
			_, err := io.WriteString(w, "123456") // hazard 52
			if !errors.Is(err, http.ErrContentLength) {
				t.Errorf("writing too much (flush %v): %v; want ErrContentLength", flush, err)
			}
		})
		w := stdDial(t, url)
		w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		got := w.rest()
		if strings.Contains(got, "456") || flush && strings.Count(got, "\r\n\r\n123") != strings.Count(got, "HTTP/1.1 200") {
			t.Errorf("flush %v: %q; want no byte beyond the length", flush, got)
		}
	}
}

func TestStdIdentityCoding(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Transfer-Encoding", "identity")
		if r.URL.Path == "/length" {
			w.Header().Set("Content-Length", "3")
			io.WriteString(w, "foo")
			return
		}
		b, _ := io.ReadAll(r.Body)
		w.WriteHeader(200)
		stdFlush(w)
		w.Write(b)
	})
	got := stdGet(t, url+"/length")
	if got.ContentLength != 3 || len(got.TransferEncoding) > 0 || got.body != "foo" {
		t.Errorf("with a length: %d %q %q", got.ContentLength, got.TransferEncoding, got.body)
	}
	got = stdDo(t, stdClient(t), stdRequest(t, "GET", url, strings.NewReader("body")))
	if got.body != "body" {
		t.Errorf("without a length: %q", got.body)
	}
}

func TestStdHints(t *testing.T) {
	t.Parallel()
	seen := make(chan struct{})
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		w.Header().Add("Link", "a")
		w.WriteHeader(103)
		select {
		case <-seen: // the hint is sent at once, not with the response
		case <-r.Context().Done():
		}
		w.Header().Add("Link", "b")
		w.WriteHeader(103)
		io.WriteString(w, "Hello")
	})
	var links []string
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			links = append(links, fmt.Sprintf("%d%v", code, h["Link"]))
			if len(links) == 1 {
				close(seen)
			}
			if h.Get("Content-Length") != "" || h.Get("Transfer-Encoding") != "" {
				t.Errorf("a 1xx response has framing fields: %v", h)
			}
			return nil
		},
	})
	got := stdDo(t, stdClient(t), stdRequest(t, "GET", url, nil).WithContext(ctx))
	if s := fmt.Sprint(links); s != "[103[a] 103[a b]]" {
		t.Errorf("hints %s", s)
	}
	if got.body != "Hello" || got.Header.Get("Content-Length") != "5" || len(got.Header["Link"]) != 2 {
		t.Errorf("%v %q", got.Header, got.body)
	}
}

func TestStdWriteHeaderCodes(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() == nil {
				t.Error("WriteHeader(0) did not panic")
			}
			w.WriteHeader(503)
		}()
		w.WriteHeader(0)
	})
	if got := stdGet(t, url); got.StatusCode != 503 {
		t.Errorf("status %d; want 503: the invalid one must not stick", got.StatusCode)
	}
}

func TestStdSuperfluousWriteHeader(t *testing.T) {
	t.Parallel()
	var log stdLog
	url, _, stop := stdStart(t, &stdServer{ErrorLog: log.logger(), Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "foo")
			stdFlush(w)
			w.WriteHeader(0) // after output the code is not even looked at
			io.WriteString(w, "bar")
		})})
	if got := stdGet(t, url); got.body != "foobar" {
		t.Errorf("body %q", got.body)
	}
	stop()
	if got := log.String(); !strings.Contains(got, "superfluous") || !strings.Contains(got, "nethttp_response_test.go:") {
		t.Errorf("log %q; want the superfluous call and where it is", got)
	}
}

func TestStdErrorReply(t *testing.T) {
	t.Parallel()
	got := stdGet(t, stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Header().Set("X-Content-Type-Options", "scratch and sniff")
		w.Header().Set("Other", "foo")
		http.Error(w, "oops", 432)
	}))
	if got.StatusCode != 432 || got.body != "oops\n" || got.ContentLength != 5 || got.Header.Get("Other") != "foo" {
		t.Errorf("%d %q %d %v", got.StatusCode, got.body, got.ContentLength, got.Header)
	}
	if got.Header.Get("X-Content-Type-Options") != "nosniff" || got.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("headers of an error: %v", got.Header)
	}
}

func TestStdWriteString(t *testing.T) {
	t.Parallel()
	got := stdGet(t, stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		sw, ok := w.(io.StringWriter)
		if !ok {
			t.Error("the ResponseWriter is no io.StringWriter")
			return
		}
		sw.WriteString("s")
	}))
	if got.body != "s" {
		t.Errorf("body %q", got.body)
	}
}

func TestStdGzipBody(t *testing.T) {
	t.Parallel()
	const text = "text that is worth its compression, worth its compression"
	var packed bytes.Buffer
	gz := gzip.NewWriter(&packed)
	io.WriteString(gz, text)
	gz.Close()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			io.WriteString(w, text)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		if r.URL.Path == "/length" {
			w.Header().Set("Content-Length", strconv.Itoa(packed.Len()))
		}
		w.Write(packed.Bytes())
	})
	for _, path := range []string{"/", "/length"} {
		if got := stdGet(t, url+path); got.body != text || !got.Uncompressed || got.Close {
			t.Errorf("%s: %q, uncompressed %v, close %v", path, got.body, got.Uncompressed, got.Close)
		}
	}
	c := stdClient(t)
	c.Transport.(*http.Transport).DisableCompression = true
	if got := stdDo(t, c, stdRequest(t, "GET", url, nil)); got.body != text || got.Uncompressed {
		t.Errorf("without compression: %q", got.body)
	}
}

func TestStdReadFromOrder(t *testing.T) {
	t.Parallel()
	const size = 3 << 20
	pr, pw := io.Pipe()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		copied := make(chan struct{})
		go func() {
			io.Copy(w, pr)
			close(copied)
		}()
		// ReadFrom waiting for its reader must not keep the body from being read.
		if n, err := io.Copy(io.Discard, r.Body); n != size || err != nil {
			t.Errorf("the body: %d bytes, %v; want %d", n, err, size)
		}
		pw.Write([]byte("hi"))
		pw.Close()
		<-copied
	})
	got := stdDo(t, stdClient(t), stdRequest(t, "POST", url, io.LimitReader(stdEndless('a'), size)))
	if got.body != "hi" {
		t.Errorf("body %q", got.body)
	}
}

func TestStdClientGoneMidBody(t *testing.T) {
	t.Parallel()
	gone := make(chan error, 1)
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "Hello")
		stdFlush(w)
		<-r.Context().Done()
		for {
			if _, err := io.Copy(w, io.LimitReader(stdEndless('x'), 1<<20)); err != nil {
				gone <- err
				return
			}
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	res, err := stdClient(t).Do(stdRequest(t, "GET", url, nil).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(res.Body, b); err != nil || string(b) != "Hello" {
		t.Fatalf("%q, %v", b, err)
	}
	cancel()
	if err := stdAwait(t, gone, "the write error after the client left"); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the write ended by a deadline: %v", err)
	}
}
