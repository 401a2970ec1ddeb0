#!/usr/bin/env bash
# The tests of the modules that drive other programs: Chromium on the page, other languages' clients.
source "$(dirname "$0")/../lib.sh"

# run_module tests one module, without the race detector: what is looked at is the other program's view.
run_module() {
	in_module "$PWD/$1" go test -count=1 -timeout 10m ./...
}

for name in $OTHER_PROGRAMS; do
	[ -e "$name/go.mod" ] || continue
	section "$name" run_module "$name"
done
