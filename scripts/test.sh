#!/usr/bin/env bash
# All that must hold, the quick parts first. GOTESTFLAGS adds flags (CI: -count=1).
source "$(dirname "$0")/lib.sh"

scripts/lint.sh
section "go test -race, every module" each_own_module go test -race -timeout 8m ${GOTESTFLAGS:-} ./...
section "go test -race, $LONG_SUITE, RFC 6455" in_module "$PWD/$LONG_SUITE" env WSCONFORM_MATCH='^[1-9]\.' \
	go test -race -timeout 8m ${GOTESTFLAGS:-} -run 'TestStrand(Server|Client)$' .
section "go test -race, portable transport" go test -race -tags "$PORTABLE_TAG" -timeout 8m ${GOTESTFLAGS:-} ./...
section "go test, assertions and poison" go test -tags "$DEBUG_TAG" -timeout 8m ${GOTESTFLAGS:-} ./...
section "fuzz, short runs" scripts/fuzz.sh
printf '\nAll of it holds (%ds).\n' "$SECONDS"
