package http1_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// stdParse is the bytes of one request and what a server makes of it. seen is
// what stdDescribe prints of the request the handler gets, "" for none.
type stdParse struct {
	name, raw string
	status    int
	seen      string
	strict    []int // statuses the strict policy gives instead, whether the handler ran or not
}

// stdNoAnswer among the strict statuses allows to close without a response.
const stdNoAnswer = 0

// stdDescribe prints what a handler sees.
func stdDescribe(r *http.Request) string {
	body, err := io.ReadAll(r.Body)
	s := fmt.Sprintf("%s %s path=%s host=%s urlhost=%s len=%d te=%q close=%v body=%q", r.Method, r.RequestURI,
		r.URL.Path, r.Host, r.URL.Host, r.ContentLength, r.TransferEncoding, r.Close, body)
	if err != nil {
		s += " err"
	}
	if len(r.Trailer) > 0 {
		s += fmt.Sprintf(" trailer=%v", r.Trailer)
	}
	return s
}

// stdParses runs each case on a server of its own connection.
func stdParses(t *testing.T, cases []stdParse) {
	t.Helper()
	seen := make(chan string, 16)
	url, _, _ := stdStart(t, &stdServer{DisableGeneralOptionsHandler: true, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { seen <- stdDescribe(r) })})
	for _, tt := range cases {
		w := stdDial(t, url)
		w.send(tt.raw)
		w.c.CloseWrite()
		got, err := w.tryNext("GET")
		if err != nil && stdStrict() && slices.Contains(tt.strict, stdNoAnswer) {
			continue
		}
		if err != nil {
			t.Errorf("%s: reading the response: %v", tt.name, err)
			continue
		}
		stdWantStatus(t, tt.name, got.StatusCode, tt.status, tt.strict)
		w.rest()
		handled := ""
		select {
		case handled = <-seen:
		default:
		}
		refused := stdStrict() && tt.strict != nil && got.StatusCode != tt.status
		if handled != tt.seen && (handled != "" || !refused) {
			t.Errorf("%s: the handler saw\n%s\nwant\n%s", tt.name, handled, tt.seen)
		}
		if got.StatusCode >= 400 && !got.Close { // hazard 84
			t.Errorf("%s: a refusal without Connection: close", tt.name)
		}
		for len(seen) > 0 {
			t.Errorf("%s: a second request: %s", tt.name, <-seen) // I8
		}
	}
}

