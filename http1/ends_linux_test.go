//go:build !strand_std

package http1

import "testing"

// While a client reads, the lingering does not end, though it goes on sending. The portable transport does not know what a
// client acknowledges.
func TestLingerAndAReaderWhoSends(t *testing.T) { // hazard 84
	t.Parallel()
	lingers(t, false, true)
}
