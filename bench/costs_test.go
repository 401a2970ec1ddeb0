package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/d74363f0/strand/bench/report"
)

func TestPartOf(t *testing.T) {
	for name, want := range map[string]string{
		"internal/runtime/syscall/linux.Syscall6": "system calls",
		"runtime.futex":                                           "system calls",
		"golang.org/x/sys/unix.Recvfrom":                          "system calls",
		"github.com/d74363f0/strand.(*Conn).Read":                 "strand",
		"github.com/d74363f0/strand/internal/buf.(*Block).Append": "strand",
		"github.com/d74363f0/strand/http1.(*conn).parse":          "strand",
		"github.com/d74363f0/strand/bench/app.Mux.func1":          "the server's own",
		"main.serveStrandWS":                                      "the server's own",
		"net/http.(*ServeMux).ServeHTTP":                          "standard library",
		"strings.Index":                                           "standard library",
		"crypto/internal/fips140/aes.encryptBlockAsm":             "crypto",
		"github.com/klauspost/compress/flate.(*fastEncL1).Encode": "deflate",
		"runtime.mallocgcSmallScanNoHeader":                       "memory and maps",
		"internal/runtime/maps.(*Iter).Next":                      "memory and maps",
		"runtime.gcDrain":                                         "collector",
		"runtime.scanobject":                                      "collector",
		"runtime.memmove":                                         "copying",
		"runtime.casgstatus":                                      "scheduler and the rest of the runtime",
		"sync.(*Mutex).Lock":                                      "scheduler and the rest of the runtime",
		"github.com/valyala/fasthttp.(*Server).serveConn":         "other libraries",
		"": "other libraries",
	} {
		if got := parts[partOf(profiled(name, 1))].name; got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
}

func profiled(name string, v int64) *profile.Sample {
	f := &profile.Function{ID: 1, Name: name}
	caller := &profile.Function{ID: 2, Name: "main.main"}
	return &profile.Sample{Value: []int64{1, v}, Location: []*profile.Location{
		{ID: 1, Line: []profile.Line{{Function: f}}}, {ID: 2, Line: []profile.Line{{Function: caller}}}}}
}

func TestCosts(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, profileName("r", "net/http")+".cpu"))
	if err != nil {
		t.Fatal(err)
	}
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}}}
	next := uint64(1)
	for name, v := range map[string]int64{"syscall.Syscall6": 750, "net/http.x": 200, "runtime.memmove": 50} {
		s := profiled(name, v)
		for _, l := range s.Location {
			l.ID, l.Line[0].Function.ID = next, next
			next++
			p.Location, p.Function = append(p.Location, l), append(p.Function, l.Line[0].Function)
		}
		p.Sample = append(p.Sample, s)
	}
	if err := p.Write(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "r-bad.cpu"), []byte("no profile"), 0o600); err != nil {
		t.Fatal(err)
	}
	rep := &report.Report{Rows: []report.Row{{Name: "r", Peers: []report.Result{{Peer: "net/http"}, {Peer: "none"}, {Peer: "bad"}}}}}
	var out bytes.Buffer
	if err := costs(&out, rep, dir); err == nil || !strings.Contains(err.Error(), "r-bad.cpu") {
		t.Errorf("of a file that is no profile: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if got := strings.Join(strings.Fields(lines[len(lines)-1]), " "); len(lines) != 3 || got != "r net/http 75 5 20" {
		t.Errorf("%q of\n%s", got, out.String())
	}
}
