package h1

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// hazards 56, 57, 58: each limit accepts what is exactly at it and refuses one more, and
// the answer does not depend on how the bytes were split.
func TestLimits(t *testing.T) {
	lim := &Limits{RequestLine: 20, HeaderBytes: 30, HeaderLines: 3}
	line := func(n int) string {
		return "GET /" + strings.Repeat("a", n-len("GET / HTTP/1.1")) + " HTTP/1.1\r\nHost: h\r\n\r\n"
	}
	value := func(n int) string {
		return get + "A: " + strings.Repeat("a", n-len("Host: h\r\nA: \r\n")) + "\r\n\r\n"
	}
	for _, tt := range []struct {
		in   string
		want string
	}{
		{line(20), "200"},
		{line(21), "414"},
		{line(4000), "414"},
		{strings.Repeat("G", 20), ""},
		{strings.Repeat("G", 21), "414"},
		{value(30), "200"},
		{value(31), "431"},
		{value(4000), "431"},
		{get + strings.Repeat("N", 31), "431"},
		{get + "A: b\r\nC: d\r\n\r\n", "200"},
		{get + "A: b\r\nC: d\r\nE:\r\n\r\n", "431"},
	} {
		if got := statuses(checkSplits(t, tt.in, lim)); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

// hazard 56: a request line of 8,000 octets passes the default limit.
func TestDefaultRequestLine(t *testing.T) {
	in := "GET /" + strings.Repeat("a", 8000-len("GET / HTTP/1.1")) + " HTTP/1.1\r\nHost: h\r\n\r\n"
	if got := statuses(transcript(in, nil, &Limits{})); got != "200" {
		t.Fatalf("8,000 octets: %s, want 200", got)
	}
	in = "GET /" + strings.Repeat("a", 1<<20) + " HTTP/1.1\r\nHost: h\r\n\r\n"
	if got := statuses(transcript(in, nil, &Limits{})); got != "414" {
		t.Fatalf("1 MiB: %s, want 414", got)
	}
}

// hazards 48, 81: a head that can no longer become valid fails at the byte that spoils it,
// and the reason holds no raw control byte.
func TestFailsEarly(t *testing.T) {
	for _, in := range []string{
		"\x16", "\x00", "\x80", "GET /\x01", "GET / HTTP/2.0\r\n", "GET /\r\n", "PRI * HTTP/2.0\r\n",
		"GET / HTTP/1.1\n", get + "A: b\n", get + "A: \x1b", get + "A: b\r\n ", "\r\r", "\r\n\n", "G\r",
	} {
		var s Scanner
		for i := range len(in) {
			n, err := s.Scan([]byte(in[:i+1]), &Limits{})
			if n != 0 {
				t.Fatalf("%q is complete at %d", in, i)
			}
			if last := i == len(in)-1; last != (err != nil) {
				t.Fatalf("%q: byte %d: error %v", in, i, err)
			}
			if err == nil {
				continue
			}
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < 0x20 || r > 0x7e }) {
				t.Fatalf("%q: raw byte in %q", in, err)
			}
		}
	}
}

// The scanner looks at each byte once: a head fed one byte at a time never moves pos back
// and never leaves more than one byte behind.
func TestScanIsLinear(t *testing.T) {
	in := []byte(get + strings.Repeat("Abc: def\tg\r\n", 50) + "\r\n")
	var s Scanner
	for i := 1; i <= len(in); i++ {
		before := s.pos
		if _, err := s.Scan(in[:i], &Limits{}); err != nil {
			t.Fatal(err)
		}
		if i < len(in) && (s.pos < before || s.pos < i-1) {
			t.Fatalf("after %d bytes pos went from %d to %d", i, before, s.pos)
		}
	}
}

