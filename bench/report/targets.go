package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// target is something that the reference is meant to reach in a row: to be so
// many times better than the best of some peers, or to stay below a value.
type target struct {
	row   string
	peers []string
	least float64 // the ratio to reach
	most  float64 // the value not to exceed, where there are no peers
	p99   bool    // and a p99 no worse than that of the best Go peer
}

var (
	nbioModes = []string{"nbio", "nbio-inline", "nbio-blocking"}
	targets   = []target{
		{row: "http-plaintext-256", peers: []string{"fasthttp"}, least: 1.25, p99: true},
		{row: "http-plaintext-256", peers: []string{"net/http"}, least: 2.2},
		{row: "http-plaintext-256", peers: []string{"nbio"}, least: 2.2},
		{row: "http-plaintext-16", peers: []string{"fasthttp"}, least: 1.1, p99: true},
		{row: "http-plaintext-16", peers: []string{"net/http"}, least: 1.7},
		{row: "http-plaintext-64", peers: []string{"fasthttp"}, least: 1.1, p99: true},
		{row: "http-plaintext-64", peers: []string{"net/http"}, least: 1.7},
		{row: "http-pipelined-16", peers: []string{"fasthttp"}, least: 1.1, p99: true},
		{row: "http-echo-64k", peers: []string{"net/http"}, least: 1.1, p99: true},
		{row: "http-echo-64k", peers: []string{"fasthttp"}, least: 1},
		{row: "http-download-1m", peers: []string{"net/http"}, least: 1.1, p99: true},
		{row: "http-download-1m", peers: []string{"fasthttp"}, least: 1},
		{row: "ws-echo-1k-1000", peers: []string{"gws"}, least: 1.25, p99: true},
		{row: "ws-echo-1k-1000", peers: nbioModes, least: 1.35},
		{row: "ws-echo-16k-16", peers: []string{"gws"}, least: 1, p99: true},
		{row: "ws-echo-16k-1000", peers: []string{"gws"}, least: 1, p99: true},
		{row: "ws-echo-64k-16", peers: []string{"gws"}, least: 1, p99: true},
		{row: "ws-echo-64k-1000", peers: []string{"gws"}, least: 1, p99: true},
		{row: "tcp-echo-1k-1000", peers: []string{"gnet"}, least: 1.15, p99: true},
		{row: "tcp-echo-1k-1000", peers: []string{"c-epoll"}, least: 0.93},
		{row: "http-beside-500-blocked", peers: []string{"net/http"}, least: 1.5, p99: true},
		{row: "http-2000-blocked", peers: []string{"net/http"}, least: 1.05, p99: true},
		{row: "http-plaintext-256-shared", peers: []string{"fasthttp"}, least: 1.2, p99: true},
		{row: "idle-ws", most: 525},
		{row: "idle-tcp", most: 400},
	}
)

// At 18,000 connections a message may cost so many times what it costs at 1,000.
const (
	manyRow   = "ws-echo-1k-18000"
	fewRow    = "ws-echo-1k-1000"
	manyAtFew = 1.3
)

// SlowRatio names the remark of a row that runs with a slow tenth of subscribers
// and without: the p99 of the others with it over that without.
const SlowRatio = "p99 with over without"

// slowAtMost is how large SlowRatio may be, which is the noise of a p99.
const slowAtMost = 1.15

// slowVerdicts judges the rows that have a SlowRatio.
func (r *Report) slowVerdicts() []Verdict {
	var out []Verdict
	for i := range r.Rows {
		ref := r.Rows[i].result(Reference)
		if ref == nil || ref.Median.Extra[SlowRatio] == 0 {
			continue
		}
		q := ref.Median.Extra[SlowRatio]
		out = append(out, Verdict{Row: r.Rows[i].Name, Want: fmt.Sprintf("p99 of the others at most %.2f× that without a slow tenth", slowAtMost),
			Got: Times(q), OK: q <= slowAtMost})
	}
	return out
}

// Verdict is one target and what became of it.
type Verdict struct {
	Row, Want, Got string
	// ByCPU is the same by processor time, empty if there is nothing to compare.
	ByCPU string
	OK    bool
}

