package soak

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A Result is all that a run found out.
type Result struct {
	Verdict    string       `json:"verdict"` // "clean", "findings" or "nothing checked"
	Reasons    []string     `json:"reasons,omitempty"`
	Seed       uint64       `json:"seed"`
	Repeat     string       `json:"repeat"`
	Server     string       `json:"server"`
	Conns      int          `json:"conns"`
	Seconds    float64      `json:"seconds"`
	Started    time.Time    `json:"started"`
	Go         string       `json:"go"`
	Machine    string       `json:"machine"`
	Total      KindResult   `json:"total"`
	Kinds      []KindResult `json:"kinds"`
	Bound95    float64      `json:"foreign_rate_bound_95"` // 3/N; 0 if something foreign was seen
	Alive      bool         `json:"alive_afterwards"`
	Before     *Home        `json:"before,omitempty"` // of the own server's process
	After      *Home        `json:"after,omitempty"`
	Violations float64      `json:"isolation_violations"` // as the server counts them
	Deflate    [2]uint64    `json:"deflate_agreed_declined"`
	Refusals   []string     `json:"refusals,omitempty"`
	Notes      []string     `json:"notes,omitempty"`
	Findings   []*Finding   `json:"findings"`
	Samples    []Sample     `json:"samples"`
	own        bool
}

// A KindResult is one row of the table.
type KindResult struct {
	Kind       string  `json:"kind"`
	About      string  `json:"about,omitempty"`
	Conns      uint64  `json:"connections"`
	Checked    uint64  `json:"checked"`
	Handler    uint64  `json:"checked_by_handlers"`
	Bytes      uint64  `json:"bytes"`
	Foreign    uint64  `json:"foreign"`
	Lost       uint64  `json:"lost"`
	Damaged    uint64  `json:"damaged"`
	Duplicated uint64  `json:"duplicated"`
	Reordered  uint64  `json:"reordered"`
	Refused    uint64  `json:"refused"`
	P50        float64 `json:"p50_ms"`
	P90        float64 `json:"p90_ms"`
	P99        float64 `json:"p99_ms"`
	P999       float64 `json:"p999_ms"`
}

// Findings is how many messages of the kind were not as they should have been.
func (k *KindResult) Findings() uint64 {
	return k.Foreign + k.Lost + k.Damaged + k.Duplicated + k.Reordered
}

func (k *KindResult) latency(c *[histBuckets]uint64) {
	q := quantiles(c, 0.5, 0.9, 0.99, 0.999)
	k.P50, k.P90, k.P99, k.P999 = ms(q[0]), ms(q[1]), ms(q[2]), ms(q[3])
}

func (k *KindResult) add(o *KindResult) {
	k.Conns += o.Conns
	k.Checked += o.Checked
	k.Handler += o.Handler
	k.Bytes += o.Bytes
	k.Foreign += o.Foreign
	k.Lost += o.Lost
	k.Damaged += o.Damaged
	k.Duplicated += o.Duplicated
	k.Reordered += o.Reordered
	k.Refused += o.Refused
}

func (r *run) result(s *sampler) *Result {
	res := &Result{
		Seed: r.cfg.Seed, Repeat: r.repeat(), Server: r.cfg.URL, Conns: r.cfg.Conns, Seconds: s.elapsed.Seconds(),
		Started: r.began, Go: runtime.Version(), Notes: r.notes, Findings: r.book.list(), Samples: s.samples,
		Machine: fmt.Sprintf("%s/%s, GOMAXPROCS %d", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0)),
		Deflate: [2]uint64{r.deflate.Load(), r.plainWS.Load()},
		own:     r.own != nil,
	}
	// What is worst is read first.
	slices.SortStableFunc(res.Findings, func(a, b *Finding) int { return cmp.Compare(a.Class, b.Class) })
	if res.own {
		res.Server = "own server on " + r.cfg.Target.String()
		if r.cfg.TLS {
			res.Server += ", TLS"
		}
	}
	res.Total.Kind = "total"
	for i := range r.tally {
		t := &r.tally[i]
		k := KindResult{
			Kind: kindName(uint8(i)), About: kinds[i].about, Conns: t.conns.Load(), Checked: t.checked.Load(),
			Handler: t.handler.Load(), Bytes: t.bytes.Load(),
			Foreign: t.class[Foreign].Load(), Lost: t.class[Lost].Load(), Damaged: t.class[Damaged].Load(),
			Duplicated: t.class[Duplicated].Load(), Reordered: t.class[Reordered].Load(), Refused: t.class[Refused].Load(),
		}
		if k.Conns+k.Checked+k.Refused+k.Findings() == 0 {
			continue
		}
		k.latency(t.latency.counts())
		res.Total.add(&k)
		res.Kinds = append(res.Kinds, k)
	}
	res.Total.latency(r.latency.counts())
	res.Violations, _ = figure(r.stats(), "isolation_violations")
	for _, e := range sortedKeys(r.book.refusals) {
		res.Refusals = append(res.Refusals, fmt.Sprintf("%s (%d)", e, r.book.refusals[e]))
	}
	return res
}

