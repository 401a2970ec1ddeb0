// Package check holds the assertions and the poison of the debug build (build
// tag strand_debug). In a release build Enabled is a false constant and every
// check behind it costs nothing.
package check

// Poison is the byte that fills a released Block in the debug build.
const Poison = 0xDB
