package house

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

var (
	fences = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```[ \t]*$")
	links  = regexp.MustCompile(`\]\(\s*<?([^)>\s]+)>?[^)]*\)`)
)

func TestLinks(t *testing.T) {
	tree := os.DirFS(repoRoot)
	pages, err := documents(tree)
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) == 0 {
		t.Fatal("no page found")
	}
	for _, page := range pages {
		text, err := fs.ReadFile(tree, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, finding := range checkLinks(tree, page, string(text)) {
			t.Error(finding)
		}
	}
}

// documents lists the pages that people read: those at the root, below docs, and each directory's own README.
func documents(tree fs.FS) ([]string, error) {
	var pages []string
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != "." && skippedDir(entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) == ".md" {
			pages = append(pages, name)
		}
		return nil
	})
	return pages, err
}

// checkLinks looks up every relative link of a page. Code in fences has no links.
func checkLinks(tree fs.FS, page, text string) []string {
	var findings []string
	text = fences.ReplaceAllStringFunc(text, func(code string) string { return strings.Repeat("\n", strings.Count(code, "\n")) })
	for i, line := range strings.Split(text, "\n") {
		for _, match := range links.FindAllStringSubmatch(line, -1) {
			u, err := url.Parse(match[1])
			if err != nil {
				findings = append(findings, fmt.Sprintf("%s:%d: %s is no link: %v", page, i+1, match[1], err))
				continue
			}
			if u.Scheme != "" || u.Host != "" || u.Path == "" {
				continue
			}
			target := path.Join(path.Dir(page), u.Path)
			if _, err := fs.Stat(tree, filepath.ToSlash(target)); err != nil {
				findings = append(findings, fmt.Sprintf("%s:%d: link to %s: %v", page, i+1, match[1], errors.Unwrap(err)))
			}
		}
	}
	return findings
}

func TestLinksBite(t *testing.T) {
	tree := fstest.MapFS{"docs/design.md": {}, "conn.go": {}}
	bad := []string{
		"see [limits](limits.md)",
		"see [limits](../limits.md#rows)",
		"[a](design.md) and [b](<gone.md> \"title\")",
		"[up](../../conn.go)",
	}
	for _, text := range bad {
		if len(checkLinks(tree, "docs/locks.md", text)) == 0 {
			t.Errorf("not found: %s", text)
		}
	}
	good := []string{
		"see [design](design.md), [part](design.md#two) and [below](#three)",
		"[code](../conn.go) [dir](../docs)",
		"[web](https://example.com/gone.md)",
		"```\n[code](gone.md)\n```\n",
	}
	for _, text := range good {
		if findings := checkLinks(tree, "docs/locks.md", text); len(findings) > 0 {
			t.Errorf("found %q in: %s", findings, text)
		}
	}
}
