package report

import (
	"bytes"
	"maps"
	"strings"
	"testing"
)

func sampleReport() *Report {
	mk := func(peer string, v ...float64) Result {
		r := Result{Peer: peer}
		for _, x := range v {
			r.Samples = append(r.Samples, Sample{Value: x, CPU: 1e6 / x, P50: 10, P99: 90, P999: 200, PeakRSS: 1 << 24})
		}
		return r
	}
	r := &Report{Rounds: 3, Rows: []Row{
		{Name: "more", Title: "More", Unit: "req/s", Peers: []Result{mk(Reference, 200, 220, 100), mk("other", 100, 100, 100)}},
		{Name: "less", Title: "Less <&>", Unit: "bytes", Less: true, Peers: []Result{mk(Reference, 500), mk("other", 1500), mk("bad", 1)}},
	}}
	r.Rows[1].Peers[2].Samples = append(r.Rows[1].Peers[2].Samples, Sample{Void: "wrong byte"})
	r.Finish()
	return r
}

func TestRatiosPairRoundsAndKnowTheDirection(t *testing.T) {
	r := sampleReport()
	if got := r.Rows[0].Peers[1].Ratio; got != 2 {
		t.Errorf("ratio %v, want the median of 2, 2.2 and 1", got)
	}
	if got := r.Rows[1].Peers[1].Ratio; got != 3 {
		t.Errorf("ratio %v where less is better, want 3", got)
	}
	if got := r.Rows[0].Peers[1].CPURatio; got < 1.99 || got > 2.01 {
		t.Errorf("ratio %v by processor time, want 2", got)
	}
	if p := r.Rows[0].Peers[0]; p.Median.Value != 200 || p.Low != 100 || p.High != 220 {
		t.Errorf("median %v low %v high %v", p.Median.Value, p.Low, p.High)
	}
}

func TestOneVoidRoundVoidsThePeer(t *testing.T) {
	r := sampleReport()
	p := r.Rows[1].Peers[2]
	if p.Median.Void != "wrong byte" || p.Ratio != 0 {
		t.Errorf("median %+v ratio %v", p.Median, p.Ratio)
	}
	var b bytes.Buffer
	Table(&b, r)
	if !strings.Contains(b.String(), "bad is void: wrong byte") {
		t.Errorf("the table hides the void:\n%s", b.String())
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		v    []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{3, 1}, 2}, {[]float64{9, 1, 5}, 5}} {
		if got := Median(c.v); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.v, got, c.want)
		}
	}
}

func TestPageNeedsNothingElse(t *testing.T) {
	var b bytes.Buffer
	if err := HTML(&b, sampleReport()); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, bad := range []string{"http://", "https://", "src=", "<link", "@import", "<script", "NaN", "Inf", "ZgotmplZ"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	for _, want := range []string{"<svg", "Less &lt;&amp;&gt;", "2.00×", "wrong byte"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestVerdicts(t *testing.T) {
	mk := func(peer string, v, p99 float64) Result {
		return Result{Peer: peer, Samples: []Sample{{Value: v, CPU: 1e6 / v, P50: 1, P99: p99}}}
	}
	r := &Report{Rows: []Row{
		{Name: "tcp-echo-1k-1000", Unit: "msg/s", Peers: []Result{mk(Reference, 120, 5), mk("gnet", 100, 6), mk("c-epoll", 140, 1)}},
		{Name: "ws-echo-1k-1000", Unit: "msg/s", Peers: []Result{mk(Reference, 100, 9), mk("gws", 90, 8), mk("nbio", 50, 9), mk("nbio-inline", 70, 9)}},
		{Name: "ws-echo-1k-18000", Unit: "msg/s", Peers: []Result{mk(Reference, 50, 9)}},
		{Name: "idle-ws", Unit: "bytes/conn", Less: true, Peers: []Result{mk(Reference, 500, 0)}},
	}}
	r.Finish()
	got := map[string]bool{}
	for _, v := range r.Verdicts() {
		got[v.Row+" "+v.Want] = v.OK
	}
	want := map[string]bool{
		"tcp-echo-1k-1000 1.15× gnet":                                          true,
		"tcp-echo-1k-1000 p99 at most 6µs (gnet)":                              true,
		"tcp-echo-1k-1000 0.93× c-epoll":                                       false,
		"ws-echo-1k-1000 1.25× gws":                                            false,
		"ws-echo-1k-1000 p99 at most 8µs (gws)":                                false,
		"ws-echo-1k-1000 1.35× nbio-inline":                                    true,
		"idle-ws at most 525 bytes/conn":                                       true,
		"ws-echo-1k-18000 processor time at most 1.3× that of ws-echo-1k-1000": false,
	}
	if !maps.Equal(got, want) {
		t.Errorf("verdicts %v, want %v", got, want)
	}
}
