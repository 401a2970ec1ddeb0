package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"slices"
)

//go:embed page.gohtml
var pageSource string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"number":  Number,
	"times":   Times,
	"bytes":   Bytes,
	"percent": Percent,
}).Parse(pageSource))

// HTML writes r as one page that needs nothing else: style and plots inside.
func HTML(w io.Writer, r *Report) error {
	v := pageView{Report: r, Peers: peersOf(r)}
	for i := range r.Rows {
		v.Cards = append(v.Cards, cardOf(&r.Rows[i]))
		v.Matrix = append(v.Matrix, matrixLine(&r.Rows[i], v.Peers))
	}
	return page.Execute(w, v)
}

type pageView struct {
	*Report
	Peers  []peerView
	Matrix []matrixRow
	Cards  []card
}

type peerView struct{ Name, Version, Note string }

// peersOf lists the peers that took part, in the order of their first row.
func peersOf(r *Report) []peerView {
	var out []peerView
	seen := map[string]bool{}
	for _, row := range r.Rows {
		for _, p := range row.Peers {
			if !seen[p.Peer] {
				seen[p.Peer] = true
				out = append(out, peerView{p.Peer, r.Versions[p.Peer], r.Notes[p.Peer]})
			}
		}
	}
	return out
}

type matrixRow struct {
	Name, Title string
	Cells       []cell
}

// cell is one peer in one row of the overview: how many times better the
// reference is, or the bare value where there is no reference.
type cell struct {
	Text, Hint string
	Style      template.CSS
}

func matrixLine(row *Row, peers []peerView) matrixRow {
	out := matrixRow{Name: row.Name, Title: row.Title}
	for _, pv := range peers {
		i := slices.IndexFunc(row.Peers, func(p Result) bool { return p.Peer == pv.Name })
		if i < 0 {
			out.Cells = append(out.Cells, cell{})
			continue
		}
		out.Cells = append(out.Cells, cellOf(row, &row.Peers[i]))
	}
	return out
}

func cellOf(row *Row, p *Result) cell {
	if p.Median.Void != "" {
		return cell{Text: "void", Hint: p.Median.Void}
	}
	value := Number(p.Median.Value) + " " + row.Unit
	if p.Ratio == 0 || p.Peer == Reference {
		return cell{Text: Number(p.Median.Value), Hint: value}
	}
	// Green where the reference is better, red where it is not, full at a factor of 3.
	depth := math.Log(p.Ratio) / math.Log(3)
	hue := 150
	if depth < 0 {
		hue = 8
	}
	alpha := min(0.08+0.5*math.Abs(depth), 0.6)
	return cell{Text: Times(p.Ratio), Hint: value,
		Style: template.CSS(fmt.Sprintf("background:hsl(%d 65%% 45%% / %.2f)", hue, alpha))}
}

// The plot's columns, in the units of its viewBox.
const (
	plotWidth = 1000
	lineH     = 30
	topH      = 26
	nameX     = 132 // right edge of names
	barX      = 142
	barW      = 380
	cpuX      = 620
	cpuW      = 90
	latX      = 752
	latW      = 222
)

type card struct {
	*Row
	Timed       bool
	Height      int
	Lines       []line
	Ticks       []tick
	Remarks     []string
	Best, Width int
}

// line is one peer's bars and dots.
type line struct {
	Peer          string
	Ref, Void     bool
	Y, Mid        int
	Bar, Low, Hi  float64
	LabelX        float64
	Label, Ratio  string
	CPU           float64
	CPULabel      string
	P50, P99, P9  float64
	LatencyLabel  string
	RSS           string
	ServerAndLoad string
}

type tick struct {
	X     float64
	Label string
}

func cardOf(row *Row) card {
	c := card{Row: row, Timed: row.timed(), Width: plotWidth, Height: topH + lineH*len(row.Peers) + 6}
	s := scalesOf(row)
	for i := range row.Peers {
		c.Lines = append(c.Lines, lineOf(row, &row.Peers[i], i, s))
		c.Remarks = append(c.Remarks, remarkOf(&row.Peers[i])...)
	}
	if c.Timed {
		c.Ticks = s.ticks()
	}
	return c
}

func remarkOf(p *Result) []string {
	if p.Median.Void != "" {
		return []string{p.Peer + " is void: " + p.Median.Void}
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(p.Median.Extra)) {
		out = append(out, fmt.Sprintf("%s: %s %s", p.Peer, k, Number(p.Median.Extra[k])))
	}
	if p.LoadBound() {
		out = append(out, p.Peer+": the load, not the server, was the limit; compare processor time")
	}
	return out
}

// scales are the extremes that the plots of one row share.
type scales struct{ value, cpu, latLow, latHigh float64 }

func scalesOf(row *Row) scales {
	s := scales{latLow: math.Inf(1)}
	for _, p := range row.Peers {
		if p.Median.Void != "" {
			continue
		}
		s.value = max(s.value, p.High)
		s.cpu = max(s.cpu, p.Median.CPU)
		s.latHigh = max(s.latHigh, p.Median.P999)
		if p.Median.P50 > 0 {
			s.latLow = min(s.latLow, p.Median.P50)
		}
	}
	s.latLow = math.Pow(10, math.Floor(math.Log10(s.latLow)))
	s.latHigh = math.Pow(10, math.Ceil(math.Log10(s.latHigh)))
	return s
}

// lat is where a latency of us microseconds lies on the logarithmic axis.
func (s scales) lat(us float64) float64 {
	if us <= 0 || s.latHigh <= s.latLow {
		return latX
	}
	return latX + latW*math.Log(us/s.latLow)/math.Log(s.latHigh/s.latLow)
}

func (s scales) ticks() []tick {
	var out []tick
	for v := s.latLow; v <= s.latHigh*1.01; v *= 10 {
		out = append(out, tick{s.lat(v), Micros(v)})
	}
	return out
}

func lineOf(row *Row, p *Result, i int, s scales) line {
	y := topH + i*lineH
	l := line{Peer: p.Peer, Ref: p.Peer == Reference, Y: y + 6, Mid: y + lineH/2 + 1}
	m := &p.Median
	if m.Void != "" {
		l.Void = true
		return l
	}
	scale := func(v float64) float64 {
		if s.value == 0 {
			return 0
		}
		return barW * max(v, 0) / s.value
	}
	l.Bar, l.Low, l.Hi = scale(m.Value), barX+scale(p.Low), barX+scale(p.High)
	l.LabelX = max(l.Hi, barX) + 8
	l.Label = Number(m.Value)
	if !l.Ref && p.Ratio > 0 {
		l.Ratio = Times(p.Ratio)
	}
	if s.cpu > 0 {
		l.CPU = cpuW * m.CPU / s.cpu
		l.CPULabel = fmt.Sprintf("%.2f", m.CPU)
		if !l.Ref && p.CPURatio > 0 {
			l.CPULabel += " · " + Times(p.CPURatio)
		}
	}
	l.P50, l.P99, l.P9 = s.lat(m.P50), s.lat(m.P99), s.lat(m.P999)
	l.LatencyLabel = fmt.Sprintf("p50 %s, p99 %s, p99.9 %s", Micros(m.P50), Micros(m.P99), Micros(m.P999))
	l.RSS = Bytes(m.PeakRSS)
	l.ServerAndLoad = Percent(m.ServerShare) + " / " + Percent(m.LoadShare)
	return l
}
