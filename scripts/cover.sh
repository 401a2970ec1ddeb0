#!/usr/bin/env bash
# Statement coverage of each core package, whichever package's tests ran the statement.
source "$(dirname "$0")/lib.sh"

mkdir -p out
go test -timeout 8m -coverpkg=./... -coverprofile=out/cover.out ./... |
	sed -e '/no test files/d' -e 's/\tcoverage: .*//' -e '/coverage: 0.0% of statements$/d'
# A profile has one line a block and test binary: "file:a.b,c.d statements hits". A block counts once.
awk '
NR > 1 { split($1, at, ":"); size[$1] = $2; if ($3 > 0) hit[$1] = 1 }
END {
	for (b in size) {
		pkg = b; sub(/\/[^\/]*$/, "", pkg)
		all[pkg] += size[b]; sum += size[b]
		if (b in hit) { run[pkg] += size[b]; sumrun += size[b] }
	}
	for (p in all) printf "%6.1f%%  %5d of %5d  %s\n", 100 * run[p] / all[p], run[p], all[p], p | "sort -k5"
	close("sort -k5")
	if (sum) printf "%6.1f%%  %5d of %5d  total\n", 100 * sumrun / sum, sumrun, sum
}' out/cover.out
echo "out/cover.out holds the profile: go tool cover -html=out/cover.out"
