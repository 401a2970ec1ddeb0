package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestReport asks that the page of a run with findings is whole, stands alone and shows the bytes.
func TestReport(t *testing.T) {
	f := faults[0]
	s := startFaulty(t, f)
	res, err := Run(context.Background(), Config{
		URL: "http://" + s.ln.Addr().String(), Kinds: "post,pipeline", Seed: 5, Conns: 6, Time: 600 * time.Millisecond, MinSize: 320, MaxSize: 4000,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Findings) == 0 {
		t.Fatal("seed 5: no findings to show")
	}
	page, err := res.WriteReport(filepath.Join(t.TempDir(), "made", "for", "it"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, want := range []string{"findings", res.Findings[0].Victim, res.Findings[0].Culprits[0], "-seed 5 ", "<svg", "prefers-color-scheme", "pipeline"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if out := regexp.MustCompile(`(?:src|href)=|@import|url\(`).FindString(text); out != "" {
		t.Errorf("the page loads something: %s", out)
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, "ZgotmplZ") {
		t.Error("the page has a hole where a value should be")
	}
}

func TestCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file") // in which no directory can be made
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"-h", 0, "usage: strand soak"},
		{"-bogus", 2, "bogus"},
		{"http://a http://b", 2, "one URL"},
		{"ftp://a", 2, "not an http"},
		{"-kinds nothing", 2, "unknown kind"},
		{"-kinds late-close http://127.0.0.1:1", 2, "own server"},
		{"-kinds -all", 2, "nothing to do"},
		{"-conns 0", 2, "positive"},
		{"-seed x", 2, "not a number"},
		{"-seed 12abc", 2, `"12abc" is not a number from 0 to 18446744073709551615`},
		{"-seed -1", 2, "not a number"},
		{"-seed 18446744073709551616", 2, "not a number"},
		{"127.0.0.1:18080", 2, "want http://127.0.0.1:18080"},
		{"localhost:18080", 2, "want http://localhost:18080"},
		{"-time 1s -report " + filepath.Join(file, "dir") + " http://127.0.0.1:1", 1, "-report: mkdir " + file}, // before the server is asked
		{"-target none", 2, "no target"},
		{"-tls http://a", 2, "own server"},
		{"-min 10 -max 5", 2, "message sizes"},
		{"-time 1s http://127.0.0.1:1", 1, "cannot be reached"},
	} {
		var out bytes.Buffer
		if code := Command(strings.Fields(c.args), &out, &out); code != c.code || !strings.Contains(out.String(), c.says) {
			t.Errorf("soak %s: code %d, want %d and %q:\n%s", c.args, code, c.code, c.says, out.String())
		}
	}
}

func TestCommandJSON(t *testing.T) {
	var out bytes.Buffer
	code := Command(strings.Fields("-json -time 400ms -conns 8 -seed 3 -target nethttp -kinds post,ws,late-close,kept-request"), &out, io.Discard)
	var res struct {
		Verdict string
		Seed    uint64
		Total   struct{ Checked uint64 }
		Samples []struct{ T float64 }
	}
	if err := json.Unmarshal(out.Bytes(), &res); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	if code != 0 || res.Verdict != "clean" || res.Seed != 3 || res.Total.Checked == 0 || len(res.Samples) == 0 {
		t.Errorf("code %d: %+v", code, res)
	}
}
