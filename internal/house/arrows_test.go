package house

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// arrows is the drawing: what the files of each core package may import, tests apart. A directory stands for the
// core's package in it ("." is the root), anything else for a module from outside. The standard library is open to
// all but the packages in closedStd. internal/check lies below everything and needs no arrow.
var arrows = map[string][]string{
	"websocket/hub":  {"websocket"},
	"websocket":      {".", "internal/ws", "github.com/klauspost/compress"},
	"http1":          {".", "internal/h1", "internal/buf"},
	".":              {"internal/loop", "internal/poll", "internal/sock", "internal/buf"},
	"internal/loop":  {"internal/poll"},
	"internal/poll":  {"golang.org/x/sys"},
	"internal/sock":  {"golang.org/x/sys"},
	"internal/buf":   {"golang.org/x/sys"}, // guard_linux.go alone, by kernelFiles
	"internal/h1":    {},
	"internal/ws":    {},
	"internal/check": {},
}

// testOnly lists the packages that only tests import. They may import anything; nothing that ships may import them.
var testOnly = []string{"internal/house", "internal/sim", "internal/mutate", "internal/quiet", "internal/steady"}

// closedStd lists what a package may not import from the standard library: the loop does not know what a socket
// is; the grammar cannot block, time or lock.
var closedStd = map[string][]string{
	"internal/loop": {"net", "net/http", "crypto/tls"},
	"internal/h1":   {"net", "os", "time", "sync", "context", "syscall", "bufio"},
	"internal/ws":   {"net", "os", "time", "sync", "context", "syscall", "bufio"},
}

func TestArrows(t *testing.T) {
	for _, finding := range checkArrows(sources(t)) {
		t.Error(finding)
	}
}

// checkArrows compares the imports of every file that ships with the tables.
func checkArrows(all []*source) []string {
	var findings []string
	for _, s := range all {
		if s.test() || s.coreDirIn(testOnly) {
			continue
		}
		if _, known := arrows[s.dir()]; s.module == "." && !known {
			findings = append(findings, s.at(s.file.Package, "package %q is not in the drawing: give it a row in "+
				"arrows (internal/house/arrows_test.go) and a line in docs/design.md, in the commit that brings it", s.dir()))
			continue
		}
		for i, imported := range s.imports() {
			if why := refuse(s, imported); why != "" {
				findings = append(findings, s.at(s.file.Imports[i].Pos(), "%s", why))
			}
		}
	}
	return findings
}

// refuse says why a file may not import the path, "" if it may.
func refuse(s *source, imported string) string {
	inner, core := coreDir(imported)
	if s.module != "." {
		if core && !within(inner, s.module) && strings.Contains("/"+inner+"/", "/internal/") {
			return fmt.Sprintf("module %s imports %s: modules beside the core see what users see; use the exported "+
				"packages, and if they do not suffice, that is a gap in them", s.module, imported)
		}
		return ""
	}
	if !core && isStd(imported) {
		if slices.Contains(closedStd[s.dir()], imported) {
			return fmt.Sprintf("package %q may not import %s (closedStd in internal/house): leave this to the package "+
				"above it", s.dir(), imported)
		}
		return ""
	}
	if core && inner == "internal/check" {
		return ""
	}
	for _, to := range arrows[s.dir()] {
		if core && to == inner || !core && within(imported, to) {
			return ""
		}
	}
	return fmt.Sprintf("package %q imports %s, and the drawing has no such arrow: move the code to the side that may, "+
		"or, if the arrow is right, add it to arrows (internal/house/arrows_test.go) and docs/design.md and say why "+
		"in the commit", s.dir(), imported)
}

// coreDir returns the directory of a package of the core's import path and whether it has one.
func coreDir(imported string) (string, bool) {
	if imported == corePath {
		return ".", true
	}
	return strings.CutPrefix(imported, corePath+"/")
}

// isStd says whether the path belongs to the standard library: its first element has no dot.
func isStd(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".") && imported != "C"
}

// within says whether the path is the module's or below it.
func within(imported, module string) bool {
	return imported == module || strings.HasPrefix(imported, module+"/")
}

