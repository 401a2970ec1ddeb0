package h1

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// feeder hands out an input in pieces, as a connection would.
type feeder struct {
	in   string
	cuts []int // ascending offsets where a piece ends
	have int
	off  int // consumed
}

// more makes the next piece visible and reports whether there was one.
func (f *feeder) more() bool {
	if f.have == len(f.in) {
		return false
	}
	for len(f.cuts) > 0 && f.cuts[0] <= f.have {
		f.cuts = f.cuts[1:]
	}
	f.have = len(f.in)
	if len(f.cuts) > 0 {
		f.have = f.cuts[0]
	}
	return true
}

func (f *feeder) buffered() []byte { return []byte(f.in[f.off:f.have]) }

// transcript parses everything in the input as a server that obeys this package would and
// returns what it understood, one line an event.
func transcript(in string, cuts []int, lim *Limits) string {
	f := &feeder{in: in, cuts: cuts}
	var out strings.Builder
	for range 100 {
		head, err := nextHead(f, lim)
		if err != nil {
			fmt.Fprintf(&out, "error %v\n", err)
			return out.String()
		}
		if head == "" {
			return out.String()
		}
		r, fields, err := ParseRequest(head, nil)
		if err != nil {
			fmt.Fprintf(&out, "error %v\n", err)
			return out.String()
		}
		var u url.URL
		if err := ParseTarget(r.Method, r.Target, &u); err != nil {
			fmt.Fprintf(&out, "error %v\n", err)
			return out.String()
		}
		fmt.Fprintf(&out, "%s %q %d host=%q close=%v keep=%v expect=%v upgrade=%v length=%d chunked=%v trailers=%q %q\n",
			r.Method, u.String(), r.Minor, r.Host, r.Close, r.KeepAlive, r.ExpectContinue, r.Upgrade,
			r.ContentLength, r.Chunked, r.Trailers, fields)
		if !readBody(f, &r, &out) || r.Close {
			return out.String()
		}
	}
	return out.String()
}

func nextHead(f *feeder, lim *Limits) (string, error) {
	var s Scanner
	for {
		n, err := s.Scan(f.buffered(), lim)
		if err != nil {
			return "", err
		}
		if n > 0 {
			head := f.in[f.off+s.Start() : f.off+n]
			f.off += n
			return head, nil
		}
		if !f.more() {
			return "", nil
		}
	}
}

func readBody(f *feeder, r *Request, out *strings.Builder) bool {
	var body []byte
	defer func() { fmt.Fprintf(out, "body %q\n", body) }()
	if r.Chunked {
		var c Chunked
		for {
			n, data, done, err := c.Decode(f.buffered(), 1<<20)
			f.off += n
			body = append(body, data...)
			if err != nil {
				fmt.Fprintf(out, "error %v\n", err)
				return false
			}
			if done {
				fmt.Fprintf(out, "trailer %q\n", c.Trailer())
				return true
			}
			if n == 0 && !f.more() {
				out.WriteString("short\n")
				return false
			}
		}
	}
	left := max(0, r.ContentLength)
	for left > 0 {
		b := f.buffered()
		b = b[:min(int64(len(b)), left)]
		body = append(body, b...)
		f.off += len(b)
		left -= int64(len(b))
		if len(b) == 0 && !f.more() {
			out.WriteString("short\n")
			return false
		}
	}
	return true
}

func everyByte(in string) []int {
	cuts := make([]int, len(in))
	for i := range cuts {
		cuts[i] = i + 1
	}
	return cuts
}

// checkSplits fails unless every split of the input into two pieces, and into single
// bytes, gives the transcript of the whole. // hazard 54
func checkSplits(t *testing.T, in string, lim *Limits) string {
	t.Helper()
	whole := transcript(in, nil, lim)
	if got := transcript(in, everyByte(in), lim); got != whole {
		t.Fatalf("byte by byte %q:\n%s\nwhole:\n%s", in, got, whole)
	}
	for i := 1; i < len(in); i++ {
		if got := transcript(in, []int{i}, lim); got != whole {
			t.Fatalf("%q split at %d:\n%s\nwhole:\n%s", in, i, got, whole)
		}
	}
	return whole
}
