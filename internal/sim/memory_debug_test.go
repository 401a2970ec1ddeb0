//go:build strand_debug && linux && !strand_std

package sim

import "github.com/d74363f0/strand/internal/buf"

// failMemory has the debug build refuse Blocks at random: the connection that
// asked may end, no other, and nothing may be lost but what it was sent.
func (w *world) failMemory(p float64) (stop func()) {
	buf.FailTakes(func(uint64) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.chance(p) {
			return false
		}
		w.log("no memory for a Block")
		for _, c := range w.clients { // whose it was is not known here
			c.spoiled = true
		}
		return true
	})
	return func() { buf.FailTakes(nil) }
}
