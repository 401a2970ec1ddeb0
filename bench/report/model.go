// Package report holds what was measured and shows it as a table, as JSON and
// as a page.
package report

import (
	"encoding/json"
	"io"
	"math"
	"slices"
)

// Reference is the peer that the others are compared with.
const Reference = "strand"

// Report is one run of the benchmark.
type Report struct {
	Date     string            `json:"date"`
	Command  string            `json:"command"`
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
	Notes    map[string]string `json:"notes"`
	Rounds   int               `json:"rounds"`
	Seconds  float64           `json:"seconds"`
	Rows     []Row             `json:"rows"`
}

// Machine is where it ran.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Load1  string `json:"load1"` // the load average before the first row
}

// Row is one workload and what every peer made of it.
type Row struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	// Unit is of the value that is compared, such as "req/s" or "bytes/conn".
	Unit string `json:"unit"`
	// Less says that a smaller value is the better one.
	Less  bool     `json:"less"`
	Load  string   `json:"load"`
	Cores string   `json:"cores"`
	Peers []Result `json:"peers"`
}

// Sample is one peer in one round. Void is empty, or why nothing here counts.
type Sample struct {
	Value float64 `json:"value"`
	// CPU is microseconds of the server's processor time an operation.
	CPU float64 `json:"cpu_us_per_op"`
	// ServerShare and LoadShare are processor seconds a second, 1 being one core.
	ServerShare float64 `json:"server_share"`
	LoadShare   float64 `json:"load_share"`
	// P50 to Max are latencies in microseconds.
	P50  float64 `json:"p50_us"`
	P99  float64 `json:"p99_us"`
	P999 float64 `json:"p999_us"`
	Max  float64 `json:"max_us"`
	// PeakRSS is the most memory the server process ever had, in bytes.
	PeakRSS float64 `json:"peak_rss"`
	// Extra holds what only some rows have.
	Extra map[string]float64 `json:"extra,omitempty"`
	Void  string             `json:"void,omitempty"`
}

// Result is one peer over all rounds.
type Result struct {
	Peer    string   `json:"peer"`
	Samples []Sample `json:"samples"`
	// Median has the median of every number over the rounds that count.
	Median Sample `json:"median"`
	// Low and High are the extremes of Value.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Ratio is how many times better the reference is than this peer: the median
	// over the rounds of the ratio within a round. 0 if there is none.
	Ratio float64 `json:"ratio"`
	// CPURatio is the same for processor time an operation, which other work on the
	// machine disturbs less. 0 if there is none.
	CPURatio float64 `json:"cpu_ratio"`
}

// Finish fills in medians, extremes and ratios from the samples.
func (r *Report) Finish() {
	for i := range r.Rows {
		r.Rows[i].finish()
	}
}

func (r *Row) finish() {
	for i := range r.Peers {
		r.Peers[i].finish()
	}
	at := slices.IndexFunc(r.Peers, func(p Result) bool { return p.Peer == Reference })
	if at < 0 {
		return
	}
	for i := range r.Peers {
		ref, p := &r.Peers[at], &r.Peers[i]
		p.Ratio = ratio(ref, p, r.Less, func(s *Sample) float64 { return s.Value })
		p.CPURatio = ratio(ref, p, true, func(s *Sample) float64 { return s.CPU })
	}
}

func (p *Result) finish() {
	var good []Sample
	for _, s := range p.Samples {
		if s.Void != "" {
			p.Median.Void = s.Void
			continue
		}
		good = append(good, s)
	}
	// One wrong byte in one round voids the peer's row: a median must not hide it.
	if p.Median.Void != "" || len(good) == 0 {
		return
	}
	med := func(f func(Sample) float64) float64 {
		v := make([]float64, len(good))
		for i, s := range good {
			v[i] = f(s)
		}
		return Median(v)
	}
	p.Median = Sample{
		Value:       med(func(s Sample) float64 { return s.Value }),
		CPU:         med(func(s Sample) float64 { return s.CPU }),
		ServerShare: med(func(s Sample) float64 { return s.ServerShare }),
		LoadShare:   med(func(s Sample) float64 { return s.LoadShare }),
		P50:         med(func(s Sample) float64 { return s.P50 }),
		P99:         med(func(s Sample) float64 { return s.P99 }),
		P999:        med(func(s Sample) float64 { return s.P999 }),
		Max:         med(func(s Sample) float64 { return s.Max }),
		PeakRSS:     med(func(s Sample) float64 { return s.PeakRSS }),
	}
	for k := range good[0].Extra {
		if p.Median.Extra == nil {
			p.Median.Extra = map[string]float64{}
		}
		p.Median.Extra[k] = med(func(s Sample) float64 { return s.Extra[k] })
	}
	p.Low, p.High = math.Inf(1), math.Inf(-1)
	for _, s := range good {
		p.Low, p.High = min(p.Low, s.Value), max(p.High, s.Value)
	}
}

// ratio pairs the rounds, so that what disturbed both in one round cancels.
func ratio(ref, p *Result, less bool, of func(*Sample) float64) float64 {
	if ref.Median.Void != "" || p.Median.Void != "" {
		return 0
	}
	var v []float64
	for i := range min(len(ref.Samples), len(p.Samples)) {
		a, b := of(&ref.Samples[i]), of(&p.Samples[i])
		if less {
			a, b = b, a
		}
		if a > 0 && b > 0 {
			v = append(v, a/b)
		}
	}
	return Median(v)
}

// Median is the middle of v, 0 if it is empty. It sorts v.
func Median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	m := len(v) / 2
	if len(v)%2 == 1 {
		return v[m]
	}
	return (v[m-1] + v[m]) / 2
}

// JSON writes r indented.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
