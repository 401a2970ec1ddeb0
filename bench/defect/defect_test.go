package main

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// TestMain lets the test binary be the servers that the tests start.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		if err := dispatch(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// The check finds what is known to be wrong, and does not find it in strand.
func TestSoakCatchesThePublishedDefect(t *testing.T) {
	const length = 2 * time.Second
	program, err := build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("nbio", func(t *testing.T) {
		r, err := catch(t.Context(), program, length)
		if err != nil {
			t.Fatal(err)
		}
		if !r.caught() || r.example() == "" {
			t.Errorf("nothing foreign in three runs: exit %d, %s, %+v", r.Exit, r.Verdict, r.Total)
		}
	})
	t.Run("strand", func(t *testing.T) {
		r, err := soak(t.Context(), program, "strand", length)
		if err != nil {
			t.Fatal(err)
		}
		if !r.clean() {
			t.Errorf("exit %d, %s, %+v", r.Exit, r.Verdict, r.Total)
		}
	})
}
