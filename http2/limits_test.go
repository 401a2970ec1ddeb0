package http2_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/d74363f0/strand/http1"
	"github.com/d74363f0/strand/http2"
)

// read answers with the number of bytes that the handler could read, or with 413 if the limit ended them.
func read(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if beyond := (*http.MaxBytesError)(nil); errors.As(err, &beyond) {
		http.Error(w, fmt.Sprint("read ", n, " of ", beyond.Limit), http.StatusRequestEntityTooLarge)
		return
	}
	fmt.Fprint(w, "read ", n)
}

// TestLimits asks each limit at its edge by HTTP/1.1 and by HTTP/2: the same request is refused by both or by none.
func TestLimits(t *testing.T) {
	limited := func(s *http1.Server) { s.MaxBodyBytes, s.MaxRequestLine, s.MaxHeaderLines = 100, 200, 20 }
	defaults := func(*http1.Server) {}
	const (
		line  = len("POST  HTTP/1.1")
		lines = 4 // Host, User-Agent, Accept-Encoding, and one for the length or the coding
	)
	for _, tt := range []struct {
		name                 string
		set                  func(*http1.Server)
		target, fields, body int
		declared             bool
		status               int
		says                 string
	}{
		{"all at the limit", limited, 200 - line, 20 - lines, 100, true, 200, "read 100"},
		{"undeclared, at the limit", limited, 1, 0, 100, false, 200, "read 100"},
		{"body", limited, 1, 0, 101, true, 413, "the request body is too large"},
		{"undeclared body", limited, 1, 0, 101, false, 413, "read 100 of 100"},
		{"target", limited, 201 - line, 0, 1, true, 414, "request line too long"},
		{"fields", limited, 1, 21 - lines, 1, true, 431, "too many header lines"},
		{"defaults, at the limit", defaults, http1.DefaultMaxRequestLine - line, http1.DefaultMaxHeaderLines - lines, 1 << 20, true, 200, "read 1048576"},
		{"default target", defaults, http1.DefaultMaxRequestLine + 1 - line, 0, 1, true, 414, "request line too long"},
		{"default fields", defaults, 1, http1.DefaultMaxHeaderLines + 1 - lines, 1, true, 431, "too many header lines"},
	} {
		_, addr := serve(t, &http2.Options{Unencrypted: true}, false, read, tt.set)
		for proto, set := range map[string]func(*http.Protocols){
			"HTTP/1.1": func(p *http.Protocols) { p.SetHTTP1(true) },
			"HTTP/2.0": func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) },
		} {
			t.Run(tt.name+" "+proto, func(t *testing.T) {
				body := io.Reader(strings.NewReader(strings.Repeat("x", tt.body)))
				if !tt.declared {
					body = io.MultiReader(body) // hides the length
				}
				r, err := http.NewRequest("POST", "http://"+addr+"/"+strings.Repeat("a", tt.target-1), body)
				if err != nil {
					t.Fatal(err)
				}
				for i := range tt.fields {
					r.Header.Add("X", fmt.Sprint(i))
				}
				res, err := client(t, set).Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				got, err := io.ReadAll(res.Body)
				if err != nil || res.StatusCode != tt.status || res.Proto != proto || !strings.Contains(string(got), tt.says) {
					t.Errorf("%s %d %q, %v; want %d %q", res.Proto, res.StatusCode, got, err, tt.status, tt.says)
				}
			})
		}
	}
}
