package h1

import (
	"net/http"
	"net/textproto"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

const browser = "GET /search?q=strand&lang=en HTTP/1.1\r\n" +
	"Host: www.example.com\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
	"Accept-Language: en-US,en;q=0.5\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Referer: https://www.example.com/\r\n" +
	"Connection: keep-alive\r\n" +
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; seen=1\r\n" +
	"upgrade-insecure-requests: 1\r\n" +
	"sec-fetch-dest: document\r\n" +
	"sec-fetch-mode: navigate\r\n" +
	"If-None-Match: \"33a64df551425fcc55e4d42a148795d9f25f89d4\"\r\n" +
	"Cache-Control: max-age=0\r\n\r\n"

const plaintext = "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n"

func TestParseAllocates(t *testing.T) {
	for _, head := range []string{browser, plaintext} {
		b := []byte(head)
		if n := testing.AllocsPerRun(100, func() {
			var s Scanner
			if n, err := s.Scan(b, &Limits{}); n != len(b) || err != nil {
				t.Fatal(n, err)
			}
			var array [32]Field
			r, fields, err := ParseRequest(head, array[:])
			if err != nil {
				t.Fatal(err)
			}
			var u url.URL
			if err := ParseTarget(r.Method, r.Target, &u); err != nil {
				t.Fatal(err)
			}
			if len(fields) < 2 || u.Path == "" {
				t.Fatal("parsed nothing")
			}
		}); n != 0 {
			t.Errorf("%.20s: %v allocations, want 0", head, n)
		}
	}
}

// hazard 175: nothing of an earlier request is in the next one parsed into the same place.
func TestParseOverwrites(t *testing.T) {
	array := make([]Field, 4)
	first := "POST /a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 7\r\nX: y\r\n\r\n"
	second := "GET /b HTTP/1.1\r\nHost: b\r\n\r\n"
	if _, _, err := ParseRequest(first, array); err != nil {
		t.Fatal(err)
	}
	r, fields, err := ParseRequest(second, array)
	if err != nil {
		t.Fatal(err)
	}
	want := Request{Method: "GET", Target: "/b", Minor: 1, Host: "b", ContentLength: -1}
	if !reflect.DeepEqual(r, want) || len(fields) != 0 {
		t.Fatalf("got %+v, want %+v", r, want)
	}
}

// ParseRequest alone, without a Scanner before it, refuses what is not exactly one head.
func TestParseRequestAlone(t *testing.T) {
	for i := range len(plaintext) {
		if _, _, err := ParseRequest(plaintext[:i], nil); err == nil {
			t.Errorf("prefix of %d bytes accepted", i)
		}
	}
	if _, _, err := ParseRequest(plaintext+"x", nil); err != ErrHeadTrailing {
		t.Errorf("one byte more: %v", err)
	}
}

func TestCanonicalName(t *testing.T) {
	for _, name := range commonNames {
		if canon := textproto.CanonicalMIMEHeaderKey(name); canon != name {
			t.Errorf("%q in the table, canonical is %q", name, canon)
		}
		if len(name) > longestCommon {
			t.Errorf("%q is longer than %d", name, longestCommon)
		}
		if got := canonicalName(strings.ToUpper(name)); got != name {
			t.Errorf("canonicalName(%q) = %q", strings.ToUpper(name), got)
		}
	}
	for _, name := range []string{"x", "x-y", "X-y-Z", "-", "--a", "a-", "x_y-z", "0a-b", "^a", strings.Repeat("ab-", 30)} {
		want := textproto.CanonicalMIMEHeaderKey(name)
		if got := canonicalName(name); got != want {
			t.Errorf("canonicalName(%q) = %q, want %q", name, got, want)
		}
		if _, canonical := scanName(name, 0); canonical != (name == want) {
			t.Errorf("scanName(%q) says canonical %v", name, canonical)
		}
	}
}

func TestIndexCTL(t *testing.T) {
	for n := range 40 {
		for at := range n + 1 {
			for c := range 256 {
				b := []byte(strings.Repeat("a\xff ", 20)[:n])
				if at < n {
					b[at] = byte(c)
				}
				want := n
				if at < n && (c < 0x20 || c == 0x7f) {
					want = at
				}
				if got := indexCTL(b); got != want {
					t.Fatalf("indexCTL(%q) = %d, want %d", b, got, want)
				}
				if got := indexCTLFrom(string(b), 0); got != want {
					t.Fatalf("indexCTLFrom(%q) = %d, want %d", b, got, want)
				}
			}
		}
	}
	if got := indexCTLFrom("\x00abcdefghijklm\x01", 1); got != 14 {
		t.Fatalf("from 1: %d", got)
	}
}

// hazard 51: nothing a handler can put into a header splits the response.
func TestAppendIsSafe(t *testing.T) {
	dst := AppendStatusLine([]byte("before|"), 1, 204, "No\r\nX: y")
	dst = AppendFields(dst, http.Header{
		"B":       {" two \r\nSet-Cookie: evil\x00\x7f", "t\tab"},
		"A":       {"one"},
		"Bad Key": {"x"},
		"Bad\r\n": {"x"},
		"":        {"x"},
		"Skip":    {"x"},
		"Empty":   {""},
	}, func(name string) bool { return name == "Skip" })
	dst = AppendIntField(dst, "Content-Length", 1<<40)
	dst = AppendIntField(dst, "Bad:", 1)
	dst = AppendChunkSize(dst, 0x1f0)
	want := "before|HTTP/1.1 204 No  X: y\r\nA: one\r\nB: two   Set-Cookie: evil  \r\nB: t\tab\r\nEmpty: \r\n" +
		"Content-Length: 1099511627776\r\n1f0\r\n"
	if string(dst) != want {
		t.Fatalf("got  %q\nwant %q", dst, want)
	}
	if ValidValue("a\r\nb") || ValidValue("a\x7f") || !ValidValue("a\tb\xff") || ValidToken("") || ValidToken("a b") || !ValidToken("GET") {
		t.Fatal("ValidValue or ValidToken is wrong")
	}
}
