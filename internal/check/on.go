//go:build strand_debug

package check

// Enabled reports whether this is the debug build.
const Enabled = true
