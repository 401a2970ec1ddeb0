package h1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// FuzzHead feeds a stream of requests: no split may change what is understood, and what we
// accept net/http accepts with the same meaning.
func FuzzHead(f *testing.F) {
	f.Add([]byte(browser))
	f.Add([]byte(plaintext + plaintext))
	for _, h := range hazards {
		if len(h.in) < 512 {
			f.Add([]byte(h.in))
		}
	}
	lim := &Limits{RequestLine: 200, HeaderBytes: 600, HeaderLines: 12}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 2048 {
			return
		}
		in := string(b)
		whole := transcript(in, nil, lim)
		if got := transcript(in, everyByte(in), lim); got != whole {
			t.Fatalf("byte by byte:\n%s\nwhole:\n%s", got, whole)
		}
		for i := 1; i < len(in); i += 1 + len(in)/64 {
			if got := transcript(in, []int{i}, lim); got != whole {
				t.Fatalf("split at %d:\n%s\nwhole:\n%s", i, got, whole)
			}
		}
		var s Scanner
		n, err := s.Scan(b, &Limits{})
		if err == nil && n > 0 {
			likeNetHTTP(t, in[s.Start():n], in[n:])
		}
	})
}

// likeNetHTTP fails if we accept a head that net/http refuses or understands otherwise.
func likeNetHTTP(t *testing.T, head, rest string) {
	r, fields, err := ParseRequest(head, nil)
	var u url.URL
	if err == nil {
		err = ParseTarget(r.Method, r.Target, &u)
	}
	if err != nil {
		return
	}
	want, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + rest)))
	if err != nil {
		t.Fatalf("we accept, net/http says %v: %q", err, head)
	}
	if r.Method != want.Method || r.Target != want.RequestURI || r.Minor != want.ProtoMinor {
		t.Fatalf("%q: request line differs: %+v", head, r)
	}
	if !reflect.DeepEqual(&u, want.URL) {
		t.Fatalf("%q: URL %#v, net/http %#v", head, &u, want.URL)
	}
	host := u.Host
	if host == "" {
		host = r.Host
	}
	if host != want.Host || r.Close != want.Close {
		t.Fatalf("%q: host %q close %v, net/http %q %v", head, host, r.Close, want.Host, want.Close)
	}
	length := max(0, r.ContentLength)
	if r.Chunked {
		length = -1
	}
	if length != want.ContentLength || r.Chunked != (len(want.TransferEncoding) > 0) {
		t.Fatalf("%q: length %d chunked %v, net/http %d %v", head, length, r.Chunked, want.ContentLength, want.TransferEncoding)
	}
	header := http.Header{}
	for _, f := range fields {
		header[f.Name] = append(header[f.Name], f.Value)
	}
	if header.Get("Pragma") == "no-cache" && header["Cache-Control"] == nil {
		header["Cache-Control"] = []string{"no-cache"} // net/http adds it; http1 does, too
	}
	want.Header.Del("Host") // net/http's server removes it behind ReadRequest
	if !reflect.DeepEqual(header, want.Header) {
		t.Fatalf("%q: header %q, net/http %q", head, header, want.Header)
	}
	var trailer http.Header
	for _, name := range r.Trailers {
		if trailer == nil {
			trailer = http.Header{}
		}
		trailer[name] = nil
	}
	if !reflect.DeepEqual(trailer, want.Trailer) {
		t.Fatalf("%q: trailer %q, net/http %q", head, trailer, want.Trailer)
	}
}

func decodeAll(in []byte, piece, max int) (body []byte, rest int, done bool, fields []Field, err error) {
	var c Chunked
	off, have := 0, 0
	for {
		n, data, done, err := c.Decode(in[off:have], max)
		if len(data) > max {
			panic("more than max")
		}
		off += n
		body = append(body, data...)
		if done || err != nil {
			return body, off, done, c.Trailer(), err
		}
		if n > 0 {
			continue
		}
		if have == len(in) {
			return body, off, false, nil, nil
		}
		have = min(have+piece, len(in))
	}
}

// FuzzChunked decodes a chunked body: no split may change the outcome, and a body we accept
// is the one net/http reads.
func FuzzChunked(f *testing.F) {
	for _, h := range hazards {
		if _, body, ok := strings.Cut(h.in, ch); ok && len(body) < 512 {
			f.Add([]byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 64<<10 {
			return
		}
		body, rest, done, fields, err := decodeAll(b, len(b)+1, 1<<30)
		for _, piece := range []int{1, 2, 3, 7} {
			for _, max := range []int{1, 5, 1 << 30} {
				body2, rest2, done2, fields2, err2 := decodeAll(b, piece, max)
				if !bytes.Equal(body, body2) || rest != rest2 || done != done2 || !reflect.DeepEqual(fields, fields2) || !reflect.DeepEqual(err, err2) {
					t.Fatalf("pieces of %d, max %d: %q %d %v %v %v; whole: %q %d %v %v %v", piece, max,
						body2, rest2, done2, fields2, err2, body, rest, done, fields, err)
				}
			}
		}
		if !done {
			return
		}
		want, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(b)))
		if err != nil || !bytes.Equal(body, want) {
			t.Fatalf("we read %q, net/http %q, %v", body, want, err)
		}
	})
}

// FuzzTarget parses a request target: what we accept is what net/http makes of it.
func FuzzTarget(f *testing.F) {
	for _, h := range hazards {
		if words := strings.Fields(h.in); len(words) > 1 && len(words[1]) < 200 {
			f.Add(words[0], words[1])
		}
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		var u url.URL
		err := ParseTarget(method, target, &u)
		raw := target
		authority := method == "CONNECT" && !strings.HasPrefix(target, "/")
		if authority {
			raw = "http://" + target
		}
		want, wantErr := url.ParseRequestURI(raw)
		if err != nil {
			return
		}
		if wantErr != nil {
			t.Fatalf("%s %q: net/url says %v", method, target, wantErr)
		}
		if authority {
			want.Scheme = ""
		}
		if !reflect.DeepEqual(&u, want) {
			t.Fatalf("%s %q: %#v, net/url %#v", method, target, &u, want)
		}
	})
}

// FuzzFieldValue writes any name and value with AppendField and reads them back: one line
// at most, and the same field if both were valid.
func FuzzFieldValue(f *testing.F) {
	f.Add("Name", "value")
	f.Add("name", " v\r\nSet-Cookie: x ")
	f.Add("N\x00", "\x00\t\x7f\xff")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, name, value string) {
		line := string(AppendField(nil, name, value))
		if !ValidToken(name) {
			if line != "" {
				t.Fatalf("%q: wrote %q", name, line)
			}
			return
		}
		got, next, err := parseField(line+"\r\n", 0)
		if err != nil || next != len(line) {
			t.Fatalf("%q %q: wrote %q, read %v %d", name, value, line, err, next)
		}
		if got.Name != http.CanonicalHeaderKey(name) {
			t.Fatalf("name %q, net/http %q", got.Name, http.CanonicalHeaderKey(name))
		}
		if ValidValue(value) && got.Value != strings.Trim(value, " \t") {
			t.Fatalf("value %q became %q", value, got.Value)
		}
		if !ValidValue(got.Value) {
			t.Fatalf("value %q is not valid", got.Value)
		}
	})
}
