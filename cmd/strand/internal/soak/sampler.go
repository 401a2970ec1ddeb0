package soak

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/d74363f0/strand/cmd/strand/internal/process"
)

// A Sample is one point of the plots.
type Sample struct {
	T           float64            `json:"t"` // seconds since the start
	Rate        float64            `json:"messages_per_second"`
	ByteRate    float64            `json:"bytes_per_second"`
	P50         float64            `json:"p50_ms"`
	P99         float64            `json:"p99_ms"`
	Findings    uint64             `json:"findings"`
	ServerStats map[string]float64 `json:"stats,omitempty"`
}

// A Progress is the state of a run while it goes on.
type Progress struct {
	Elapsed, Total time.Duration
	Checked        uint64
	Rate           float64 // messages a second, lately
	ByteRate       float64
	Class          [classes]uint64
	P99            time.Duration // lately
	Stopping       bool          // the time is up; the last replies are awaited
}

// A sampler follows a run: it stops the sending when the time is up and collects the plots' points.
type sampler struct {
	run     *run
	samples []Sample
	checked uint64 // of the last sample
	bytes   uint64
	at      time.Time
	counts  *[histBuckets]uint64
	elapsed time.Duration // how long was sent
}

func newSampler(r *run) *sampler { return &sampler{run: r, counts: new([histBuckets]uint64)} }

// follow returns when done is closed.
func (s *sampler) follow(ctx context.Context, done <-chan struct{}) {
	r := s.run
	s.at = r.began
	every := max(200*time.Millisecond, r.cfg.Time/300)
	tick := time.NewTicker(every)
	defer tick.Stop()
	up := time.After(r.cfg.Time)
	for {
		select {
		case <-done:
			s.sample()
			return
		case <-up:
			s.end()
		case <-ctx.Done():
			s.end()
			ctx = context.Background()
		case <-tick.C:
			s.sample()
		}
	}
}

func (s *sampler) end() {
	if !s.run.stop.Swap(true) {
		s.elapsed = time.Since(s.run.began)
	}
}

func (r *run) totals() (checked, bytes uint64, class [classes]uint64) {
	for i := range r.tally {
		t := &r.tally[i]
		checked += t.checked.Load()
		bytes += t.bytes.Load()
		for c := range t.class {
			class[c] += t.class[c].Load()
		}
	}
	return checked, bytes, class
}

func found(class [classes]uint64) uint64 {
	var n uint64
	for c := Foreign; c < Refused; c++ {
		n += class[c]
	}
	return n
}

func (s *sampler) sample() {
	r := s.run
	now := time.Now()
	dt := now.Sub(s.at).Seconds()
	if dt < 0.05 && len(s.samples) > 0 {
		return
	}
	checked, bytes, class := r.totals()
	counts := r.latency.counts()
	diff := *counts
	for i := range diff {
		diff[i] -= s.counts[i]
	}
	q := quantiles(&diff, 0.5, 0.99)
	p := Sample{
		T: now.Sub(r.began).Seconds(), Rate: float64(checked-s.checked) / dt, ByteRate: float64(bytes-s.bytes) / dt,
		P50: ms(q[0]), P99: ms(q[1]), Findings: found(class), ServerStats: r.stats(),
	}
	s.samples = append(s.samples, p)
	s.checked, s.bytes, s.counts, s.at = checked, bytes, counts, now
	if r.cfg.Progress != nil {
		r.cfg.Progress(&Progress{
			Elapsed: now.Sub(r.began), Total: r.cfg.Time, Checked: checked, Rate: p.Rate, ByteRate: p.ByteRate,
			Class: class, P99: q[1], Stopping: r.stop.Load(),
		})
	}
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// processStats are the figures of this process, by the names the report plots.
func processStats() map[string]float64 {
	m := map[string]float64{
		"heap_bytes":  float64(process.Heap()),
		"goroutines":  float64(runtime.NumGoroutine()),
		"descriptors": float64(process.Descriptors()),
	}
	if rss := process.Resident(); rss > 0 {
		m["rss_bytes"] = float64(rss)
	}
	return m
}

// remoteStats returns a function that asks the server under test for its /stats; figures that are not there are left
// out, and a server without any has none.
func (r *run) remoteStats() func() map[string]float64 {
	tr := &http.Transport{TLSClientConfig: r.tls.Clone(), DisableCompression: true, DisableKeepAlives: true}
	client := &http.Client{Transport: tr, Timeout: time.Second}
	scheme := "http://"
	if r.tls != nil {
		scheme = "https://"
	}
	failures := 0
	var last time.Time
	var cached map[string]float64
	return func() map[string]float64 {
		if failures >= 3 || time.Since(last) < 500*time.Millisecond {
			return cached
		}
		last = time.Now()
		m, err := fetchStats(client, scheme+r.addr+r.prefix+"/stats")
		if err != nil {
			failures++
			return cached
		}
		failures, cached = 0, m
		return m
	}
}

func fetchStats(client *http.Client, url string) (map[string]float64, error) {
	resp, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, err
	}
	m := map[string]float64{}
	flatten(m, "", v)
	return m, nil
}

// flatten collects the numbers of a JSON value under names joined with dots.
func flatten(m map[string]float64, name string, v any) {
	switch v := v.(type) {
	case float64:
		if len(m) < 500 {
			m[name] = v
		}
	case map[string]any:
		for k, x := range v {
			full := strings.ToLower(k)
			if name != "" {
				full = name + "." + full
			}
			flatten(m, full, x)
		}
	}
}

// figure finds a figure by the names different servers give it.
func figure(m map[string]float64, names ...string) (float64, bool) {
	for _, n := range names {
		if v, ok := m[n]; ok {
			return v, true
		}
	}
	for k, v := range m {
		for _, n := range names {
			if strings.HasSuffix(k, "."+n) {
				return v, true
			}
		}
	}
	return 0, false
}

var blockNames = []string{"blocks", "blocks_in_use", "blocksinuse"}

func blocksOf(m map[string]float64) float64 {
	v, _ := figure(m, blockNames...)
	return v
}
