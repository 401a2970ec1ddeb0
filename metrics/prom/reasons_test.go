package prom_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/metrics/prom"
)

// lost writes more than its peer takes.
type lost struct{ opened chan *strand.Conn }

func (h *lost) OnOpen(c *strand.Conn) {
	_, _ = c.Write(make([]byte, 16<<20)) // within MaxQueued
	h.opened <- c
}
func (h *lost) OnReadable(*strand.Conn)     {}
func (h *lost) OnDrained(*strand.Conn)      {}
func (h *lost) OnClose(*strand.Conn, error) {}

// value returns the value of a sample, by its labels in quotes or "" for one that has none.
func value(t *testing.T, reg *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if label == "" || len(m.GetLabel()) > 0 && m.GetLabel()[0].GetValue() == label {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no %s of %q", name, label)
	return 0
}

// TestCollectorByReason: drops have their reason as a label, and the maxima are the same for all who scrape.
func TestCollectorByReason(t *testing.T) {
	e, err := strand.New(strand.Options{MaxQueued: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	h := &lost{make(chan *strand.Conn, 1)}
	l, err := e.Listen("tcp", "127.0.0.1:0", func(*strand.Conn) strand.Handler { return h })
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := <-h.opened
	for e.Stats().QueuedBytes == 0 || c.Buffered() == 0 {
		time.Sleep(time.Millisecond)
	}
	c.CountDrops(strand.DropOldest, 7)
	c.CountDrops(strand.DropSlow, 1)

	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(prom.New(e, nil))
	want := `# HELP strand_dropped_messages_total Messages that a protocol did not send, by reason.
# TYPE strand_dropped_messages_total counter
strand_dropped_messages_total{reason="newest"} 0
strand_dropped_messages_total{reason="oldest"} 7
strand_dropped_messages_total{reason="refused"} 0
strand_dropped_messages_total{reason="slow reader"} 1
strand_dropped_messages_total{reason="superseded"} 0
strand_dropped_messages_total{reason="unsent"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "strand_dropped_messages_total"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"strand_queued_bytes_max", "strand_connection_blocks_max"} {
		if first, second := value(t, reg, name, ""), value(t, reg, name, ""); first <= 0 || second < first {
			t.Errorf("%s: %v, and asked again %v", name, first, second)
		}
	}
	_ = c.Abort()
	for deadline := time.Now().Add(10 * time.Second); value(t, reg, "strand_dropped_bytes_total", "local") == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no bytes dropped")
		}
	}
	if n := value(t, reg, "strand_dropped_bytes_total", "error"); n != 0 {
		t.Errorf("%v bytes dropped by an error", n)
	}
	if in, out := value(t, reg, "strand_blocks_taken_total", "65536"), value(t, reg, "strand_blocks_released_total", "65536"); in == 0 || out > in {
		t.Errorf("%v Blocks taken, %v released", in, out)
	}
}