var stdRequestLines = []stdParse{
	{"plain", "GET / HTTP/1.1\r\nHost: foo.com\r\n\r\n", 200,
		`GET / path=/ host=foo.com urlhost= len=0 te=[] close=false body=""`, nil},
	{"absolute form", "GET http://www.example.com/x HTTP/1.1\r\nHost: other.example\r\n\r\n", 200, // hazard 41
		`GET http://www.example.com/x path=/x host=www.example.com urlhost=www.example.com len=0 te=[] close=false body=""`, nil},
	{"a path like an authority", "GET //user@host/is/a/path/ HTTP/1.1\r\nHost: t\r\n\r\n", 200,
		`GET //user@host/is/a/path/ path=//user@host/is/a/path/ host=t urlhost= len=0 te=[] close=false body=""`, nil},
	{"relative path", "GET ../../../etc/passwd HTTP/1.1\r\nHost: t\r\n\r\n", 400, "", nil},
	{"no target", "GET  HTTP/1.1\r\nHost: t\r\n\r\n", 400, "", nil},
	{"connect to a name", "CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\n\r\n", 200,
		`CONNECT www.example.com:443 path= host=www.example.com:443 urlhost=www.example.com:443 len=0 te=[] close=false body=""`,
		[]int{200, 405, 501}}, // hazard 42
	{"connect to an address", "CONNECT 127.0.0.1:6060 HTTP/1.1\r\nHost: 127.0.0.1:6060\r\n\r\n", 200,
		`CONNECT 127.0.0.1:6060 path= host=127.0.0.1:6060 urlhost=127.0.0.1:6060 len=0 te=[] close=false body=""`,
		[]int{200, 405, 501}}, // hazard 42
	{"connect without a Host", "CONNECT 127.0.0.1:6060 HTTP/1.1\r\n\r\n", 200,
		`CONNECT 127.0.0.1:6060 path= host=127.0.0.1:6060 urlhost=127.0.0.1:6060 len=0 te=[] close=false body=""`,
		[]int{400, 405, 501}}, // hazard 40
	{"connect for rpc", "CONNECT /_goRPC_ HTTP/1.1\r\nHost: x\r\n\r\n", 200,
		`CONNECT /_goRPC_ path=/_goRPC_ host=x urlhost= len=0 te=[] close=false body=""`,
		[]int{200, 400, 405, 501}}, // hazard 42
	{"bad connect host", "CONNECT []%20%48%54%54%50%2f HTTP/1.0\r\n\r\n", 400, "", []int{400, 405, 501}},
	{"notify star", "NOTIFY * HTTP/1.1\r\nServer: foo\r\nHost: x\r\n\r\n", 200,
		`NOTIFY * path=* host=x urlhost= len=0 te=[] close=false body=""`, []int{200, 400}},
	{"options star", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 200,
		`OPTIONS * path=* host=x urlhost= len=0 te=[] close=false body=""`, nil},
	{"close", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200,
		`GET / path=/ host=x urlhost= len=0 te=[] close=true body=""`, nil},
	{"head of length zero", "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 200,
		`HEAD / path=/ host=x urlhost= len=0 te=[] close=true body=""`, nil},
	{"lower-case method", "get / HTTP/1.1\r\nHost: x\r\n\r\n", 200, // hazard 45
		`get / path=/ host=x urlhost= len=0 te=[] close=false body=""`, []int{200, 405, 501}},
	{"method not a token", "GE(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "", nil}, // hazard 45
	{"not a request", "BOGUS REQUEST\r\n\r\n", 400, "", nil},
	{"http 0.9", "GET / HTTP/0.9\r\n\r\n", 505, "", []int{400, 505}}, // hazard 47
	{"http 2 in a get", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, "", nil},
	{"http 3", "GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505, "", nil},
	{"pri with a path", "PRI / HTTP/2.0\r\nHost: x\r\n\r\n", 505, "", []int{400, 505}},
	{"http 1.1 in small letters", "GET / http/1.1\r\nHost: x\r\n\r\n", 400, "", nil}, // hazard 46
	{"version of two digits", "GET / HTTP/1.32\r\nHost: x\r\n\r\n", 400, "", nil},    // hazard 46
	{"NUL in the target", "GET /..\x00 HTTP/1.0\r\n\r\n", 400, "", nil},              // hazard 44
}

var stdHostLines = []stdParse{
	{"no host", "GET / HTTP/1.1\r\n\r\n", 400, "", nil},
	{"empty host", "GET / HTTP/1.1\r\nHost: \r\n\r\n", 200,
		`GET / path=/ host= urlhost= len=0 te=[] close=false body=""`, []int{400}}, // hazard 40
	{"address", "GET / HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n", 200,
		`GET / path=/ host=1.2.3.4 urlhost= len=0 te=[] close=false body=""`, nil},
	{"underscore", "GET / HTTP/1.1\r\nHost: foo-bar_baz.com\r\n\r\n", 200,
		`GET / path=/ host=foo-bar_baz.com urlhost= len=0 te=[] close=false body=""`, nil},
	{"port", "GET / HTTP/1.1\r\nHost: foo.com:80\r\n\r\n", 200,
		`GET / path=/ host=foo.com:80 urlhost= len=0 te=[] close=false body=""`, nil},
	{"bare IPv6", "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", 200,
		`GET / path=/ host=::1 urlhost= len=0 te=[] close=false body=""`, []int{200, 400}},
	{"IPv6", "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", 200,
		`GET / path=/ host=[::1] urlhost= len=0 te=[] close=false body=""`, nil},
	{"IPv6 and port", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 200,
		`GET / path=/ host=[::1]:80 urlhost= len=0 te=[] close=false body=""`, nil},
	{"IPv6 zone", "GET / HTTP/1.1\r\nHost: [::1%25en0]:80\r\n\r\n", 200,
		`GET / path=/ host=[::1%25en0]:80 urlhost= len=0 te=[] close=false body=""`, []int{200, 400}},
	{"control byte", "GET / HTTP/1.1\r\nHost: \x06\r\n\r\n", 400, "", nil},
	{"high byte", "GET / HTTP/1.1\r\nHost: \xff\r\n\r\n", 400, "", nil},
	{"brace", "GET / HTTP/1.1\r\nHost: {\r\n\r\n", 400, "", nil},
	{"closing brace", "GET / HTTP/1.1\r\nHost: }\r\n\r\n", 400, "", nil},
	{"two hosts", "GET / HTTP/1.1\r\nHost: first\r\nHost: second\r\n\r\n", 400, "", nil},
	{"1.0 without host", "GET / HTTP/1.0\r\n\r\n", 200,
		`GET / path=/ host= urlhost= len=0 te=[] close=true body=""`, nil},
	{"1.0 with two hosts", "GET / HTTP/1.0\r\nHost: first\r\nHost: second\r\n\r\n", 400, "", nil},
	{"1.0 with a high byte", "GET / HTTP/1.0\r\nHost: \xff\r\n\r\n", 400, "", nil},
}

const stdOK = `GET / path=/ host=x urlhost= len=0 te=[] close=false body=""`

func stdField(line string) string { return "GET / HTTP/1.1\r\nHost: x\r\n" + line + "\r\n" }

var stdFieldLines = []stdParse{
	{"none", stdField(""), 200, stdOK, nil},
	{"plain", stdField("Foo: bar\r\n"), 200, stdOK, nil},
	{"no space", stdField("X-Foo:bar\r\n"), 200, stdOK, nil},
	{"space in the value", stdField("Foo: a space\r\n"), 200, stdOK, nil},
	{"tab in the value", stdField("foo: foo\tfoo\r\n"), 200, stdOK, nil},
	{"obs-text in the value", stdField("foo: foo\xfffoo\r\n"), 200, stdOK, nil}, // hazard 37
	{"space in the name", stdField("A space: foo\r\n"), 400, "", nil},
	{"high byte in the name", stdField("foo\xffbar: foo\r\n"), 400, "", nil}, // hazard 36
	{"NUL in the name", stdField("foo\x00bar: foo\r\n"), 400, "", nil},
	{"space before the colon", stdField("Foo : bar\r\n"), 400, "", nil}, // hazard 32
	{"tab before the colon", stdField("Foo\t: bar\r\n"), 400, "", nil},
	{"empty name", stdField(": empty key\r\n"), 400, "", nil}, // hazard 34
	{"no colon", stdField("nocolon\r\n"), 400, "", nil},       // hazard 35
	{"NUL in the value", stdField("foo: foo\x00foo\r\n"), 400, "", nil},
	{"DEL in the value", stdField("foo: foo\x7ffoo\r\n"), 400, "", nil}, // hazard 37
	{"too large", stdField("Foo: " + strings.Repeat("x", 1<<21) + "\r\n"), 431, "", nil},
	{"first line led by a space", "GET / HTTP/1.1\r\n Host: foo\r\n\r\n", 400, "", nil}, // hazard 33
	{"first line led by a tab", "GET / HTTP/1.1\r\n\tHost: foo\r\n\r\n", 400, "", nil},
	{"folded line", stdField("Foo: a\r\n b\r\n"), 200, stdOK, []int{400}},                 // hazard 31
	{"bare LF", "GET / HTTP/1.1\nHost: x\n\n", 200, stdOK, []int{400}},                    // hazard 28
	{"head cut short", "GET / HTTP/1.1\r\nHost: x\r\n", 400, "", []int{400, stdNoAnswer}}, // hazard 72
	{"bare CR in the value", stdField("Foo: a\rb\r\n"), 400, "", nil},                     // hazard 29
	{"notdigits", stdField("Content-Length: notdigits\r\n"), 400, "", nil},                // hazard 14
	{"notdigits and chunked", stdField("Content-Length: notdigits\r\nTransfer-Encoding: chunked\r\n"), 400, "", nil},
}

func stdLength(lines ...string) string {
	return "POST / HTTP/1.1\r\nHost: x\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\nabcdef"
}

func stdSized(n int) string {
	return fmt.Sprintf(`POST / path=/ host=x urlhost= len=%d te=[] close=false body=%q`, n, "abcdef"[:n])
}

var stdLengthLines = []stdParse{
	{"3, then rubbish", stdLength("Content-Length: 3", "Connection: close"), 200,
		strings.Replace(stdSized(3), "close=false", "close=true", 1), nil},
	{"6", stdLength("Content-Length: 6"), 200, stdSized(6), nil},
	{"6 with spaces", stdLength("Content-Length:  6 "), 200, stdSized(6), nil},
	{"10 and 0", stdLength("Content-Length: 10", "Content-Length: 0"), 400, "", nil}, // hazard 10
	{"10 and 6", stdLength("Content-Length: 10", "Content-Length: 6"), 400, "", nil},
	{"3 and 4 in a HEAD", "HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, "", nil},
	{"6 three times", stdLength("Content-Length: 6 ", "Content-Length: 6", "Content-Length:6"), 200, stdSized(6),
		[]int{200, 400}}, // hazard 11
	{"empty and 3", stdLength("Content-Length:", "Content-Length: 3"), 400, "", nil}, // hazard 17
	{"empty", stdLength("Content-Length:"), 400, "", nil},
	{"+3", stdLength("Content-Length: +3"), 400, "", nil},                                // hazard 12
	{"-3", stdLength("Content-Length: -3"), 400, "", nil},                                // hazard 13
	{"2^63", stdLength("Content-Length: 9223372036854775808"), 400, "", []int{400, 413}}, // hazard 16
	{"zero twice", "HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length:0\r\nContent-Length: 0\r\n\r\n", 200,
		`HEAD / path=/ host=x urlhost= len=0 te=[] close=false body=""`, []int{200, 400}},
}

func stdCoded(lines ...string) string {
	return "POST / HTTP/1.1\r\nHost: x\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n3\r\nfoo\r\n3\r\nbar\r\n0\r\n\r\n"
}

const stdChunks = `POST / path=/ host=x urlhost= len=-1 te=["chunked"] close=false body="foobar"`

var stdCodingLines = []stdParse{
	{"chunked", stdCoded("Transfer-Encoding: chunked"), 200, stdChunks, nil},
	{"capitals", stdCoded("Transfer-Encoding: CHUNKED"), 200, stdChunks, nil},
	{"trailer", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfoo\r\n3\r\nbar\r\n0\r\nTrailer-Key: v\r\n\r\n",
		200, stdChunks + ` trailer=map[Trailer-Key:[v]]`, nil},
	{"and a length", stdCoded("Transfer-Encoding: chunked", "Content-Length: 9999"), 200, stdChunks,
		[]int{200, 400}}, // hazard 1
	{"unknown", stdCoded("Transfer-Encoding: fugazi"), 501, "", []int{400, 501}}, // hazard 6
	{"empty", stdCoded("Transfer-Encoding:"), 501, "", []int{400, 501}},
	{"vertical tab", stdCoded("Transfer-Encoding: \x0bchunked"), 400, "", []int{400, 501}}, // hazard 7
	{"quoted", stdCoded(`Transfer-Encoding: " chunked"`), 501, "", []int{400, 501}},
	{"chunked, identity", stdCoded("Transfer-Encoding: chunked, identity"), 501, "", []int{400, 501}}, // hazard 5
	{"two lines", stdCoded("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), 501, "", []int{400, 501}},
	{"many", stdCoded("Transfer-Encoding: chunked, chunked", "Transfer-Encoding: identity", "Transfer-Encoding: chunked"),
		501, "", []int{400, 501}}, // hazard 4
	{"foo-bar", stdCoded("Transfer-Encoding: foo-bar"), 501, "", []int{400, 501}},
	{"LF after a chunk size", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", 200,
		`POST / path=/ host=x urlhost= len=-1 te=["chunked"] close=false body="" err`, []int{200, 400}}, // hazard 20
	{"LF at the end", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\n", 200,
		`POST / path=/ host=x urlhost= len=-1 te=["chunked"] close=false body="a" err`, []int{200, 400}},
	{"cut short", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfoo\r\n", 200,
		`POST / path=/ host=x urlhost= len=-1 te=["chunked"] close=false body="foo" err`, []int{200, 400}}, // hazard 27
}

func TestStdRequestLine(t *testing.T)   { t.Parallel(); stdParses(t, stdRequestLines) }
func TestStdRequestHost(t *testing.T)   { t.Parallel(); stdParses(t, stdHostLines) }
func TestStdRequestFields(t *testing.T) { t.Parallel(); stdParses(t, stdFieldLines) }
func TestStdRequestLength(t *testing.T) { t.Parallel(); stdParses(t, stdLengthLines) }
func TestStdRequestCoding(t *testing.T) { t.Parallel(); stdParses(t, stdCodingLines) }

func TestStdRequestFieldsSeen(t *testing.T) {
	t.Parallel()
	var got http.Header
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
	})
	stdRaw(t, url, "POST http://www.example.com/ HTTP/1.1\nHost: www.example.com\nUser-Agent: Fake\n"+
		"Accept: text/html,*/*;q=0.8\naccept: second\nKEEP-ALIVE: 300\nContent-Length: 7\nExpect: 100-continue\n"+
		"Proxy-Connection: keep-alive\nConnection: keep-alive\n\nabcdef\n")
	for key, want := range map[string]string{
		"Accept": `["text/html,*/*;q=0.8" "second"]`, "User-Agent": `["Fake"]`, "Keep-Alive": `["300"]`,
		"Content-Length": `["7"]`, "Expect": `["100-continue"]`, "Proxy-Connection": `["keep-alive"]`,
		"Connection": `["keep-alive"]`, "Host": "absent",
	} {
		if s := stdSeen(got, key); s != want {
			t.Errorf("%s: %s; want %s", key, s, want)
		}
	}
}

func TestStdHeaderLimit(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("GET / HTTP/1.1\r\nHost: x\r\n")
	for i := 0; b.Len() < http.DefaultMaxHeaderBytes+8192; i++ {
		fmt.Fprintf(&b, "header%05d: val%05d\r\n", i, i)
	}
	url := stdHandle(t, func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") })
	w := stdDial(t, url)
	go io.WriteString(w.c, b.String()+"\r\n")
	if got := w.next("GET"); got.StatusCode != 431 || !got.Close { // hazard 57
		t.Errorf("status %d, close %v; want 431 and a close", got.StatusCode, got.Close)
	}
	w.wantClosed()
}

func TestStdHeaderLimitSet(t *testing.T) {
	t.Parallel()
	url, _, _ := stdStart(t, &stdServer{MaxHeaderBytes: 1 << 13, Handler: stdText("ok")})
	for _, tt := range []struct{ size, want int }{{1 << 12, 200}, {1 << 15, 431}} {
		got := stdRaw(t, url, "GET / HTTP/1.1\nHost: x\nFoo: "+strings.Repeat("x", tt.size))
		if !strings.HasPrefix(got, fmt.Sprintf("HTTP/1.1 %d ", tt.want)) {
			t.Errorf("a field of %d bytes: %.60q; want %d", tt.size, got, tt.want)
		}
	}
}

func TestStdPriorKnowledge(t *testing.T) {
	t.Parallel()
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "PRI" || r.RequestURI != "*" || !r.Close {
			t.Errorf("%s %s, close %v", r.Method, r.RequestURI, r.Close)
		}
	})
	w := stdDial(t, url)
	w.send(preface)
	got := w.next("GET")
	stdWantStatus(t, "an HTTP/2 preface", got.StatusCode, 200, []int{400, 505}) // hazard 48
	if !got.Close {
		t.Error("the connection was not announced to close")
	}
	w.wantClosed()
}

func TestStdPriorKnowledgeHijacked(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		b := make([]byte, 6)
		if _, err := io.ReadFull(rw, b); err != nil || string(b) != "SM\r\n\r\n" {
			t.Errorf("behind the preface: %q, %v", b, err)
		}
		io.WriteString(c, "taken")
	})
	w := stdDial(t, url)
	w.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	got := w.rest()
	if stdStrict() { // hazard 48: refused instead of handed to the handler
		if !strings.HasPrefix(got, "HTTP/1.1 505 ") && !strings.HasPrefix(got, "HTTP/1.1 400 ") {
			t.Errorf("%q; want a refusal", got)
		}
		return
	}
	if got != "taken" {
		t.Errorf("%q; want the handler's own bytes", got)
	}
}

