package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Table writes r as aligned text.
func Table(w io.Writer, r *Report) {
	fmt.Fprintf(w, "%s  %s, %d cores, Linux %s, %s\n", r.Date, r.Machine.CPU, r.Machine.Cores, r.Machine.Kernel, r.Machine.Go)
	fmt.Fprintf(w, "%s  (medians of %d rounds of %gs)\n", r.Command, r.Rounds, r.Seconds)
	for i := range r.Rows {
		tableRow(w, &r.Rows[i])
	}
	verdictTable(w, r)
}

func tableRow(w io.Writer, row *Row) {
	fmt.Fprintf(w, "\n%s: %s\n", row.Name, row.Title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := []string{"peer", row.Unit, Reference + " is", "low..high"}
	if row.timed() {
		head = append(head, "cpu µs/op", "by cpu", "p50", "p99", "p99.9", "server", "load")
	}
	fmt.Fprintf(t, "%s\tpeak RSS\t\n", strings.Join(head, "\t"))
	for i := range row.Peers {
		p := &row.Peers[i]
		if p.Median.Void != "" {
			fmt.Fprintf(t, "%s\tVOID\t\n", p.Peer)
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s..%s\t", p.Peer, Number(p.Median.Value), Times(p.Ratio), Number(p.Low), Number(p.High))
		if row.timed() {
			m := &p.Median
			fmt.Fprintf(t, "%.2f\t%s\t%s\t%s\t%s\t%s\t%s\t", m.CPU, Times(p.CPURatio), Micros(m.P50), Micros(m.P99), Micros(m.P999),
				Percent(m.ServerShare), Percent(m.LoadShare))
		}
		fmt.Fprintf(t, "%s\t\n", Bytes(p.Median.PeakRSS))
	}
	t.Flush()
	for i := range row.Peers {
		remarks(w, &row.Peers[i])
	}
}

func remarks(w io.Writer, p *Result) {
	if p.Median.Void != "" {
		fmt.Fprintf(w, "  %s is void: %s\n", p.Peer, p.Median.Void)
		return
	}
	for _, k := range slices.Sorted(maps.Keys(p.Median.Extra)) {
		fmt.Fprintf(w, "  %s: %s %s\n", p.Peer, k, remark(p.Median.Extra[k]))
	}
	if p.LoadBound() {
		fmt.Fprintf(w, "  %s: the load, not the server, was the limit; compare processor time\n", p.Peer)
	}
}

// remark formats v, which may be a ratio.
func remark(v float64) string {
	if v > 0 && v < 10 {
		return fmt.Sprintf("%.2f", v)
	}
	return Number(v)
}

// timed says that the row has operations, each with a latency and a cost.
func (r *Row) timed() bool {
	return slices.ContainsFunc(r.Peers, func(p Result) bool { return p.Median.P50 > 0 })
}

// LoadBound says that the load had no time to spare and the server had.
func (p *Result) LoadBound() bool {
	return p.Median.LoadShare > 0.95 && p.Median.ServerShare < 0.9
}

// Number formats v with three or four digits that matter.
func Number(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.2fM", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.1fk", v/1e3)
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

// Times formats a ratio, "-" for none.
func Times(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f×", v)
}

// Micros formats microseconds.
func Micros(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.2fs", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%.1fms", v/1e3)
	}
	return fmt.Sprintf("%.0fµs", v)
}

// Bytes formats a size.
func Bytes(v float64) string {
	switch {
	case v >= 1<<30:
		return fmt.Sprintf("%.2fG", v/(1<<30))
	case v >= 1<<20:
		return fmt.Sprintf("%.0fM", v/(1<<20))
	}
	return fmt.Sprintf("%.0fK", v/(1<<10))
}

// Percent formats a share of one core.
func Percent(v float64) string { return fmt.Sprintf("%.0f%%", v*100) }
