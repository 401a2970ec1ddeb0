#!/usr/bin/env bash
# Everything that reads the code without running it.
source "$(dirname "$0")/lib.sh"

formatted() {
	local unformatted
	unformatted=$(gofmt -l -s .)
	[ -z "$unformatted" ] && return 0
	printf 'not as gofmt -s writes it; run gofmt -s -w on:\n%s\n' "$unformatted" >&2
	return 1
}

section "gofmt" formatted
section "go vet, every module" each_module go vet ./...
section "go vet, portable transport" go vet -tags "$PORTABLE_TAG" ./...
for os in darwin windows freebsd; do
	section "go vet, $os" env GOOS=$os CGO_ENABLED=0 go vet ./...
done
section "staticcheck, every module" each_module go run "$STATICCHECK" ./...
section "staticcheck, portable transport" go run "$STATICCHECK" -tags "$PORTABLE_TAG" ./...
section "the house: arrows, tidiness, links" go test -count=1 ./internal/house/
