package main

import (
	"encoding/json"
	"net/http"
	"runtime"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/cmd/strand/internal/process"
)

// snapshot is one look at the server: what /stats says as JSON and /metrics as text. Figures that only
// grow are counted since the start; a rate is the difference of two looks.
type snapshot struct {
	Version     string    `json:"version"`
	Go          string    `json:"go"`
	Started     time.Time `json:"started"`
	Uptime      float64   `json:"uptime_seconds"`
	Loops       int       `json:"loops"`
	Files       uint64    `json:"file_descriptors"`
	Descriptors int       `json:"descriptors"` // open ones; -1 where that cannot be seen
	Goroutines  int       `json:"goroutines"`
	Heap        uint64    `json:"heap_bytes"`
	Resident    uint64    `json:"rss_bytes"` // 0 where that cannot be seen
	Connections int64     `json:"connections"`
	Accepted    uint64    `json:"accepted"`
	WebSockets  int       `json:"websockets"`
	Chat        int       `json:"chat"`
	Requests    uint64    `json:"requests"`
	Messages    uint64    `json:"messages"`
	BytesIn     uint64    `json:"bytes_in"`
	BytesOut    uint64    `json:"bytes_out"`
	Blocks      int64     `json:"blocks_in_use"`
	Handoffs    uint64    `json:"handoffs"`
	Violations  uint64    `json:"isolation_violations"`

	Engine strand.Stats `json:"engine"` // what the engine itself counts
}

func (s *site) snapshot() snapshot {
	n := snapshot{
		Version:     version(),
		Go:          runtime.Version(),
		Started:     s.started,
		Uptime:      time.Since(s.started).Seconds(),
		Files:       s.files,
		Descriptors: process.Descriptors(),
		Goroutines:  runtime.NumGoroutine(),
		Heap:        process.Heap(),
		Resident:    process.Resident(),
		WebSockets:  s.sockets.count(),
		Chat:        s.room.count(),
		Requests:    s.requests.Load(),
		Messages:    s.messages.Load(),
	}
	s.engineFigures(&n)
	return n
}

func (s *site) stats(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	out, err := json.MarshalIndent(s.snapshot(), "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Write(append(out, '\n'))
}