// Verdicts judges what r measured by the targets; rows that did not run are
// left out.
func (r *Report) Verdicts() []Verdict {
	var out []Verdict
	for _, t := range targets {
		row := r.find(t.row)
		if row == nil {
			continue
		}
		ref := row.result(Reference)
		if ref == nil {
			continue
		}
		if ref.Median.Void != "" {
			out = append(out, Verdict{Row: t.row, Want: "to count", Got: "void"})
			continue
		}
		if len(t.peers) == 0 {
			out = append(out, Verdict{Row: t.row, Want: fmt.Sprintf("at most %g %s", t.most, row.Unit),
				Got: Number(ref.Median.Value), OK: ref.Median.Value <= t.most})
			continue
		}
		out = append(out, t.ratios(row)...)
		if t.p99 {
			out = append(out, tailVerdict(row, ref)...)
		}
	}
	out = append(out, r.slowVerdicts()...)
	return append(out, r.scaling()...)
}

// ratios compares with the best of the target's peers.
func (t *target) ratios(row *Row) []Verdict {
	var best *Result
	for _, name := range t.peers {
		p := row.result(name)
		if p != nil && p.Ratio > 0 && (best == nil || p.Ratio < best.Ratio) {
			best = p
		}
	}
	if best == nil {
		return nil
	}
	return []Verdict{{Row: t.row, Want: fmt.Sprintf("%.2f× %s", t.least, best.Peer),
		Got: Times(best.Ratio), ByCPU: Times(best.CPURatio), OK: best.Ratio >= t.least}}
}

// tailVerdict compares the p99 with that of the best Go peer.
func tailVerdict(row *Row, ref *Result) []Verdict {
	var best *Result
	for i := range row.Peers {
		p := &row.Peers[i]
		if strings.HasPrefix(p.Peer, Reference) || p.Peer == "c-epoll" || p.Median.Void != "" {
			continue
		}
		if best == nil || p.Median.P99 < best.Median.P99 {
			best = p
		}
	}
	if best == nil {
		return nil
	}
	return []Verdict{{Row: row.Name, Want: fmt.Sprintf("p99 at most %s (%s)", Micros(best.Median.P99), best.Peer),
		Got: Micros(ref.Median.P99), OK: ref.Median.P99 <= best.Median.P99}}
}

// scaling is what a message costs with many connections over what it costs with few.
func (r *Report) scaling() []Verdict {
	many, few := r.find(manyRow), r.find(fewRow)
	if many == nil || few == nil {
		return nil
	}
	a, b := many.result(Reference), few.result(Reference)
	if a == nil || b == nil || a.Median.CPU == 0 || b.Median.CPU == 0 {
		return nil
	}
	q := a.Median.CPU / b.Median.CPU
	return []Verdict{{Row: manyRow, Want: fmt.Sprintf("processor time at most %.1f× that of %s", manyAtFew, fewRow),
		Got: Times(q), OK: q <= manyAtFew}}
}

func (r *Report) find(name string) *Row {
	i := slices.IndexFunc(r.Rows, func(row Row) bool { return row.Name == name })
	if i < 0 {
		return nil
	}
	return &r.Rows[i]
}

func (r *Row) result(name string) *Result {
	i := slices.IndexFunc(r.Peers, func(p Result) bool { return p.Peer == name })
	if i < 0 {
		return nil
	}
	return &r.Peers[i]
}

func verdictTable(w io.Writer, r *Report) {
	all := r.Verdicts()
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "\ntargets\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range all {
		mark := "falls short"
		if v.OK {
			mark = "reached"
		}
		cpu := ""
		if v.ByCPU != "" {
			cpu = "by cpu " + v.ByCPU
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\n", v.Row, v.Want, v.Got, cpu, mark)
	}
	t.Flush()
}

// TargetRows names the rows that targets speak of.
func TargetRows() []string {
	out := []string{manyRow, fewRow}
	for _, t := range targets {
		out = append(out, t.row)
	}
	return out
}
