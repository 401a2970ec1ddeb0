# What a person types. Each target is a line here and a script in scripts/.

SHELL := /bin/bash

.PHONY: help test check lint fuzz sim mutants bench cover

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## all that must hold: lint, every module with -race, the portable transport, short fuzz runs
	@scripts/test.sh

check: ## the quick one, for between two edits: vet, gofmt, tests without -race
	@scripts/check.sh

lint: ## vet on every platform, gofmt, staticcheck, the arrows and the tidiness
	@scripts/lint.sh

fuzz: ## every fuzz target in turn (FUZZTIME=60 make fuzz: a minute each)
	@scripts/fuzz.sh

sim: ## the simulated kernel (SEEDS=100000 FROM=1)
	@scripts/sim.sh

mutants: ## break the core on purpose, line by line: the tests must notice (docs/mutants.md)
	@scripts/mutants.sh

bench: ## the core's benchmarks (BENCH=regexp, BENCHTIME=1s, COUNT=1)
	@scripts/bench.sh

cover: ## coverage of each core package, counted over all tests
	@scripts/cover.sh
