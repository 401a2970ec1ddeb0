// Package app is the application that is served for the measurements of HTTP: the
// handlers of every server that runs net/http's, and what the others must answer, too.
package app

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/d74363f0/strand/bench/load"
)

// SleepTime is how long the handler of /sleep blocks.
const SleepTime = 50 * time.Millisecond

// DownloadSize is the length in bytes of what /download answers.
const DownloadSize = 1 << 20

// PlainText is what /plaintext answers.
const PlainText = "Hello, World!"

// Download is what /download answers.
var Download = load.Document(DownloadSize)

// User is what /json/{id} answers, as JSON.
type User struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Active  bool     `json:"active"`
	Score   float64  `json:"score"`
	Tags    []string `json:"tags"`
	Message string   `json:"message"`
}

// UserFor is the answer to /json/{id}.
func UserFor(id string) User {
	return User{ID: id, Name: "user-" + id, Active: true, Score: 12.5,
		Tags: []string{"alpha", "beta", "gamma"}, Message: PlainText}
}

// SetLength announces a body of n bytes.
func SetLength(w http.ResponseWriter, n int) { w.Header().Set("Content-Length", strconv.Itoa(n)) }

// Mux is the application that every server of net/http Handlers runs. Short is called
// where net/http announces a body by itself: SetLength for a server that does not.
func Mux(short func(http.ResponseWriter, int)) *http.ServeMux {
	if short == nil {
		short = func(http.ResponseWriter, int) {}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /plaintext", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		short(w, len(PlainText))
		io.WriteString(w, PlainText)
	})
	mux.HandleFunc("POST /echo", echoHandler)
	mux.HandleFunc("GET /download", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		SetLength(w, DownloadSize)
		w.Write(Download)
	})
	mux.HandleFunc("GET /sleep", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(SleepTime)
		w.Header().Set("Content-Type", "text/plain")
		short(w, len(PlainText))
		io.WriteString(w, PlainText)
	})
	mux.Handle("/json/", jsonRouter())
	return mux
}

// echoPool keeps the buffers of echoHandler, as a handler with traffic like this would have it.
var echoPool = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// echoHandler reads a whole body and sends it back.
func echoHandler(w http.ResponseWriter, r *http.Request) {
	b := echoPool.Get().(*bytes.Buffer)
	defer echoPool.Put(b)
	b.Reset()
	b.Grow(int(r.ContentLength) + bytes.MinRead)
	if _, err := b.ReadFrom(r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	SetLength(w, b.Len())
	w.Write(b.Bytes())
}

func jsonRouter() http.Handler {
	r := chi.NewRouter()
	r.Get("/json/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(UserFor(chi.URLParam(r, "id")))
	})
	return r
}
