#!/usr/bin/env bash
# The simulated kernel, many seeds: SEEDS of them (100,000), from FROM on (1), a process for each processor. A seed
# that fails says how to see it.
source "$(dirname "$0")/lib.sh"

SEEDS=${SEEDS:-100000}
FROM=${FROM:-1}
PROCS=${PROCS:-$(nproc)}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go test -c -o "$dir/sim.test" ./internal/sim

each=$(((SEEDS + PROCS - 1) / PROCS))
pids=()
for ((i = 0; i < PROCS; i++)); do
	"$dir/sim.test" -test.run 'TestSim$' -test.v -test.timeout 30m \
		-sim.from $((FROM + i * each)) -sim.seeds $each >"$dir/$i.log" 2>&1 &
	pids+=($!)
done
failed=0
for i in "${!pids[@]}"; do
	if ! wait "${pids[$i]}"; then
		failed=1
		cat "$dir/$i.log"
	fi
done
[ $failed -eq 0 ] && cat "$dir"/*.log | grep 'seeds from'
exit $failed
