package http1

import (
	"bytes"
	"io"
	"net/http"
	"testing"
)

// BenchmarkPlaintext measures a small response through http.ServeMux over loopback, with
// the client's work, which allocates nothing, included: 16 requests at a time on one
// connection, so that what is counted is mostly the server.
func BenchmarkPlaintext(b *testing.B) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /plaintext", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "Hello, World!")
	})
	ts := serve(b, mux.ServeHTTP, nil)
	c := ts.dial(b)
	const depth = 16
	request := bytes.Repeat([]byte("GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: */*\r\n\r\n"), depth)
	response := make([]byte, 4096)
	if _, err := c.Write(request); err != nil {
		b.Fatal(err)
	}
	size, err := io.ReadAtLeast(c, response, depth*100)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += depth {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, response[:size]); err != nil {
			b.Fatal(err)
		}
	}
}
