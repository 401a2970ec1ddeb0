//go:build !strand_debug && linux && !strand_std

package sim

// failMemory does nothing: only the debug build can refuse Blocks.
func (w *world) failMemory(float64) (stop func()) { return func() {} }
