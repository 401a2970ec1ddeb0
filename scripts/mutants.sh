#!/usr/bin/env bash
# Breaks the core one line at a time; the tests must notice each. RUN=regexp tries some of the mutants only.
source "$(dirname "$0")/lib.sh"

if [ -n "${RUN:-}" ]; then
	exec go run ./internal/mutate -j "$(nproc)" -run "$RUN"
fi
exec go run ./internal/mutate -j "$(nproc)" -write
