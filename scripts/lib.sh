# Shared by the scripts beside it; sourced, not run.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The linter is pinned: what was clean yesterday is clean today.
STATICCHECK=honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The tag that puts the portable transport (any net.Conn) in the place of the Linux one.
PORTABLE_TAG=strand_std

# The tag that compiles assertions and poison in.
DEBUG_TAG=strand_debug

# The modules whose tests drive programs that are neither Go nor gcc (a browser, other languages' clients). make
# test reads and builds them; scripts/ci/40-other-programs.sh runs them.
OTHER_PROGRAMS="e2e interop"

# The module whose whole suite takes minutes: make test asks strand the questions of RFC 6455 under the race detector,
# scripts/ci/42-conformance.sh asks everybody everything.
LONG_SUITE=conformance

# The module that needs an old version of a peer, which go.work would replace by the one of bench: it stays out of it.
APART=bench/defect

# section NAME COMMAND... runs one part of a run. The first that fails ends the run and says which it was.
# The shell does not stop at errors inside a function that is run as a condition: those functions return them.
section() {
	local name=$1 began=$SECONDS
	shift
	printf '\n==> %s\n' "$name"
	if ! "$@"; then
		printf '\nFAILED: %s (after %ds): %s\n' "$name" $((SECONDS - began)) "$*" >&2
		exit 1
	fi
	printf '    %s: ok, %ds\n' "$name" $((SECONDS - began))
}

# modules prints the directory of every module that go.work joins.
modules() {
	go list -m -f '{{.Dir}}'
}

# in_module DIR COMMAND... runs a command in a module, unless the module has no package yet.
in_module() {
	local dir=$1 packages
	shift
	packages=$(cd "$dir" && go list ./... 2>&1) || { echo "$packages" >&2; return 1; }
	case $packages in
	*'matched no packages'*)
		echo "    $dir: no package yet"
		return 0
		;;
	esac
	( cd "$dir" && "$@" )
}

# apart COMMAND... runs a command in the module that go.work does not join.
apart() {
	GOWORK=off in_module "$PWD/$APART" "$@"
}

# each_module COMMAND... runs a command in every module and stops at the first that fails.
each_module() {
	local dir dirs
	dirs=$(modules) || return 1
	for dir in $dirs; do
		in_module "$dir" "$@" || { echo "    in module $dir" >&2; return 1; }
	done
}

# formatted says which files gofmt would write otherwise.
formatted() {
	local unformatted
	unformatted=$(gofmt -l -s .) || return 1
	[ -z "$unformatted" ] && return 0
	printf 'not as gofmt -s writes it; run gofmt -s -w on:\n%s\n' "$unformatted" >&2
	return 1
}

# each_own_module COMMAND... is each_module without those that need other programs.
each_own_module() {
	local dir dirs name
	dirs=$(modules) || return 1
	for dir in $dirs; do
		name=${dir#"$PWD"/}
		case " $OTHER_PROGRAMS $LONG_SUITE " in
		*" $name "*)
			echo "    $name: not in this section, see scripts/lib.sh"
			continue
			;;
		esac
		in_module "$dir" "$@" || { echo "    in module $dir" >&2; return 1; }
	done
}
