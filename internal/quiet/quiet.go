// Package quiet is for tests: when all of a package's have run, nothing of them may
// still be busy. A goroutine that waits costs nothing and may be left; one that goes
// in circles, a reader behind the end of its connection perhaps, fails the run.
package quiet

import (
	"fmt"
	"os"
	"runtime/pprof"
	"time"
)

// How the process is looked at: it must be idle, but for a tenth of a core, in one of
// several windows, for what ends with the tests may take its time.
const (
	window = 200 * time.Millisecond
	most   = window / 10
)

var windows = 50

// Run runs the tests, wants quiet behind them if they passed, and returns the exit code.
func Run(tests interface{ Run() int }) int {
	code := tests.Run()
	if code != 0 || !known {
		return code
	}
	var used time.Duration
	for range windows {
		before := spent()
		time.Sleep(window)
		if used = spent() - before; used < most {
			return 0
		}
	}
	fmt.Fprintf(os.Stderr, "FAIL: all tests have run, and the process is still busy: %v of %v\n", used, window)
	_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
	return 1
}
