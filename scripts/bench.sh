#!/usr/bin/env bash
# The core's own benchmarks. Comparisons with other servers are the bench module's.
source "$(dirname "$0")/lib.sh"

go test -run '^$' -bench "${BENCH:-.}" -benchtime "${BENCHTIME:-1s}" -count "${COUNT:-1}" -benchmem ./...
