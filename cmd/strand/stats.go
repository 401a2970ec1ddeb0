package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"time"
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
	Goroutines  int       `json:"goroutines"`
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
}

func (s *site) snapshot() snapshot {
	n := snapshot{
		Version:    version(),
		Go:         runtime.Version(),
		Started:    s.started,
		Uptime:     time.Since(s.started).Seconds(),
		Files:      s.files,
		Goroutines: runtime.NumGoroutine(),
		WebSockets: s.sockets.count(),
		Chat:       s.room.count(),
		Requests:   s.requests.Load(),
		Messages:   s.messages.Load(),
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

// metrics writes the figures in Prometheus's text format 0.0.4.
func (s *site) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	n := s.snapshot()
	metric := func(name, kind, help string, value any) {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n%s %v\n", name, help, name, kind, name, value)
	}
	gauge := func(name, help string, value any) { metric(name, "gauge", help, value) }
	counter := func(name, help string, value any) { metric(name, "counter", help, value) }

	const info = "strand_build_info"
	fmt.Fprintf(w, "# HELP %s The version of the program.\n# TYPE %s gauge\n%s{version=%q,go=%q} 1\n", info, info, info, n.Version, n.Go)
	gauge("strand_uptime_seconds", "Seconds since the start.", n.Uptime)
	gauge("strand_loops", "Event loops.", n.Loops)
	gauge("strand_file_descriptors_limit", "File descriptors the process may have.", n.Files)
	gauge("strand_goroutines", "Goroutines of the process.", n.Goroutines)
	gauge("strand_connections", "Connections open now.", n.Connections)
	counter("strand_connections_accepted_total", "Connections accepted.", n.Accepted)
	gauge("strand_websockets", "WebSockets open now.", n.WebSockets)
	gauge("strand_chat_members", "WebSockets in the chat.", n.Chat)
	counter("strand_requests_total", "HTTP requests given to a handler.", n.Requests)
	counter("strand_messages_total", "WebSocket messages received and sent.", n.Messages)
	counter("strand_read_bytes_total", "Bytes read from connections.", n.BytesIn)
	counter("strand_written_bytes_total", "Bytes written to connections.", n.BytesOut)
	gauge("strand_blocks_in_use", "Blocks of pooled memory that a connection holds now.", n.Blocks)
	counter("strand_handoffs_total", "Times a loop went on without a handler that waited.", n.Handoffs)
	counter("strand_isolation_violations_total", "Blocks refused because another connection owned them: must be 0.", n.Violations)
}
