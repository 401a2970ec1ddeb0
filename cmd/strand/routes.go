package main

import (
	"io"
	"net/http"
	"strconv"
	"time"
)

// maxSlow bounds what a request may ask /slow to sleep.
const maxSlow = time.Minute

// routes is everything strand serve answers. Patterns without a method take every method.
func (s *site) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /plaintext", plaintext)
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("GET /slow", slow)
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /stats", s.stats)
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /debug/strand", s.debug)
	mux.HandleFunc("/ws", s.ws())
	mux.HandleFunc("/chat", s.chat())
	addPage(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		mux.ServeHTTP(w, r)
	})
}

func plaintext(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, "Hello, World!")
}

// echo streams the body back while it is still arriving, with its Content-Type and, where the
// client said it, its length. A body that breaks off breaks the answer off too: the client must not take a
// part for the whole.
func echo(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox") // what comes back is the sender's, not a page of ours
	h.Set("Content-Type", "application/octet-stream")
	if t := r.Header.Get("Content-Type"); t != "" {
		h.Set("Content-Type", t)
	}
	if r.ContentLength >= 0 {
		h.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	// Without it a server may read the whole body away before it sends the first byte. A server that does
	// not know the word streams both ways as it is.
	_ = http.NewResponseController(w).EnableFullDuplex()
	if err := stream(w, r.Body, r.ContentLength); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// stream copies the body and lets no piece of it wait for the next: a client may be waiting for the first
// before it sends the second. The last piece needs no such push, so a small echo leaves in one write.
func stream(w http.ResponseWriter, body io.Reader, length int64) error {
	out := http.NewResponseController(w)
	size := int64(32 << 10)
	if length > 0 {
		size = min(size, length)
	}
	piece := make([]byte, size)
	for copied := int64(0); ; {
		n, err := body.Read(piece)
		if n > 0 {
			copied += int64(n)
			if _, err := w.Write(piece[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n == 0 || copied == length {
			continue
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
}

// slow sleeps, as a handler that waits for a database does, and answers. It ends early when the client goes.
func slow(w http.ResponseWriter, r *http.Request) {
	ms := 50
	if q := r.URL.Query().Get("ms"); q != "" {
		n, err := strconv.Atoi(q)
		if err != nil || n < 0 || n > int(maxSlow.Milliseconds()) {
			http.Error(w, "ms is a number from 0 to "+strconv.FormatInt(maxSlow.Milliseconds(), 10), http.StatusBadRequest)
			return
		}
		ms = n
	}
	t := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, "slept "+strconv.Itoa(ms)+" ms\n")
}

// healthz says ok while requests are welcome and 503 once the server drains, so that a balancer looks elsewhere.
func (s *site) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Cache-Control", "no-store")
	if s.draining.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, "draining\n")
		return
	}
	io.WriteString(w, "ok\n")
}