func TestStdOptionsStar(t *testing.T) {
	t.Parallel()
	uris := make(chan string, 4)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { uris <- r.RequestURI })
	url := stdHandle(t, mux.ServeHTTP)
	w := stdDial(t, url)
	w.send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n") // hazard 43
	if got := w.next("OPTIONS"); got.StatusCode != 200 || got.ContentLength != 0 || got.Header.Get("foo") != "" {
		t.Errorf("OPTIONS *: %d, length %d", got.StatusCode, got.ContentLength)
	}
	w.send("GET * HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := w.next("GET"); got.StatusCode != 400 {
		t.Errorf("GET *: %d; want 400", got.StatusCode)
	}
	stdGet(t, url+"/second")
	if got := <-uris; got != "/second" {
		t.Errorf("the handler's first request is %q; want /second", got)
	}
}

func TestStdOptionsStarHandled(t *testing.T) {
	t.Parallel()
	url, _, _ := stdStart(t, &stdServer{DisableGeneralOptionsHandler: true, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Method, r.RequestURI, r.URL.Path) })})
	if got := stdRaw(t, url, "OPTIONS * HTTP/1.1\nHost: x"); !strings.HasSuffix(got, "\r\n\r\nOPTIONS**") {
		t.Errorf("%q; want the handler's answer", got)
	}
}

