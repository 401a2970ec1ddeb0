// Command mutate breaks the core on purpose, one line at a time, and reports
// whether the project's own tests notice:
//
//	make mutants
//
// Each mutant of the table is applied to a copy of the tree, built, and tested,
// an internal package's own tests first, then the simulation, then http1's or
// websocket's for their files, and the root's last. It is killed by the first test that fails or does not end. A mutant
// that nobody kills, and of which the table does not say why that is right, fails
// the run. docs/mutants.md is written by it (-write).
package main
