package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/d74363f0/strand"
)

// metrics writes the figures in Prometheus's text format 0.0.4. What the engine counts has the names that it has in
// metrics/prom, so that a dashboard fits both.
func (s *site) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	n := s.snapshot()
	x := exposition{w}
	x.family("strand_build_info", "gauge", "The version of the program.")
	x.sample("strand_build_info", fmt.Sprintf("version=%q,go=%q", n.Version, n.Go), 1)
	x.gauge("strand_uptime_seconds", "Seconds since the start.", n.Uptime)
	x.gauge("strand_goroutines", "Goroutines of the process.", n.Goroutines)
	x.gauge("strand_heap_bytes", "Objects on the heap, garbage that is not collected yet among them.", n.Heap)
	if n.Resident > 0 {
		x.gauge("strand_resident_bytes", "Memory that the system has given the process.", n.Resident)
	}
	if n.Descriptors >= 0 {
		x.gauge("strand_file_descriptors", "Open file descriptors of the process.", n.Descriptors)
	}
	x.gauge("strand_file_descriptors_limit", "File descriptors the process may have.", n.Files)
	x.gauge("strand_websockets", "WebSockets open now.", n.WebSockets)
	x.gauge("strand_chat_members", "WebSockets in the chat.", n.Chat)
	x.counter("strand_requests_total", "HTTP requests given to a handler.", n.Requests)
	x.counter("strand_messages_total", "WebSocket messages received and sent.", n.Messages)
	x.engine(&n.Engine)
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

// reasons writes a counter that is divided by reason.
func (x exposition) reasons(name, help string, counts map[string]uint64) {
	x.family(name, "counter", help)
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		x.sample(name, fmt.Sprintf("reason=%q", reason), counts[reason])
	}
}

// engine writes what the engine counts.
func (x exposition) engine(e *strand.Stats) {
	x.gauge("strand_loops", "Event loops.", e.Loops)
	x.gauge("strand_connections", "Open connections.", e.Conns)
	x.counter("strand_connections_accepted_total", "Connections accepted.", e.Accepted)
	x.counter("strand_accept_errors_total", "Accepts that failed.", e.AcceptErrors)
	x.reasons("strand_closes_total", "Connections closed, by reason.", e.Closes)
	x.counter("strand_received_bytes_total", "Bytes read from sockets.", e.BytesIn)
	x.counter("strand_sent_bytes_total", "Bytes the kernel took.", e.BytesOut)
	x.reasons("strand_dropped_bytes_total", "Bytes accepted and never sent, by what ended the connection.", e.DroppedBytes)
	x.reasons("strand_dropped_messages_total", "Messages that a protocol did not send, by reason.", e.Drops)
	x.gauge("strand_queued_bytes", "Output that waits for peers that do not read.", e.QueuedBytes)
	x.gauge("strand_queued_bytes_max", "The most output that waited for one peer in the last 10 to 20 seconds.", e.MaxQueuedBytes)
	x.gauge("strand_connection_blocks_max", "The most Blocks that one connection's output held in the last 10 to 20 seconds.", e.MaxBlocks)
	x.gauge("strand_loop_lag_seconds", "The longest a loop went without letting others run in the last 10 to 20 seconds.", e.MaxBatch.Seconds())
	x.counter("strand_hand_offs_total", "Loops given away by a callback that was about to block.", e.HandOffs)
	x.counter("strand_noticed_waits_total", "Loops taken from a callback that was found blocking.", e.Noticed)
	x.counter("strand_spawned_turns_total", "Turns run in a goroutine because a wait was expected.", e.Spawned)
	x.counter("strand_batches_total", "Turns of the loops.", e.Batches)
	x.counter("strand_isolation_violations_total", "Memory of one connection found in the queue of another: must be 0. It was not sent.", e.Violations)
	x.family("strand_blocks_in_use", "gauge", "Pooled Blocks that are taken and not released, by size class in bytes (0: not pooled).")
	for _, b := range e.Blocks {
		x.sample("strand_blocks_in_use", fmt.Sprintf("size=\"%d\"", b.Size), b.Taken-b.Released)
	}
	x.family("strand_blocks_taken_total", "counter", "Pooled Blocks handed out, by size class in bytes (0: not pooled).")
	for _, b := range e.Blocks {
		x.sample("strand_blocks_taken_total", fmt.Sprintf("size=\"%d\"", b.Size), b.Taken)
	}
	x.family("strand_blocks_released_total", "counter", "Pooled Blocks given back, by size class in bytes (0: not pooled).")
	for _, b := range e.Blocks {
		x.sample("strand_blocks_released_total", fmt.Sprintf("size=\"%d\"", b.Size), b.Released)
	}
}