// judge gives the verdict, which is also the exit code.
func (r *Result) judge() {
	if n := r.Total.Findings(); n > 0 {
		r.Reasons = append(r.Reasons, fmt.Sprintf("%d messages were not as they should have been", n))
	}
	if r.Violations > 0 {
		r.Reasons = append(r.Reasons, fmt.Sprintf("the library counted %.0f isolation violations", r.Violations))
	}
	if !r.Alive {
		r.Reasons = append(r.Reasons, "a fresh client was not served afterwards")
	}
	if b, a := r.Before, r.After; b != nil && a != nil {
		if a.Descriptors > b.Descriptors {
			r.Reasons = append(r.Reasons, fmt.Sprintf("%d descriptors before, %d five seconds after", b.Descriptors, a.Descriptors))
		}
		if a.Blocks > b.Blocks {
			r.Reasons = append(r.Reasons, fmt.Sprintf("%.0f Blocks in use before, %.0f five seconds after", b.Blocks, a.Blocks))
		}
		if a.Goroutines > b.Goroutines+5 {
			r.Reasons = append(r.Reasons, fmt.Sprintf("%d goroutines before, %d five seconds after", b.Goroutines, a.Goroutines))
		}
	}
	switch {
	case len(r.Reasons) > 0:
		r.Verdict = "findings"
	case r.Total.Checked == 0:
		r.Verdict = "nothing checked"
	default:
		r.Verdict = "clean"
	}
	if r.Total.Foreign == 0 && r.Total.Checked > 0 {
		r.Bound95 = 3 / float64(r.Total.Checked)
	}
}

// ExitCode is 0 for a clean run and 1 for any other.
func (r *Result) ExitCode() int {
	if r.Verdict == "clean" {
		return 0
	}
	return 1
}

// WriteText writes the result for a terminal.
func (r *Result) WriteText(w io.Writer) {
	for i, f := range r.Findings {
		if i == 10 {
			fmt.Fprintf(w, "… and %d more with bytes (-json or -report has them)\n\n", len(r.Findings)-i)
			break
		}
		fmt.Fprintln(w, f.Text())
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "kind\tchecked\tby handlers\tforeign\tlost\tdamaged\tdup\treordered\trefused\tp50 ms\tp99 ms\tp99.9 ms\t")
	row := func(k *KindResult) {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%.2f\t%.2f\t%.2f\t\n", k.Kind, thousands(k.Checked), thousands(k.Handler),
			k.Foreign, k.Lost, k.Damaged, k.Duplicated, k.Reordered, k.Refused, k.P50, k.P99, k.P999)
	}
	for i := range r.Kinds {
		row(&r.Kinds[i])
	}
	row(&r.Total)
	tw.Flush()
	fmt.Fprintf(w, "\n%s: %s messages, %s, %d connections at a time, %.1f s, seed %d\n", r.Server, thousands(r.Total.Checked),
		bytesText(float64(r.Total.Bytes)), r.Conns, r.Seconds, r.Seed)
	for _, n := range r.Notes {
		fmt.Fprintln(w, n)
	}
	if len(r.Refusals) > 0 {
		fmt.Fprintf(w, "Not accepted: %s\n", strings.Join(r.Refusals, "; "))
	}
	if r.After != nil {
		fmt.Fprintf(w, "Before and after: descriptors %d, %d; goroutines %d, %d; Blocks in use %.0f, %.0f\n", r.Before.Descriptors,
			r.After.Descriptors, r.Before.Goroutines, r.After.Goroutines, r.Before.Blocks, r.After.Blocks)
	}
	if r.Bound95 > 0 {
		fmt.Fprintf(w, "None foreign: at 95 %% confidence fewer than one in %s\n", thousands(uint64(1/r.Bound95)))
	}
	switch r.Verdict {
	case "clean":
		fmt.Fprintln(w, "CLEAN")
	default:
		fmt.Fprintf(w, "NOT CLEAN: %s\n", strings.Join(append(r.Reasons, r.extraReason()...), "; "))
		fmt.Fprintf(w, "Repeat: %s\n", r.Repeat)
	}
}

func (r *Result) extraReason() []string {
	if len(r.Reasons) == 0 {
		return []string{r.Verdict}
	}
	return nil
}

// thousands writes n with separators.
func thousands(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func bytesText(n float64) string {
	for _, u := range []string{"B", "KiB", "MiB", "GiB"} {
		if n < 1024 {
			return fmt.Sprintf("%.4g %s", n, u)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.4g TiB", n)
}
