package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"time"

	"github.com/d74363f0/strand"
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

	Engine strand.Stats `json:"engine"` // what the engine itself counts
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
	x := exposition{w}
	x.family("strand_build_info", "gauge", "The version of the program.")
	x.sample("strand_build_info", fmt.Sprintf("version=%q,go=%q", n.Version, n.Go), 1)
	x.gauge("strand_uptime_seconds", "Seconds since the start.", n.Uptime)
	x.gauge("strand_loops", "Event loops.", n.Loops)
	x.gauge("strand_file_descriptors_limit", "File descriptors the process may have.", n.Files)
	x.gauge("strand_goroutines", "Goroutines of the process.", n.Goroutines)
	x.gauge("strand_connections", "Connections open now.", n.Connections)
	x.counter("strand_connections_accepted_total", "Connections accepted.", n.Accepted)
	x.gauge("strand_websockets", "WebSockets open now.", n.WebSockets)
	x.gauge("strand_chat_members", "WebSockets in the chat.", n.Chat)
	x.counter("strand_requests_total", "HTTP requests given to a handler.", n.Requests)
	x.counter("strand_messages_total", "WebSocket messages received and sent.", n.Messages)
	x.counter("strand_read_bytes_total", "Bytes read from connections.", n.BytesIn)
	x.counter("strand_written_bytes_total", "Bytes written to connections.", n.BytesOut)
	x.gauge("strand_blocks_in_use", "Blocks of pooled memory that are taken and not released.", n.Blocks)
	x.counter("strand_handoffs_total", "Times a loop went on without a handler that waited.", n.Handoffs)
	x.counter("strand_isolation_violations_total", "Blocks refused because another connection owned them: must be 0.", n.Violations)
	x.engine(n.Engine)
}

// exposition writes samples with what a scraper wants before them. Its errors are the client's going away.
type exposition struct{ w io.Writer }

func (x exposition) family(name, kind, help string) {
	fmt.Fprintf(x.w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (x exposition) sample(name, labels string, value any) {
	if labels != "" {
		name += "{" + labels + "}"
	}
	fmt.Fprintf(x.w, "%s %v\n", name, value)
}

func (x exposition) gauge(name, help string, value any) {
	x.family(name, "gauge", help)
	x.sample(name, "", value)
}

func (x exposition) counter(name, help string, value any) {
	x.family(name, "counter", help)
	x.sample(name, "", value)
}

// engine writes the counts that only somebody who studies the engine asks for.
func (x exposition) engine(e strand.Stats) {
	x.counter("strand_connections_closed_total", "Connections closed.", e.Closed)
	x.counter("strand_accept_errors_total", "Accepts that failed.", e.AcceptErrors)
	x.counter("strand_dropped_bytes_total", "Bytes queued and never sent, because the connection ended.", e.BytesDropped)
	x.counter("strand_known_waits_total", "Hand-offs by library code that was about to block.", e.HandOffs)
	x.counter("strand_noticed_waits_total", "Hand-offs of a handler that was found blocking.", e.Noticed)
	x.counter("strand_spawned_turns_total", "Turns run in a goroutine because a wait was expected.", e.Spawned)
	x.counter("strand_batches_total", "Turns of the loops.", e.Batches)
	x.family("strand_blocks_taken_total", "counter", "Blocks taken, by size in bytes; 0 is too large to be pooled.")
	for _, b := range e.Blocks {
		x.sample("strand_blocks_taken_total", fmt.Sprintf("size=\"%d\"", b.Size), b.Taken)
	}
	x.family("strand_blocks_released_total", "counter", "Blocks released, by size in bytes.")
	for _, b := range e.Blocks {
		x.sample("strand_blocks_released_total", fmt.Sprintf("size=\"%d\"", b.Size), b.Released)
	}
}
