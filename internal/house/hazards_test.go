package house

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const hazardsPage = "docs/hazards.md"

var (
	hazardRow  = regexp.MustCompile(`(?m)^\| (\d+) \|.*$`)
	hazardCite = regexp.MustCompile(`[Hh]azards? (\d+(?:(?:, and |, | and | to |-)\d+)*)`)
	hazardSeps = regexp.MustCompile(`, and |, | and `)
)

// moot is what the page says of a hazard that cannot be met here.
const moot = "does not arise"

// TestHazards holds the list of hazards and the tests that cite it to each other.
func TestHazards(t *testing.T) {
	findings, err := checkHazards(os.DirFS(repoRoot))
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range findings {
		t.Error(finding)
	}
}

func checkHazards(tree fs.FS) (findings []string, err error) {
	page, err := fs.ReadFile(tree, hazardsPage)
	if err != nil {
		return nil, err
	}
	shown, err := citedHazards(tree)
	if err != nil {
		return nil, err
	}
	listed := map[int]bool{}
	for _, row := range hazardRow.FindAllStringSubmatch(string(page), -1) {
		n, _ := strconv.Atoi(row[1]) // digits
		if listed[n] {
			findings = append(findings, fmt.Sprintf("%s: two hazards have the number %d", hazardsPage, n))
		}
		listed[n] = true
		if test := shown[n]; (test == "") != strings.Contains(row[0], moot) {
			findings = append(findings, fmt.Sprintf("%s: hazard %d is cited by %q; a hazard has a test, or the list says that it %s", hazardsPage, n, test, moot))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(shown)) {
		if !listed[n] {
			findings = append(findings, fmt.Sprintf("%s: cites hazard %d, which %s does not list", shown[n], n, hazardsPage))
		}
	}
	return findings, nil
}

// citedHazards returns for each hazard that a test cites one such file.
func citedHazards(tree fs.FS) (map[int]string, error) {
	cited := map[int]string{}
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && skippedDir(entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, "_test.go") || path.Base(name) == "hazards_test.go" && path.Base(path.Dir(name)) == "house":
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		for _, m := range hazardCite.FindAllStringSubmatch(string(text), -1) {
			for _, part := range hazardSeps.Split(m[1], -1) {
				first, last, isRange := strings.Cut(strings.ReplaceAll(part, " to ", "-"), "-")
				from, _ := strconv.Atoi(first) // digits
				to := from
				if isRange {
					to, _ = strconv.Atoi(last)
				}
				for n := from; n <= to; n++ {
					cited[n] = name
				}
			}
		}
		return nil
	})
	return cited, err
}

func TestHazardsSelf(t *testing.T) {
	tree := fstest.MapFS{
		hazardsPage: {Data: []byte("| 1 | a | b | |\n| 2 | a | does not arise: c | |\n| 3 | a | b | |\n| 4 | a | b | |\n| 4 | a | b | |\n")},
		"a_test.go": {Data: []byte("// hazards 1 and 4-5, 7 to 8\n// hazard 2\n")},
		"a.go":      {Data: []byte("// hazard 3\n")},
	}
	findings, err := checkHazards(tree)
	if err != nil {
		t.Fatal(err)
	}
	// 2 is said not to arise, 3 has no test, 4 is listed twice, 5, 7 and 8 are not listed.
	if len(findings) != 6 {
		t.Errorf("%d findings:\n%s", len(findings), strings.Join(findings, "\n"))
	}
}
