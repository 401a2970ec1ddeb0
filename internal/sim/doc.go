// Package sim runs engines, http1 and websocket, unmodified, on a simulated
// kernel. It is tests only:
//
//	go test ./internal/sim -run TestSim -sim.seeds=100000     the many seeds of CI
//	go test ./internal/sim -run TestSim -sim.seed=N -sim.v    one seed as a trace
//
// One seed decides everything: the order in which goroutines go on, how bytes
// are split, merged and delayed, every fault, every event, and the clock. What
// would run by itself on a machine waits here for its turn: loops wait in the
// simulated poller, goroutines of the library wait where they begin and where
// they have waited (internal/loop.Sim), reads can be held up inside the system
// call, and the clock is that of a testing/synctest bubble, which moves only
// when the simulation says so. Exactly one goroutine goes on at a time, until it
// waits again; then every invariant is checked and the next one is drawn.
//
// Handlers that block are part of the simulated set: they hand their loop over,
// or are noticed by the watchdog, whose look is one more thing that is drawn.
// Goroutines that a handler starts ask for a turn first.
//
// The kernel complains of what no kernel would: a call on a closed descriptor or
// on another's, a close while a call is in flight or the poller still watches, a
// write behind a shutdown. The clients complain of any byte that is not theirs,
// missing or doubled. The handlers complain of callbacks that overlap, come
// before OnOpen, twice or after OnClose. When all is quiet, an idle connection
// may hold no Block, nothing may spin, and nobody may wait for what has come.
package sim
