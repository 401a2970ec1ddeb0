#!/usr/bin/env bash
# Coverage of each package, into CI's output.
source "$(dirname "$0")/../lib.sh"
section "coverage" scripts/cover.sh
