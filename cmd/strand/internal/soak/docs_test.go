package soak

import (
	"os"
	"strings"
	"testing"
)

// Every kind has its row in the guide.
func TestDocsNameEveryKind(t *testing.T) {
	guide, err := os.ReadFile("../../../../docs/soak.md")
	if err != nil {
		t.Fatal(err)
	}
	for i := range kinds {
		if k := &kinds[i]; !k.inner && !strings.Contains(string(guide), "| `"+k.name+"` |") {
			t.Errorf("docs/soak.md has no row for %s", k.name)
		}
	}
}
