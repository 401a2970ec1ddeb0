#!/usr/bin/env bash
# The message-integrity check: against a server whose handlers misbehave, and against strand serve from outside.
# SOAK=10m makes it the check before a release.
source "$(dirname "$0")/../lib.sh"
source scripts/serve.sh

: "${SOAK:=60s}"

hostile_handlers() {
	"$WORK/strand" soak -time "$SOAK"
}

from_outside() {
	serve "127.0.0.1:$(free_port)" || return 1
	local addr
	addr=$(sed -n 's|.*http://\([0-9.:]*\).*|\1|p' "$WORK/serve.log" | head -n 1)
	"$WORK/strand" soak -time 20s "http://$addr" || return 1
	[ "$(stat "$addr" strand_isolation_violations_total)" = 0 ] || { echo "isolation violations" >&2; return 1; }
}

section "build strand" build_strand
section "soak, own server with hostile handlers ($SOAK)" hostile_handlers
section "soak, strand serve (20s)" from_outside
