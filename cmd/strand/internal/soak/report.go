package soak

import (
	_ "embed" // the page's template
	"encoding/hex"
	"fmt"
	"html/template"
	"math"
	"os"
	"path/filepath"
	"strings"
)

//go:embed report.html
var reportText string

var reportPage = template.Must(template.New("report").Funcs(template.FuncMap{
	"thousands": thousands,
	"bytes":     func(n uint64) string { return bytesText(float64(n)) },
	"ms":        msText,
	"count":     countText,
	"zero":      func(n uint64) string { return map[bool]string{true: "none", false: "some"}[n == 0] },
	"hex":       hexRows,
	"share": func(k, total KindResult) float64 {
		return 100 * float64(k.Checked) / math.Max(1, float64(total.Checked))
	},
}).Parse(reportText))

// WriteReport writes one self-contained page into dir, which is made if need be, and returns its path.
func (r *Result) WriteReport(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	page := filepath.Join(dir, "soak.html")
	f, err := os.Create(page)
	if err != nil {
		return "", err
	}
	err = reportPage.Execute(f, r.page())
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return page, err
}

// A pageView is what the template shows.
type pageView struct {
	*Result
	Plots    []plotView
	Data     []map[string]any
	Rate     float64
	OneIn    string
	Worst    float64 // largest p99.9, to scale the bars
	NotShown int
	Figures  []figureView
	Own      bool
}

type plotView struct {
	Title, About string
	Names        []string
	Last         []string
	SVG          template.HTML
}

type figureView struct {
	Name        string
	First, Last string
}

func (r *Result) page() *pageView {
	v := &pageView{Result: r, Own: r.own}
	if r.Seconds > 0 {
		v.Rate = float64(r.Total.Checked) / r.Seconds
	}
	if r.Bound95 > 0 {
		v.OneIn = thousands(uint64(1 / r.Bound95))
	}
	for _, k := range r.Kinds {
		v.Worst = math.Max(v.Worst, k.P999)
	}
	if n := int(r.Total.Findings()) - len(r.Findings); n > 0 {
		v.NotShown = n
	}
	for _, p := range r.plots() {
		pv := plotView{Title: p.title, About: p.about, SVG: p.svg()}
		for _, s := range p.series {
			pv.Names = append(pv.Names, s.name)
			pv.Last = append(pv.Last, p.unit(lastOf(s.values)))
		}
		v.Plots = append(v.Plots, pv)
		v.Data = append(v.Data, p.data())
	}
	v.Figures = r.figures()
	return v
}

func lastOf(v []float64) float64 {
	for i := len(v) - 1; i >= 0; i-- {
		if !math.IsNaN(v[i]) {
			return v[i]
		}
	}
	return 0
}

// figures are the server's own figures at the first and at the last look.
func (r *Result) figures() []figureView {
	if len(r.Samples) == 0 {
		return nil
	}
	first, last := r.Samples[0].ServerStats, r.Samples[len(r.Samples)-1].ServerStats
	var out []figureView
	for _, k := range sortedKeys(last) {
		unit := countText
		if strings.Contains(k, "bytes") {
			unit = bytesText
		}
		out = append(out, figureView{k, unit(first[k]), unit(last[k])})
	}
	return out
}

// plots makes the plots for which there are figures.
func (r *Result) plots() []*plot {
	if len(r.Samples) == 0 {
		return nil
	}
	times := make([]float64, len(r.Samples))
	take := func(name string, f func(*Sample) float64) series {
		s := series{name: name, values: make([]float64, len(r.Samples))}
		for i := range r.Samples {
			times[i] = r.Samples[i].T
			s.values[i] = f(&r.Samples[i])
		}
		return s
	}
	stat := func(name string, keys ...string) (series, bool) {
		some := false
		s := take(name, func(x *Sample) float64 {
			v, ok := figure(x.ServerStats, keys...)
			if !ok {
				return math.NaN()
			}
			some = true
			return v
		})
		return s, some
	}
	var found []float64
	for _, f := range r.Findings {
		found = append(found, f.At)
	}
	positive := func(f func(*Sample) float64) func(*Sample) float64 {
		return func(x *Sample) float64 {
			if v := f(x); v > 0 {
				return v
			}
			return math.NaN()
		}
	}
	out := []*plot{
		{title: "Rate", about: "checked messages a second", unit: countText, times: times, marks: found, fill: true,
			series: []series{take("messages/s", func(x *Sample) float64 { return x.Rate })}},
		{title: "Latency", about: "first byte sent to last received, log scale", unit: msText, times: times, log: true, marks: found,
			series: []series{take("p50", positive(func(x *Sample) float64 { return x.P50 })), take("p99", positive(func(x *Sample) float64 { return x.P99 }))}},
	}
	add := func(title, about string, unit func(float64) string, lines ...[]string) {
		p := &plot{title: title, about: about, unit: unit, times: times, fill: len(lines) == 1, binary: title == "Memory"}
		for _, l := range lines {
			if s, ok := stat(l[0], l[1:]...); ok {
				p.series = append(p.series, s)
			}
		}
		if len(p.series) > 0 {
			out = append(out, p)
		}
	}
	whose := "of the server"
	if r.own {
		whose = "server and clients together"
	}
	add("Memory", whose, bytesText, []string{"resident", "rss_bytes", "rss"}, []string{"heap", "heap_bytes", "heap_inuse", "heap"})
	add("Descriptors", whose, countText, []string{"descriptors", "descriptors", "open_fds", "fds"}, []string{"connections", "connections", "conns"})
	add("Blocks", "pooled memory in use; flat means nothing is leaked", countText, append([]string{"Blocks in use"}, blockNames...))
	add("Goroutines", whose, countText, []string{"goroutines", "goroutines", "num_goroutine"})
	return out
}

// A hexRow is sixteen bytes side by side, as they should have been and as they came.
type hexRow struct {
	Offset    string
	Want, Got []hexByte
}

type hexByte struct {
	Text string
	Bad  bool
}

// hexRows lines the two dumps of a finding up.
func hexRows(f *Finding) []hexRow {
	want, err1 := hex.DecodeString(f.Want)
	got, err2 := hex.DecodeString(f.Got)
	if err1 != nil || err2 != nil {
		return nil
	}
	from := max(0, f.Offset-16)
	var rows []hexRow
	for at := 0; at < max(len(want), len(got)); at += 16 {
		row := hexRow{Offset: fmt.Sprintf("%06x", from+at)}
		for i := at; i < at+16; i++ {
			bad := i >= len(want) || i >= len(got) || want[i] != got[i]
			row.Want = append(row.Want, cell(want, i, bad && i < len(want)))
			row.Got = append(row.Got, cell(got, i, bad && i < len(got)))
		}
		rows = append(rows, row)
	}
	return rows
}

func cell(p []byte, i int, bad bool) hexByte {
	if i >= len(p) {
		return hexByte{Text: "··"}
	}
	return hexByte{Text: fmt.Sprintf("%02x", p[i]), Bad: bad}
}
