package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/d74363f0/strand/bench/peer"
	"github.com/d74363f0/strand/bench/report"
)

// TestMain lets the test binary be the children that the driver starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.Contains([]string{"load", "idle"}, os.Args[1]) {
		if err := dispatch(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func testDriver(t *testing.T) *driver {
	t.Helper()
	d, err := newDriver(&options{rounds: 1, length: time.Second, seed: 1, quick: true}, peer.All())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(d.dir) })
	d.env = append(d.env, "GORACE=atexit_sleep_ms=0") // a child with the race detector in it ends a second late otherwise
	d.duration, d.settle, d.maxConns, d.log = 30*time.Millisecond, 20*time.Millisecond, 40, io.Discard
	return d
}

// TestEveryPeerServesEveryRow runs each row against each peer that takes part
// for a moment; rows that differ only in how many connections they have are one
// here. What our own client does not load is asked by the probe, which compares
// whole answers.
func TestEveryPeerServesEveryRow(t *testing.T) {
	d := testDriver(t)
	ran := 0
	seen := map[string]bool{}
	for _, r := range allRows() {
		key := essence(r)
		if seen[key] {
			continue
		}
		seen[key] = true
		for _, p := range peer.All() {
			if !r.takes(p) {
				continue
			}
			ran++
			t.Run(r.name+"/"+p.Name, func(t *testing.T) { serveOnce(t, d, r, p) })
		}
	}
	if ran < 100 {
		t.Errorf("only %d pairs of row and peer", ran)
	}
}

// essence is what a row does, whatever the number of its connections.
func essence(r *row) string {
	switch w := r.work.(type) {
	case *echo:
		e := *w
		e.conns, e.active = 0, 0
		return fmt.Sprintf("%s %+v", r.kind, e)
	case *wrk:
		return fmt.Sprintf("%s %s %d %t %t", r.kind, w.path, w.headers, w.closes, w.beside != nil)
	}
	return r.name
}

func serveOnce(t *testing.T, d *driver, r *row, p *peer.Peer) {
	ctx := t.Context()
	s, err := d.startServer(ctx, p.Name, r)
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	if w, ok := r.work.(*wrk); ok {
		for _, w := range []*wrk{w, w.beside} {
			if w == nil {
				continue
			}
			if err := w.probe(ctx, s); err != nil {
				t.Error(err)
			}
		}
		return
	}
	got, err := r.work.run(ctx, d, r, s)
	if err != nil {
		t.Fatal(err)
	}
	if _, rest := r.work.(*idle); !rest && (got.Value <= 0 || got.CPU <= 0 || got.P50 <= 0 || got.P999 < got.P50) {
		t.Errorf("implausible sample %+v", got)
	}
}

func TestRowsAreNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range allRows() {
		if seen[r.name] || r.name != strings.ToLower(r.name) || strings.ContainsAny(r.name, " _") {
			t.Errorf("bad or repeated name %q", r.name)
		}
		seen[r.name] = true
		if r.title == "" || r.unit == "" || r.work.describe() == "" {
			t.Errorf("%s does not say what it is", r.name)
		}
	}
}

func TestChooseTakesAnExactNameAlone(t *testing.T) {
	for rows, want := range map[string]int{"http-plaintext-256": 1, "^http-plaintext-": 5, "ws-echo-1k-1000": 1} {
		got, _, err := choose(&options{rows: rows})
		if err != nil || len(got) != want {
			t.Errorf("-rows %s: %d rows, %v; want %d", rows, len(got), err, want)
		}
	}
	if _, _, err := choose(&options{rows: "no-such-row"}); err == nil {
		t.Error("a row that does not exist was accepted")
	}
	if _, _, err := choose(&options{rows: ".", peers: "nobody"}); err == nil {
		t.Error("a peer that does not exist was accepted")
	}
}

func TestChildIsPinned(t *testing.T) {
	cmd := exec.Command("grep", "Cpus_allowed_list", "/proc/self/status")
	var out strings.Builder
	cmd.Stdout = &out
	if err := start(cmd, loadCore); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if f := strings.Fields(out.String()); len(f) != 2 || f[1] != "1" {
		t.Errorf("child may run on %q, want core 1 alone", out.String())
	}
}

func TestDeadServerVoidsTheSample(t *testing.T) {
	d := testDriver(t)
	r := &row{name: "x", kind: peer.TCP, work: &echo{proto: "tcp", conns: 4, size: 64}}
	s, err := d.startServer(context.Background(), "net", r)
	if err != nil {
		t.Fatal(err)
	}
	s.stop()
	if _, err := r.work.run(context.Background(), d, r, s); err == nil {
		t.Error("a measurement of a dead server succeeded")
	}
	if _, err := d.one(context.Background(), "gws", r); err == nil {
		t.Error("a service that the peer does not have succeeded")
	}
}

func TestParseWrk(t *testing.T) {
	out := "Running 1s test\nBENCH {\"micros\":1000000,\"requests\":500,\"p50\":10,\"p99\":20,\"p999\":30,\"max\":40," +
		"\"connect\":0,\"read\":0,\"write\":0,\"status\":0,\"timeout\":0}\n"
	res, err := parseWrk([]byte(out))
	if err != nil {
		t.Fatal(err)
	}
	w := &wrk{}
	s, err := w.sample(res, 10*time.Millisecond)
	if err != nil || s.Value != 500 || s.CPU != 20 || s.P999 != 30 {
		t.Errorf("sample %+v, %v", s, err)
	}
	res.Status = 1
	if _, err := w.sample(res, 0); err == nil {
		t.Error("an answer that was not 2xx did not void the sample")
	}
	res.Status, res.Timeout = 0, 6
	if _, err := w.sample(res, 0); err == nil {
		t.Error("more than one socket error in a hundred did not void the sample")
	}
	if _, err := parseWrk([]byte("unable to connect")); err == nil {
		t.Error("a failed wrk was parsed")
	}
}

// TestScripts feeds each script to the probe's twin in wrk where it is installed,
// so that the Lua is known to run; without wrk only the texts are looked at.
func TestScripts(t *testing.T) {
	for _, r := range allRows() {
		w, ok := r.work.(*wrk)
		if !ok {
			continue
		}
		s := w.script()
		if !strings.Contains(s, "done = function") || w.closes != strings.Contains(s, `"close"`) {
			t.Errorf("%s: script\n%s", r.name, s)
		}
	}
	if _, err := exec.LookPath("wrk"); err != nil {
		t.Log("wrk is not installed: scripts not run")
		return
	}
	d := testDriver(t)
	for _, name := range []string{"http-headers-100", "http-close"} {
		rows, peers, err := choose(&options{rows: name, peers: "net/http"})
		if err != nil {
			t.Fatal(err)
		}
		s, err := d.one(t.Context(), peers[0].Name, rows[0])
		if err != nil || s.Value <= 0 {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

func TestTargetsSpeakOfRowsThatExist(t *testing.T) {
	for _, name := range report.TargetRows() {
		if !slices.ContainsFunc(allRows(), func(r *row) bool { return r.name == name }) {
			t.Errorf("no row %q", name)
		}
	}
}
