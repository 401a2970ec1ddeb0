package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

var (
	only    = flag.String("run", "", "only mutants of files, or of descriptions, that match this expression")
	workers = flag.Int("j", 2, "how many mutants at a time")
	write   = flag.Bool("write", false, "write docs/mutants.md")
)

// result is what became of a mutant.
type result struct {
	mutant
	killer string // the command that failed; "" if none did
	broken string // why the mutant could not be tried
	took   time.Duration
}

func main() {
	flag.Parse()
	results, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
	bad := 0
	for _, r := range results {
		if r.broken != "" || r.killer == "" && r.lives == "" {
			bad++
			fmt.Printf("NOT KILLED %s: %s %s\n", r.file, r.what, r.broken)
		}
	}
	fmt.Printf("%d mutants, %d not killed without a reason\n", len(results), bad)
	if *write {
		if err := os.WriteFile("docs/mutants.md", page(results), 0o666); err != nil {
			fmt.Fprintln(os.Stderr, "mutate:", err)
			os.Exit(1)
		}
	}
	if bad > 0 {
		os.Exit(1)
	}
}

// run tries the mutants that were asked for.
func run() ([]result, error) {
	re, err := regexp.Compile(*only)
	if err != nil {
		return nil, err
	}
	var results []result
	for _, m := range mutants {
		if re.MatchString(m.file) || re.MatchString(m.what) {
			results = append(results, result{mutant: m})
		}
	}
	jobs := make(chan *result)
	var wg sync.WaitGroup
	var failed error
	var once sync.Once
	for range *workers {
		wg.Go(func() {
			dir, err := copyTree()
			if err != nil {
				once.Do(func() { failed = err })
			}
			defer os.RemoveAll(dir)
			for r := range jobs {
				if err == nil {
					r.try(dir)
					r.print()
				}
			}
		})
	}
	for i := range results {
		jobs <- &results[i]
	}
	close(jobs)
	wg.Wait()
	return results, failed
}

func (r *result) print() {
	verdict := "killed by " + r.killer
	if r.killer == "" {
		verdict = "LIVES " + r.broken
	}
	fmt.Printf("%-24s %-70s %s (%.0fs)\n", r.file, r.what, verdict, r.took.Seconds())
}

// copyTree copies the root module to a new directory.
func copyTree() (string, error) {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return dir, err
	}
	out, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "*.go", "go.mod", "go.sum", "http1", "websocket", "internal").Output()
	if err != nil {
		return dir, err
	}
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSpace(name)
		if first, _, nested := strings.Cut(name, "/"); nested && !slices.Contains([]string{"http1", "websocket", "internal"}, first) {
			continue // another module
		}
		text, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue // deleted, and not yet committed
		}
		if err != nil {
			return dir, err
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			return dir, err
		}
		if err := os.WriteFile(to, text, 0o666); err != nil {
			return dir, err
		}
	}
	return dir, nil
}

// try applies the mutant in dir, runs the tests, and undoes it.
func (r *result) try(dir string) {
	began := time.Now()
	defer func() { r.took = time.Since(began) }()
	path := filepath.Join(dir, r.file)
	text, err := os.ReadFile(path)
	if err != nil {
		r.broken = err.Error()
		return
	}
	if n := strings.Count(string(text), r.find); n != 1 {
		r.broken = fmt.Sprintf("(its line occurs %d times)", n)
		return
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), r.find, r.replace, 1)), 0o666); err != nil {
		r.broken = err.Error()
		return
	}
	defer os.WriteFile(path, text, 0o666)
	if _, err := command(dir, "go", "vet", "./"+filepath.Dir(r.file)); err != nil {
		// Vet may dislike what a mutant does; what does not build is not one.
		if out, err := command(dir, "go", "build", "./..."); err != nil {
			r.broken = "(it does not build: " + string(bytes.TrimSpace(out)) + ")"
			return
		}
	}
	for _, args := range r.tests() {
		limit := "-timeout=120s"
		if args[0] != "./internal/sim" && strings.HasPrefix(args[0], "./internal/") {
			limit = "-timeout=40s" // they take a second or two
		}
		if _, err := command(dir, "go", append([]string{"test", "-count=1", "-vet=off", limit}, args...)...); err != nil {
			r.killer = "`go test " + strings.Join(args, " ") + "`"
			return
		}
	}
}

// tests returns the arguments of the tests to be run, the likeliest killer
// first.
func (r *result) tests() [][]string {
	var out [][]string
	own := "./" + filepath.Dir(r.file)
	if strings.HasPrefix(own, "./internal/") {
		out = append(out, []string{own})
	}
	out = append(out, []string{"./internal/sim", "-sim.seeds=3000"})
	if own == "./http1" || own == "./websocket" {
		out = append(out, []string{own})
	}
	return append(out, []string{"."})
}

func command(dir, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.WaitDelay = 5 * time.Second
	return cmd.CombinedOutput()
}

// page is docs/mutants.md.
func page(results []result) []byte {
	var b bytes.Buffer
	b.WriteString("# Mutants\n\nOne line of the core broken at a time, and the project's own test that notices. Written by `make mutants`;\n" +
		"the table is in `internal/mutate`. A mutant that lives has its reason here, or fails the run.\n\n" +
		"| # | file | what is broken | killed by |\n| --- | --- | --- | --- |\n")
	for i, r := range results {
		verdict := r.killer
		if r.killer == "" {
			verdict = "**lives**: " + r.lives + r.broken
		}
		fmt.Fprintf(&b, "| %d | `%s` | %s | %s |\n", i+1, r.file, r.what, verdict)
	}
	return b.Bytes()
}