// hazard 23: extensions are bounded for a line and over a body.
func TestChunkOverhead(t *testing.T) {
	run := func(body string) (total int, err error) {
		var c Chunked
		in := []byte(body)
		for len(in) > 0 {
			n, data, done, err := c.Decode(in, 1<<20)
			total += len(data)
			if err != nil || done {
				return total, err
			}
			in = in[n:]
		}
		return total, errors.New("need more")
	}
	long := "5;" + strings.Repeat("a", maxChunkLine) + "\r\nhello\r\n0\r\n\r\n"
	if _, err := run(long); err != ErrChunkLineLong {
		t.Errorf("long line: %v", err)
	}
	if _, err := run("5;" + strings.Repeat("a", 64<<10)); err != ErrChunkLineLong {
		t.Errorf("endless line: %v", err)
	}
	fat := strings.Repeat("1;"+strings.Repeat("a", 4000)+"\r\nx\r\n", 100) + "0\r\n\r\n"
	if n, err := run(fat); err != ErrChunkOverhead || n > 5 {
		t.Errorf("fat chunks: %v after %d bytes", err, n)
	}
	// hazard 24
	if n, err := run(strings.Repeat("1\r\nx\r\n", 1e6) + "0\r\n\r\n"); err != nil || n != 1e6 {
		t.Errorf("one-byte chunks: %d bytes, %v", n, err)
	}
	rich := strings.Repeat("1000;"+strings.Repeat("a", 4000)+"\r\n"+strings.Repeat("x", 4096)+"\r\n", 100) + "0\r\n\r\n"
	if n, err := run(rich); err != nil || n != 409600 {
		t.Errorf("long extensions that data pays for: %d bytes, %v", n, err)
	}
}

// An error, and the end, are final: no later byte is taken. // invariant I8
func TestChunkedStays(t *testing.T) {
	var c Chunked
	_, _, _, err := c.Decode([]byte("zz"), 10)
	if n, data, done, again := c.Decode([]byte("5\r\nhello\r\n0\r\n\r\n"), 10); n != 0 || len(data) != 0 || done || again != err || err == nil {
		t.Fatalf("after %v: n %d data %q done %v err %v", err, n, data, done, again)
	}
	c = Chunked{}
	in := []byte("0\r\n\r\nGET /")
	n, _, done, err := c.Decode(in, 10)
	if n != 5 || !done || err != nil {
		t.Fatalf("n %d done %v err %v", n, done, err)
	}
	if n, _, done, _ := c.Decode(in[n:], 10); n != 0 || !done {
		t.Fatalf("after the end: n %d done %v", n, done)
	}
}

func TestDecodeInto(t *testing.T) {
	const in = "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX: y\r\n\r\nrest"
	for size := 1; size < 20; size++ {
		var c Chunked
		var out []byte
		src := []byte(in)
		for !c.Done() {
			dst := make([]byte, size)
			w, n, _, err := c.DecodeInto(dst, src)
			if err != nil || w == 0 && n == 0 {
				t.Fatalf("size %d: wrote %d, consumed %d, %v", size, w, n, err)
			}
			out = append(out, dst[:w]...)
			src = src[n:]
		}
		if string(out) != "hello world" || string(src) != "rest" || fmt.Sprint(c.Trailer()) != "[{X y}]" {
			t.Fatalf("size %d: %q, rest %q, trailer %v", size, out, src, c.Trailer())
		}
	}
}

// Data that a reader takes off the socket itself is counted like data that is decoded.
func TestDirect(t *testing.T) {
	var c Chunked
	if c.Direct() != 0 {
		t.Fatal("direct before a size line")
	}
	n, data, _, err := c.Decode([]byte("a\r\nhel"), 100)
	if n != 6 || string(data) != "hel" || err != nil || c.Direct() != 7 {
		t.Fatalf("n %d data %q err %v direct %d", n, data, err, c.Direct())
	}
	c.Advance(7)
	if c.Direct() != 0 {
		t.Fatal("direct behind the data")
	}
	if _, _, done, err := c.Decode([]byte("\r\n0\r\n\r\n"), 100); !done || err != nil {
		t.Fatalf("done %v err %v", done, err)
	}
	defer func() {
		if recover() == nil {
			t.Fatal("Advance beyond the chunk did not panic")
		}
	}()
	c.Advance(1)
}
