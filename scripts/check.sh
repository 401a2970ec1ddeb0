#!/usr/bin/env bash
# The quick check for between two edits; make test is the whole.
source "$(dirname "$0")/lib.sh"

section "gofmt" formatted
section "go vet, every module" each_module go vet ./...
section "go test, every module" each_own_module go test -timeout 4m ./...
