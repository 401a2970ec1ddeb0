// Package prom shows an engine's counts to Prometheus, under the names that
// strand serve's /metrics uses.
package prom

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/d74363f0/strand"
)

// Collector is a prometheus.Collector over one engine. It reads Engine.Stats
// once a scrape, which resets nothing, and keeps nothing, so it may be registered for as long as the
// engine lives, and after. It is safe for concurrent use.
type Collector struct {
	engine  *strand.Engine
	simple  []simple
	reasons []reasons
	inUse   *prometheus.Desc
	taken   *prometheus.Desc
	back    *prometheus.Desc
}

// simple is one count that needs no label.
type simple struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*strand.Stats) float64
}

// reasons is a count that is divided by reason.
type reasons struct {
	desc  *prometheus.Desc
	value func(*strand.Stats) map[string]uint64
}

var _ prometheus.Collector = (*Collector)(nil)

// New returns a collector of e's counts. labels, which may be nil, are added to
// every metric: two engines of one process need them to be told apart. Blocks are
// the process's, so both export the same numbers of them (strand_blocks_*), which
// must not be added up.
func New(e *strand.Engine, labels prometheus.Labels) *Collector {
	c := &Collector{
		engine: e,
		inUse:  prometheus.NewDesc("strand_blocks_in_use", "Pooled Blocks that are taken and not released, by size class in bytes (0: not pooled).", []string{"size"}, labels),
		taken:  prometheus.NewDesc("strand_blocks_taken_total", "Pooled Blocks handed out, by size class in bytes (0: not pooled).", []string{"size"}, labels),
		back:   prometheus.NewDesc("strand_blocks_released_total", "Pooled Blocks given back, by size class in bytes (0: not pooled).", []string{"size"}, labels),
	}
	byReason := func(name, help string, v func(*strand.Stats) map[string]uint64) {
		c.reasons = append(c.reasons, reasons{prometheus.NewDesc(name, help, []string{"reason"}, labels), v})
	}
	byReason("strand_closes_total", "Connections closed, by reason.", func(s *strand.Stats) map[string]uint64 { return s.Closes })
	byReason("strand_dropped_bytes_total", "Bytes accepted and never sent, by what ended the connection.", func(s *strand.Stats) map[string]uint64 { return s.DroppedBytes })
	byReason("strand_dropped_messages_total", "Messages that a protocol did not send, by reason.", func(s *strand.Stats) map[string]uint64 { return s.Drops })
	gauge := func(name, help string, v func(*strand.Stats) float64) {
		c.simple = append(c.simple, simple{prometheus.NewDesc(name, help, nil, labels), prometheus.GaugeValue, v})
	}
	counter := func(name, help string, v func(*strand.Stats) float64) {
		c.simple = append(c.simple, simple{prometheus.NewDesc(name, help, nil, labels), prometheus.CounterValue, v})
	}
	gauge("strand_connections", "Open connections.", func(s *strand.Stats) float64 { return float64(s.Conns) })
	gauge("strand_queued_bytes", "Output that waits for peers that do not read.", func(s *strand.Stats) float64 { return float64(s.QueuedBytes) })
	gauge("strand_queued_bytes_max", "The most output that waited for one peer in the last 10 to 20 seconds.", func(s *strand.Stats) float64 { return float64(s.MaxQueuedBytes) })
	gauge("strand_connection_blocks_max", "The most Blocks that one connection's output held in the last 10 to 20 seconds.", func(s *strand.Stats) float64 { return float64(s.MaxBlocks) })
	gauge("strand_loop_lag_seconds", "The longest a loop went without letting others run in the last 10 to 20 seconds.", func(s *strand.Stats) float64 { return s.MaxBatch.Seconds() })
	gauge("strand_loops", "Event loops.", func(s *strand.Stats) float64 { return float64(s.Loops) })
	counter("strand_connections_accepted_total", "Connections accepted.", func(s *strand.Stats) float64 { return float64(s.Accepted) })
	counter("strand_accept_errors_total", "Accepts that failed.", func(s *strand.Stats) float64 { return float64(s.AcceptErrors) })
	counter("strand_received_bytes_total", "Bytes read from sockets.", func(s *strand.Stats) float64 { return float64(s.BytesIn) })
	counter("strand_sent_bytes_total", "Bytes the kernel took.", func(s *strand.Stats) float64 { return float64(s.BytesOut) })
	counter("strand_hand_offs_total", "Loops given away by a callback that was about to block.", func(s *strand.Stats) float64 { return float64(s.HandOffs) })
	counter("strand_noticed_waits_total", "Loops taken from a callback that was found blocking.", func(s *strand.Stats) float64 { return float64(s.Noticed) })
	counter("strand_spawned_turns_total", "Turns run in a goroutine because a wait was expected.", func(s *strand.Stats) float64 { return float64(s.Spawned) })
	counter("strand_batches_total", "Turns of the loops.", func(s *strand.Stats) float64 { return float64(s.Batches) })
	counter("strand_isolation_violations_total", "Memory of one connection found in the queue of another. It was not sent.", func(s *strand.Stats) float64 { return float64(s.Violations) })
	return c
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, s := range c.simple {
		ch <- s.desc
	}
	for _, r := range c.reasons {
		ch <- r.desc
	}
	ch <- c.inUse
	ch <- c.taken
	ch <- c.back
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	s := c.engine.Stats()
	for _, m := range c.simple {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(&s))
	}
	for _, b := range s.Blocks {
		size := strconv.Itoa(b.Size)
		ch <- prometheus.MustNewConstMetric(c.inUse, prometheus.GaugeValue, float64(b.Taken-b.Released), size)
		ch <- prometheus.MustNewConstMetric(c.taken, prometheus.CounterValue, float64(b.Taken), size)
		ch <- prometheus.MustNewConstMetric(c.back, prometheus.CounterValue, float64(b.Released), size)
	}
	for _, r := range c.reasons {
		for reason, n := range r.value(&s) {
			ch <- prometheus.MustNewConstMetric(r.desc, prometheus.CounterValue, float64(n), reason)
		}
	}
}
