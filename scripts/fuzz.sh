#!/usr/bin/env bash
# Every fuzz target of every module, one after the other.
# FUZZTIME: seconds for each target. Without it the targets share FUZZBUDGET seconds, at most 3 s each.
source "$(dirname "$0")/lib.sh"

FUZZBUDGET=${FUZZBUDGET:-90}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# targets prints "directory FuzzName" a line. go test -list is asked only where grep has seen one.
targets() {
	local dirs dir names name
	dirs=$(grep -rlE --include='*_test.go' '^func Fuzz[A-Z0-9_]' . | xargs -r -n1 dirname | sort -u) || true
	for dir in $dirs; do
		names=$(cd "$dir" && go test -list '^Fuzz' .) || { echo "$names" >&2; return 1; }
		for name in $names; do
			case $name in Fuzz*) echo "$dir $name" ;; esac
		done
	done
}

# run_target runs one. A run whose time ends while an input is being tried can fail with nothing but "context
# deadline exceeded" (golang/go#75804); that says nothing about the target, so it is run again.
run_target() {
	local dir=$1 name=$2 try
	for try in 1 2 3; do
		( cd "$dir" && go test -run '^$' -fuzz "^$name\$" -fuzztime "${each}s" -fuzzminimizetime 2s . </dev/null ) 2>&1 |
			tee "$log" | sed -u 's/^/    /' && return 0
		grep -q 'context deadline exceeded' "$log" || return 1
		grep -q 'Failing input written' "$log" && return 1
		echo "    once more: golang/go#75804"
	done
	return 1
}

list=$(targets)
count=$(grep -c . <<<"$list" || true)
if [ "$count" -eq 0 ]; then
	echo "no fuzz target yet"
	exit 0
fi
each=${FUZZTIME:-$((FUZZBUDGET / count))}
[ -z "${FUZZTIME:-}" ] && [ "$each" -gt 3 ] && each=3
[ "$each" -lt 1 ] && each=1
echo "$count fuzz targets, ${each}s each"
while read -r dir name; do
	echo "--- $dir $name"
	run_target "$dir" "$name" || { echo "$dir $name found a failure; its input is under $dir/testdata/fuzz/$name" >&2; exit 1; }
done <<<"$list"
