//go:build linux && !strand_std

package sim

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seedFlag  = flag.Uint64("sim.seed", 0, "run this seed only")
	seedsFlag = flag.Int("sim.seeds", 1000, "how many seeds to run")
	fromFlag  = flag.Uint64("sim.from", 1, "the first of the seeds")
	traceFlag = flag.Bool("sim.v", false, "print the trace of each run")
)

func TestMain(m *testing.M) {
	flag.Parse()
	runtime.GOMAXPROCS(1) // one goroutine goes on at a time anyway
	os.Exit(m.Run())
}

// once runs one seed and returns its world.
func once(t *testing.T, seed uint64) *world {
	t.Helper()
	return crowded(t, seed, 0)
}

// crowded runs one seed with so many clients at least.
func crowded(t *testing.T, seed uint64, clients int) *world {
	t.Helper()
	var out io.Writer
	if *traceFlag {
		out = os.Stdout
	}
	var w *world
	alarm := time.AfterFunc(15*time.Second+time.Duration(clients)*100*time.Millisecond, func() { // the machine's clock: we are outside of the bubble
		buf := make([]byte, 1<<20)
		fmt.Fprintf(os.Stderr, "sim: seed %d hangs\n\n%s", seed, buf[:runtime.Stack(buf, true)])
		os.Exit(1)
	})
	defer alarm.Stop()
	synctest.Test(t, func(*testing.T) {
		w = newWorld(seed, out)
		w.atLeast = clients
		w.run()
	})
	return w
}

// TestSim runs many seeds. Hazards 131 to 149, 163 to 182, as far as the order
// of events decides them.
func TestSim(t *testing.T) {
	if *seedFlag != 0 {
		w := once(t, *seedFlag)
		fmt.Printf("seed %d: %d steps, trace %x\n", *seedFlag, w.steps, w.trace.sum)
		return
	}
	began := time.Now()
	steps := 0
	for i := range uint64(*seedsFlag) {
		steps += once(t, *fromFlag+i).steps
	}
	t.Logf("%d seeds from %d on, %d steps, %v", *seedsFlag, *fromFlag, steps, time.Since(began).Round(time.Millisecond))
}

// TestSimCrowd runs with many more connections than a seed would choose.
func TestSimCrowd(t *testing.T) {
	for seed := *fromFlag; seed < *fromFlag+2; seed++ {
		w := crowded(t, seed, 2000)
		t.Logf("seed %d: %d clients, %d steps", seed, len(w.clients), w.steps)
	}
}

// TestSimRepeats runs seeds twice: a failure that cannot be repeated is worth
// little.
func TestSimRepeats(t *testing.T) {
	for seed := uint64(1); seed <= 60; seed++ {
		a, b := once(t, seed), once(t, seed)
		if a.trace.sum != b.trace.sum || a.steps != b.steps {
			t.Errorf("seed %d: %d steps and trace %x, then %d and %x", seed, a.steps, a.trace.sum, b.steps, b.trace.sum)
		}
	}
}
