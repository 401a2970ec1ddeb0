//go:build !linux || strand_std

package poll

// Native reports whether Open returns a backend that watches descriptors.
const Native = false

// Open returns the platform's backend.
func Open() (Poller, error) { return NewPortable(), nil }
