package house

import (
	"errors"
	"go/ast"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// limitsPage is where each limit has its row.
const limitsPage = "docs/limits.md"

// limitName matches the names of options that limit something. What is not such an option is in notLimits.
var limitName = regexp.MustCompile(`^Max[A-Z]|(Timeout|Limit|Rate|Interval)$`)

// notLimits lists fields that sound like a limit and are none, as "Type.Field".
var notLimits = map[string]bool{"Stats.MaxQueuedBytes": true, "Stats.MaxBlocks": true, "Stats.MaxBatch": true} // what was seen

func TestLimitsHaveRows(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(repoRoot, filepath.FromSlash(limitsPage)))
	if errors.Is(err, fs.ErrNotExist) {
		return // no page yet; the reading order names it, so it cannot go unnoticed once it is there
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sources(t) {
		for _, finding := range checkLimits(s, string(page)) {
			t.Error(finding)
		}
	}
}

// checkLimits wants each option that limits something named in a table row of the page, as `Field` or `Type.Field`.
func checkLimits(s *source, page string) []string {
	if !exported(s) || s.module != "." {
		return nil
	}
	var findings []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || !spec.Name.IsExported() {
			return true
		}
		fields, ok := spec.Type.(*ast.StructType)
		if !ok {
			return true
		}
		for _, field := range fields.Fields.List {
			for _, name := range field.Names {
				full := spec.Name.Name + "." + name.Name
				if limitName.MatchString(name.Name) && !notLimits[full] && !hasRow(page, name.Name) {
					findings = append(findings, s.at(name.Pos(), "%s has no row in %s: say what it limits, its default, and "+
						"which test holds it (or name it in notLimits in internal/house)", full, limitsPage))
				}
			}
		}
		return true
	})
	return findings
}

// hasRow says whether a row of a table names the field in code type.
func hasRow(page, field string) bool {
	named := regexp.MustCompile("`([\\w/]+\\.)*" + regexp.QuoteMeta(field) + "`")
	for line := range strings.Lines(page) {
		if strings.HasPrefix(strings.TrimSpace(line), "|") && named.MatchString(line) {
			return true
		}
	}
	return false
}

func TestLimitsBite(t *testing.T) {
	const page = "# Limits\n\n`MaxConns` is described.\n\n| `Options.MaxQueued` | 1 MiB |\n| `http1.Server.IdleTimeout` | off |\n"
	cases := []struct {
		path, field string
		want        bool // missing
	}{
		{"engine.go", "MaxConns", true},
		{"engine.go", "MaxQueued", false},
		{"http1/server.go", "IdleTimeout", false},
		{"http1/server.go", "ReadTimeout", true},
		{"http1/server.go", "Maximal", false},
		{"http1/server.go", "Queued", false},
		{"internal/loop/loop.go", "MaxConns", false},
	}
	for _, c := range cases {
		s := parsed(t, sample{c.path, "package p\n\ntype Options struct{ " + c.field + " int }\n"})
		if findings := checkLimits(s, page); (len(findings) > 0) != c.want {
			t.Errorf("%s in %s: missing %v, want %v %q", c.field, c.path, !c.want, c.want, findings)
		}
	}
}
