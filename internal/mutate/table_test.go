package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTable wants each mutant to fit the tree as it is: an edit of a line that
// a mutant breaks must bring the table along.
func TestTable(t *testing.T) {
	if len(mutants) < 25 {
		t.Errorf("%d mutants are few", len(mutants))
	}
	for _, m := range mutants {
		text, err := os.ReadFile(filepath.Join("..", "..", m.file))
		if err != nil {
			t.Error(err)
			continue
		}
		if n := strings.Count(string(text), m.find); n != 1 {
			t.Errorf("%s, %s: its line occurs %d times and not once", m.file, m.what, n)
		}
		if m.find == m.replace || m.what == "" {
			t.Errorf("%s: %q changes nothing, or nobody knows what", m.file, m.find)
		}
	}
}
