package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A result is what strand soak says of one server; the fields are those of its
// -json that are shown here.
type result struct {
	Library  string `json:"-"`
	Exit     int    `json:"-"`
	Verdict  string `json:"verdict"`
	Total    counts `json:"total"`
	Findings []struct {
		Class    string   `json:"class"`
		Victim   string   `json:"victim"`
		Culprits []string `json:"culprits"`
	} `json:"findings"`
}

// counts are soak's numbers of messages.
type counts struct {
	Checked    uint64 `json:"checked"`
	Foreign    uint64 `json:"foreign"`
	Lost       uint64 `json:"lost"`
	Damaged    uint64 `json:"damaged"`
	Duplicated uint64 `json:"duplicated"`
	Reordered  uint64 `json:"reordered"`
}

// caught reports whether something foreign was found, and the exit code says so.
func (r *result) caught() bool { return r.Exit == 1 && r.Total.Foreign > 0 }

// clean reports whether messages were checked and nothing at all was found.
func (r *result) clean() bool { return r.Exit == 0 && r.Verdict == "clean" && r.Total.Checked > 0 }

// example is a line about one foreign message, or nothing.
func (r *result) example() string {
	for _, f := range r.Findings {
		if f.Class == "foreign" && len(f.Culprits) > 0 {
			return fmt.Sprintf("%s received bytes of %s", f.Victim, strings.Join(f.Culprits, ", "))
		}
	}
	return ""
}

// build compiles cmd/strand into dir and returns the program's path.
func build(ctx context.Context, dir string) (string, error) {
	// Its directory, because cmd/strand is a module of its own: an import path
	// is enough only where a workspace joins the two.
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/d74363f0/strand").Output()
	if err != nil {
		return "", fmt.Errorf("looking for the module: %w", err)
	}
	program := filepath.Join(dir, "strand")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
	cmd.Dir = filepath.Join(strings.TrimSpace(string(root)), "cmd", "strand")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building strand: %w\n%s", err, out)
	}
	return program, nil
}

// soak starts a server on library and lets program (strand) soak it for length.
func soak(ctx context.Context, program, library string, length time.Duration) (*result, error) {
	addr, stop, err := start(ctx, library)
	if err != nil {
		return nil, err
	}
	defer stop()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "soak", "-json", "-kinds", "pipeline", "-conns", "100",
		"-min", "1000", "-max", "65536", "-time", length.String(), "-timeout", "3s", "http://"+addr)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	r := &result{Library: library, Exit: cmd.ProcessState.ExitCode()}
	if err := json.Unmarshal(out.Bytes(), r); err != nil {
		return nil, fmt.Errorf("strand soak did not run against %s (exit %d): %s", library, r.Exit, errs.String())
	}
	return r, nil
}

// catch soaks nbio until it is caught, three times at the most: two requests
// have to overlap within microseconds.
func catch(ctx context.Context, program string, length time.Duration) (*result, error) {
	var r *result
	for range 3 {
		var err error
		if r, err = soak(ctx, program, "nbio", length); err != nil || r.caught() {
			return r, err
		}
	}
	return r, nil
}