// TestGoListAgrees compares what this package reads with what the go command reports, so that a rule cannot pass
// because the walk overlooked something.
func TestGoListAgrees(t *testing.T) {
	seen := make(map[string][]string)
	for _, s := range sources(t) {
		if !s.test() {
			seen[s.dir()] = append(seen[s.dir()], s.imports()...)
		}
	}
	for _, pkg := range goList(t) {
		rel, err := filepath.Rel(absolute(t, repoRoot), pkg.Dir)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.ToSlash(rel)
		imports, ok := seen[dir]
		if !ok && len(pkg.GoFiles) > 0 {
			t.Errorf("go list knows package %s, this test has not read it", pkg.ImportPath)
		}
		for _, imported := range pkg.Imports {
			if !slices.Contains(imports, imported) {
				t.Errorf("go list says that %s imports %s; this test has not seen it", pkg.ImportPath, imported)
			}
		}
	}
}

// apart is the module that needs what go.work would replace; scripts/lib.sh names it, too, and tests it.
const apart = "bench/defect"

// TestWorkspace wants every other module of the repository in go.work: one that is left out would be tested by nobody.
func TestWorkspace(t *testing.T) {
	joined := make(map[string]bool)
	for dir := range strings.Lines(string(run(t, "go", "list", "-m", "-f", "{{.Dir}}"))) {
		joined[strings.TrimSpace(dir)] = true
	}
	for _, s := range sources(t) {
		if dir := absolute(t, filepath.Join(repoRoot, s.module)); !joined[dir] && s.module != apart {
			joined[dir] = true // said once
			t.Errorf("module %s is not in go.work: run go work use ./%s", s.module, s.module)
		}
	}
}

// listed is the part of go list's answer that is used here.
type listed struct {
	Dir, ImportPath  string
	GoFiles, Imports []string
}

// goList asks the go command for every package of every module that go.work joins.
func goList(t *testing.T) []listed {
	t.Helper()
	args := []string{"list", "-e", "-json=Dir,ImportPath,GoFiles,Imports"}
	for dir := range strings.Lines(string(run(t, "go", "list", "-m", "-f", "{{.Dir}}"))) {
		args = append(args, strings.TrimSpace(dir)+"/...")
	}
	var packages []listed
	decoder := json.NewDecoder(bytes.NewReader(run(t, "go", args...)))
	for {
		var pkg listed
		err := decoder.Decode(&pkg)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, pkg)
	}
	if len(packages) == 0 {
		t.Fatal("go list knows no package")
	}
	return packages
}

// run runs a command in the repository's root and returns what it prints.
func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stderr = repoRoot, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, &stderr)
	}
	return out
}

// absolute returns the path without relation to the working directory.
func absolute(t *testing.T, name string) string {
	t.Helper()
	abs, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

func TestArrowsBite(t *testing.T) {
	const core = corePath
	cases := []struct {
		dir, module, imported string
		want                  bool // refused
	}{
		{"internal/buf", ".", core + "/internal/sock", true},
		{"internal/buf", ".", core + "/internal/check", false},
		{"internal/buf", ".", "sync", false},
		{"internal/loop", ".", core + "/internal/sock", true},
		{"internal/loop", ".", core + "/internal/poll", false},
		{"internal/loop", ".", "net", true},
		{"internal/ws", ".", "time", true},
		{"internal/h1", ".", "net/textproto", false},
		{"internal/poll", ".", "golang.org/x/sys/unix", false},
		{"internal/poll", ".", "golang.org/x/system", true},
		{".", ".", "golang.org/x/sys/unix", true},
		{".", ".", core + "/http1", true},
		{".", ".", core + "/internal/sim", true},
		{"http1", ".", core, false},
		{"http1", ".", core + "/internal/h1", false},
		{"http1", ".", core + "/internal/loop", true},
		{"websocket", ".", core + "/http1", true},
		{"websocket/hub", ".", core, true},
		{"internal/new", ".", "fmt", true},
		{"internal/sim", ".", core + "/internal/sock", false},
		{"cmd/strand", "cmd/strand", core + "/internal/buf", true},
		{"cmd/strand", "cmd/strand", core + "/http1", false},
		{"cmd/strand", "cmd/strand", core + "/cmd/strand/internal/soak", false},
		{"bench", "bench", core + "/cmd/strand/internal/soak", true},
		{"bench", "bench", "github.com/valyala/fasthttp", false},
	}
	for _, c := range cases {
		text := fmt.Sprintf("package p\n\nimport _ %q\n", c.imported)
		s, err := parseSource(path.Join(c.dir, "p.go"), text)
		if err != nil {
			t.Fatal(err)
		}
		s.module = c.module
		if findings := checkArrows([]*source{s}); (len(findings) > 0) != c.want {
			t.Errorf("%s imports %s: refused %v, want %v %q", c.dir, c.imported, !c.want, c.want, findings)
		}
	}
}
