//go:build unix

package quiet

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Run(m)) }

type passed struct{ leave func() }

func (p passed) Run() int {
	p.leave()
	return 0
}

// A goroutine that waits is no reason to fail; one that goes in circles is.
func TestRun(t *testing.T) {
	stop := make(chan struct{})
	if code := Run(passed{func() { go func() { <-stop }() }}); code != 0 {
		t.Errorf("beside a goroutine that waits: %d", code)
	}
	done := make(chan struct{})
	spin := func() {
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
	}
	defer func(n int) { windows = n }(windows)
	windows = 3
	if code := Run(passed{spin}); code != 1 {
		t.Errorf("beside a goroutine that spins: %d", code)
	}
	close(stop)
	<-done
}
