package report

import (
	"bytes"
	"testing"
)

// TestPool: rounds of two runs count as one run's, paired as they were measured; a peer that one run lacks is left out.
func TestPool(t *testing.T) {
	a, b := sampleReport(), sampleReport()
	b.Rows = b.Rows[:1]
	for i, v := range []float64{300, 300, 300} {
		b.Rows[0].Peers[0].Samples[i].Value = v
	}
	a.Rows[0].Peers = append(a.Rows[0].Peers, Result{Peer: "only once", Samples: []Sample{{Value: 1}, {Value: 1}, {Value: 1}}})
	var runs []*Report
	for _, r := range []*Report{a, b} {
		var buf bytes.Buffer
		if err := r.JSON(&buf); err != nil {
			t.Fatal(err)
		}
		read, err := Read(&buf)
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, read)
	}
	p, err := Pool(runs)
	if err != nil {
		t.Fatal(err)
	}
	row := p.find("more")
	if len(row.Peers) != 2 || len(row.Peers[0].Samples) != 6 || p.Rounds != 6 {
		t.Fatalf("%d peers, %d samples, %d rounds", len(row.Peers), len(row.Peers[0].Samples), p.Rounds)
	}
	if got := row.Peers[1].Ratio; got != 2.6 { // the median of 2, 2.2, 1, 3, 3 and 3
		t.Errorf("ratio %v", got)
	}
	if less := p.find("less"); len(less.Peers) != 3 || less.Peers[2].Median.Void != "wrong byte" || less.Peers[1].Ratio != 3 {
		t.Errorf("the row of one run: %+v", less)
	}
	if len(runs[0].Rows[0].Peers) != 3 || len(runs[0].Rows[0].Peers[0].Samples) != 3 {
		t.Error("pooling has changed a run")
	}
	b.Machine.Kernel = "another"
	if _, err := Pool([]*Report{a, b}); err == nil {
		t.Error("runs of two machines were pooled")
	}
	if _, err := Read(bytes.NewReader([]byte("text"))); err == nil {
		t.Error("a text was read as a report")
	}
}