func TestStdStarMethod(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("foo", "bar")
		stdFlush(w)
		fmt.Fprint(w, r.Method, r.RequestURI, r.URL.Path)
	})
	if got := stdRaw(t, url, "OPTIONS * HTTP/1.1\nHost: x"); strings.Contains(got, "bar") {
		t.Errorf("OPTIONS * reached the handler: %q", got)
	}
	w := stdDial(t, url)
	w.send("FOO * HTTP/1.1\r\nHost: x\r\n\r\n")
	got := w.next("FOO")
	stdWantStatus(t, "FOO *", got.StatusCode, 200, []int{200, 400})
	if got.StatusCode == 200 && (got.body != "FOO**" || got.ContentLength != -1) {
		t.Errorf("FOO *: %q, length %d", got.body, got.ContentLength)
	}
}

func TestStdEmptyLinesBeforeRequest(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(http.ResponseWriter, *http.Request) {})
	w := stdDial(t, url) // hazard 39
	w.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nABC\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
	for i := range 2 {
		if got := w.next("GET"); got.StatusCode != 200 {
			t.Errorf("response %d: %d", i, got.StatusCode)
		}
	}
}

func TestStdRemoteAddr(t *testing.T) {
	t.Parallel()
	w := stdDial(t, stdHandle(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) }))
	w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := w.next("GET").body; got != w.c.LocalAddr().String() {
		t.Errorf("RemoteAddr %q; want %q", got, w.c.LocalAddr())
	}
}

func TestStdRequestLengthSeen(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.ContentLength) })
	for _, tt := range []struct {
		body io.Reader
		want string
	}{{strings.NewReader("FOUR"), "4"}, {nil, "0"}, {stdReaderOnly{strings.NewReader("Stuff")}, "-1"}} {
		if got := stdDo(t, stdClient(t), stdRequest(t, "POST", url, tt.body)).body; got != tt.want {
			t.Errorf("ContentLength %s; want %s", got, tt.want)
		}
	}
}

func TestStdConnect(t *testing.T) {
	t.Parallel()
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Method, " ", r.Host, " ", r.URL.Host)
	})
	w := stdDial(t, url)
	w.send("CONNECT example.com:123 HTTP/1.1\r\nHost: example.com:123\r\nConnection: close\r\n\r\n")
	got := w.next("GET")
	stdWantStatus(t, "CONNECT", got.StatusCode, 200, []int{200, 405, 501}) // hazard 42
	if got.StatusCode == 200 && got.body != "CONNECT example.com:123 example.com:123" {
		t.Errorf("the handler saw %q", got.body)
	}
}
