#!/usr/bin/env bash
# The whole WebSocket conformance suite: strand in both roles, plain, over TLS and over net/http, and the peers that show
# that the suite is right.
source "$(dirname "$0")/../lib.sh"
section "conformance" in_module "$PWD/$LONG_SUITE" go test -count=1 -timeout 15m ./...
