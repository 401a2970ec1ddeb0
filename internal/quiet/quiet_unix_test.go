//go:build unix

package quiet

import (
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/d74363f0/strand/internal/steady"
)

func TestMain(m *testing.M) { os.Exit(Run(m)) }

// passed are tests that pass and leave a goroutine behind.
type passed struct{ leave func() }

func (p passed) Run() int {
	go p.leave()
	return 0
}

// A goroutine that waits is no reason to fail; one that goes in circles is.
func TestRun(t *testing.T) {
	defer func(n int) { windows = n }(windows)
	windows = 3
	stop := make(chan struct{})
	defer close(stop)
	if code := Run(passed{func() { <-stop }}); code != 0 {
		t.Errorf("beside a goroutine that waits: %d", code)
	}
	steady.Try(t, window/2, func(t testing.TB) { // a process that stands still does not go in circles
		var over atomic.Bool
		var spinning sync.WaitGroup
		spinning.Add(1)
		if code := Run(passed{func() {
			defer spinning.Done()
			for !over.Load() {
			}
		}}); code != 1 {
			t.Errorf("beside a goroutine that spins: %d", code)
		}
		over.Store(true)
		spinning.Wait()
	})
}
