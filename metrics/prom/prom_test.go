package prom_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/http1"
	"github.com/d74363f0/strand/metrics/prom"
)

func TestCollector(t *testing.T) {
	e, err := strand.New(strand.Options{})
	if err != nil {
		t.Fatal(err)
	}
	srv := &http1.Server{Engine: e, Handler: http.NotFoundHandler()}
	l := listen(t)
	go func() { _ = srv.Serve(l) }()
	resp, err := http.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()

	reg := prometheus.NewPedanticRegistry() // checks Describe against Collect
	reg.MustRegister(prom.New(e, prometheus.Labels{"engine": "test"}))
	if _, err := reg.Gather(); err != nil {
		t.Fatal(err)
	}
	want := "# HELP strand_connections_accepted_total Connections accepted.\n# TYPE strand_connections_accepted_total counter\nstrand_connections_accepted_total{engine=\"test\"} 1\n"
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "strand_connections_accepted_total"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := e.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}
