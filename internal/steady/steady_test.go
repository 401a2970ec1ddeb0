//go:build unix

package steady

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// told is the testing.TB that Try reports to.
type told struct {
	testing.TB
	errors, logs []string
	failed       bool
}

func (o *told) Helper()           {}
func (o *told) Error(args ...any) { o.errors = append(o.errors, fmt.Sprint(args...)) }
func (o *told) Errorf(format string, v ...any) {
	o.errors = append(o.errors, fmt.Sprintf(format, v...))
}
func (o *told) Fail()                        { o.failed = true }
func (o *told) Log(args ...any)              { o.logs = append(o.logs, fmt.Sprint(args...)) }
func (o *told) Logf(format string, v ...any) { o.logs = append(o.logs, fmt.Sprintf(format, v...)) }

// standStill stops the process for d.
func standStill(t *testing.T, d time.Duration) {
	t.Helper()
	script := fmt.Sprintf("kill -STOP %d; sleep %.3f; kill -CONT %[1]d", os.Getpid(), d.Seconds())
	if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestTry(t *testing.T) {
	const slack = 50 * time.Millisecond
	with := func(slack time.Duration, body func(testing.TB)) *told {
		o := &told{TB: t}
		Try(o, slack, body)
		return o
	}
	run := func(body func(testing.TB)) *told { return with(slack, body) }
	if o := run(func(testing.TB) {}); o.errors != nil || o.logs != nil {
		t.Errorf("a test that passes: %+v", o)
	}
	n := 0
	o := with(time.Minute, func(t testing.TB) { n++; t.Errorf("first"); t.Fatal("second"); n += 100 })
	if n != 1 || len(o.errors) != 1 || !strings.Contains(o.errors[0], "steady_test.go:") || !strings.Contains(o.errors[0], "first") ||
		!strings.Contains(o.errors[0], "second") {
		t.Errorf("a test that fails: %d tries, %+v", n, o)
	}
	n = 0
	o = run(func(tb testing.TB) {
		if n++; n < 3 {
			standStill(t, 2*slack)
			tb.Error("too late")
		}
	})
	if n != 3 || o.errors != nil || len(o.logs) != 2 || !strings.Contains(o.logs[1], "too late") {
		t.Errorf("a test that passes when the machine runs: %d tries, %+v", n, o)
	}
	n = 0
	o = run(func(tb testing.TB) { n++; standStill(t, 2*slack); tb.Error("too late") })
	if n != tries || len(o.errors) != 1 || !strings.Contains(o.errors[0], "in each of") {
		t.Errorf("a machine that never runs: %d tries, %+v", n, o)
	}
}

// TestCleanup wants every function called behind its own try, the last one first, one that fails, too.
func TestCleanup(t *testing.T) {
	var order []int
	o := &told{TB: t}
	Try(o, time.Minute, func(t testing.TB) {
		t.Cleanup(func() { order = append(order, 1) })
		t.Cleanup(func() { order = append(order, 2); t.Fatal("in a cleanup") })
		t.Cleanup(func() {
			order = append(order, 3)
			t.Cleanup(func() { order = append(order, 4) })
		})
	})
	if fmt.Sprint(order) != "[3 4 2 1]" || len(o.errors) != 1 || !strings.Contains(o.errors[0], "in a cleanup") {
		t.Errorf("%v, %+v", order, o)
	}
}

// TestEnds: a body that is ended otherwise than by its own t has not passed.
func TestEnds(t *testing.T) {
	o := &told{TB: t}
	Try(o, time.Minute, func(testing.TB) { runtime.Goexit() })
	if len(o.errors) != 1 || !strings.Contains(o.errors[0], "was ended") {
		t.Errorf("a body that ends its goroutine: %+v", o)
	}
	defer func() {
		if r := fmt.Sprint(recover()); !strings.Contains(r, "what went wrong") || !strings.Contains(r, "steady_test.go") {
			t.Errorf("a body that panics: %s", r)
		}
	}()
	Try(o, time.Second, func(t testing.TB) {
		t.Cleanup(func() { t.FailNow() })
		panic("what went wrong")
	})
}

// TestLate: what comes when all is over still fails the test; only the body's time counts.
func TestLate(t *testing.T) {
	o := &told{TB: t}
	var late testing.TB
	Try(o, time.Second, func(t testing.TB) { late = t })
	late.Error("late")
	if !o.failed || len(o.logs) != 1 || !strings.Contains(o.logs[0], "late") {
		t.Errorf("an error behind the end: %+v", o)
	}
	n := 0
	o = &told{TB: t}
	Try(o, time.Second, func(tb testing.TB) {
		n++
		tb.Cleanup(func() { standStill(t, 3*time.Second/2) })
		tb.Error("at once")
	})
	if n != 1 || len(o.errors) != 1 {
		t.Errorf("a machine that stands still behind the failure: %d tries, %+v", n, o)
	}
}
