package soak

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// A series is one line of a plot.
type series struct {
	name   string
	values []float64 // NaN where there is none
}

// A plot is a chart over the time of a run.
type plot struct {
	title  string
	about  string
	unit   func(float64) string
	times  []float64
	series []series
	marks  []float64 // seconds at which something was found
	log    bool
	fill   bool
	binary bool // round in powers of 1024
}

// The drawing area in the SVG's own units; the page scales it.
const (
	plotW, plotH             = 620.0, 220.0
	plotL, plotR, plotT, plB = 58.0, 14.0, 12.0, 28.0
)

// scale maps values to heights.
type scale struct {
	lo, hi float64
	log    bool
	ticks  []float64
}

func (s *scale) y(v float64) float64 {
	lo, hi := s.lo, s.hi
	if s.log {
		v, lo, hi = math.Log10(math.Max(v, s.lo)), math.Log10(s.lo), math.Log10(s.hi)
	}
	f := (v - lo) / (hi - lo)
	return plotT + (plotH-plotT-plB)*(1-math.Min(1, math.Max(0, f)))
}

func (p *plot) scale() scale {
	top, bottom := 0.0, math.Inf(1)
	for _, s := range p.series {
		for _, v := range s.values {
			if math.IsNaN(v) {
				continue
			}
			top = math.Max(top, v)
			if v > 0 {
				bottom = math.Min(bottom, v)
			}
		}
	}
	if p.log && top > 0 {
		return logScale(bottom, top)
	}
	one := 1.0
	for p.binary && top/one >= 1024 {
		one *= 1024
	}
	sc := linearScale(top / one)
	sc.hi *= one
	for i := range sc.ticks {
		sc.ticks[i] *= one
	}
	return sc
}

func linearScale(top float64) scale {
	if top <= 0 {
		top = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(top)))
	for _, m := range []float64{0.1, 0.2, 0.25, 0.5, 1} {
		if top/(step*m) <= 5 {
			step *= m
			break
		}
	}
	s := scale{hi: step * math.Ceil(top/step*1.0001)}
	for v := 0.0; v <= s.hi*1.0001; v += step {
		s.ticks = append(s.ticks, v)
	}
	return s
}

func logScale(bottom, top float64) scale {
	lo, hi := math.Floor(math.Log10(bottom)), math.Ceil(math.Log10(top))
	if hi <= lo {
		hi = lo + 1
	}
	s := scale{lo: math.Pow(10, lo), hi: math.Pow(10, hi), log: true}
	for e := lo; e <= hi; e++ {
		s.ticks = append(s.ticks, math.Pow(10, e))
	}
	return s
}

func (p *plot) x(t float64) float64 {
	end := p.times[len(p.times)-1]
	if end <= 0 {
		end = 1
	}
	return plotL + (plotW-plotL-plotR)*t/end
}

// svg draws the plot. All text in it is made here or escaped.
func (p *plot) svg() template.HTML {
	var b strings.Builder
	sc := p.scale()
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s over time">`, plotW, plotH, template.HTMLEscapeString(p.title))
	for _, t := range sc.ticks {
		y := sc.y(t)
		fmt.Fprintf(&b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/><text class="tick" x="%g" y="%.1f" text-anchor="end">%s</text>`,
			plotL, plotW-plotR, y, y, plotL-8, y+3.5, template.HTMLEscapeString(p.unit(t)))
	}
	p.timeAxis(&b)
	for _, m := range p.marks {
		fmt.Fprintf(&b, `<line class="found" x1="%.1f" x2="%.1f" y1="%g" y2="%g"/>`, p.x(m), p.x(m), plotT, plotH-plB)
	}
	for i, s := range p.series {
		p.line(&b, &sc, i, s)
	}
	fmt.Fprintf(&b, `<g class="cross" hidden><line y1="%g" y2="%g"/></g></svg>`, plotT, plotH-plB)
	return template.HTML(b.String())
}

func (p *plot) timeAxis(b *strings.Builder) {
	end := p.times[len(p.times)-1]
	base := plotH - plB
	fmt.Fprintf(b, `<line class="axis" x1="%g" x2="%g" y1="%g" y2="%g"/>`, plotL, plotW-plotR, base, base)
	for _, t := range linearScale(end).ticks {
		if t > end {
			break
		}
		fmt.Fprintf(b, `<text class="tick" x="%.1f" y="%g" text-anchor="middle">%s</text>`, p.x(t), plotH-9, seconds(t))
	}
}

func (p *plot) line(b *strings.Builder, sc *scale, i int, s series) {
	var d strings.Builder
	pen := "M"
	first, last := -1, -1
	for k, v := range s.values {
		if math.IsNaN(v) {
			pen = "M"
			continue
		}
		if first < 0 {
			first = k
		}
		last = k
		fmt.Fprintf(&d, "%s%.1f %.1f", pen, p.x(p.times[k]), sc.y(v))
		pen = "L"
	}
	if first < 0 {
		return
	}
	if p.fill && i == 0 {
		fmt.Fprintf(b, `<path class="area s%d" d="%sL%.1f %g L%.1f %gZ"/>`, i, d.String(), p.x(p.times[last]), plotH-plB, p.x(p.times[first]), plotH-plB)
	}
	fmt.Fprintf(b, `<path class="line s%d" d="%s"/>`, i, d.String())
}

// data is what the page's script needs to say the values under the pointer.
func (p *plot) data() map[string]any {
	names, rows := []string{}, [][]string{}
	for _, s := range p.series {
		row := make([]string, len(s.values))
		for i, v := range s.values {
			if !math.IsNaN(v) {
				row[i] = p.unit(v)
			}
		}
		names, rows = append(names, s.name), append(rows, row)
	}
	xs, ts := make([]float64, len(p.times)), make([]string, len(p.times))
	for i, t := range p.times {
		xs[i], ts[i] = math.Round(p.x(t)*10)/10, fmt.Sprintf("%.1f s", t)
	}
	return map[string]any{"names": names, "rows": rows, "xs": xs, "ts": ts, "w": plotW}
}

func seconds(t float64) string {
	if t >= 120 && math.Mod(t, 60) == 0 {
		return fmt.Sprintf("%g min", t/60)
	}
	return fmt.Sprintf("%g s", math.Round(t*100)/100)
}

func countText(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.3g M", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.3g k", v/1e3)
	case v >= 1000 || v == math.Trunc(v):
		return thousands(uint64(v + 0.5))
	}
	return fmt.Sprintf("%.3g", v)
}

func msText(v float64) string {
	switch {
	case v < 1:
		return fmt.Sprintf("%.3g µs", v*1000)
	case v < 1000:
		return fmt.Sprintf("%.3g ms", v)
	}
	return fmt.Sprintf("%.3g s", v/1000)
}
