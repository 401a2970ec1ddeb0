#!/usr/bin/env bash
# 100,000 seeds of the simulated kernel: engine, http1 and websocket in every order of events that a seed can draw.
source "$(dirname "$0")/../lib.sh"

section "100,000 simulated runs" scripts/sim.sh
