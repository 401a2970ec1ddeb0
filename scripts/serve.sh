# Starting and stopping strand serve for a check; sourced after lib.sh.

WORK=$(mktemp -d)
PIDS=""

# cleanup ends what was started, whatever happened.
cleanup() {
	local pid
	for pid in $PIDS; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	rm -rf "$WORK"
}
trap cleanup EXIT

build_strand() {
	[ -x "$WORK/strand" ] || go build -o "$WORK/strand" ./cmd/strand
}

# wait_for URL waits until it answers, 10 s at the most.
wait_for() {
	local try
	for try in $(seq 100); do
		curl -fsS -o /dev/null --max-time 1 "$1" 2>/dev/null && return 0
		sleep 0.1
	done
	echo "no answer from $1 within 10 s" >&2
	return 1
}

# free_port prints a TCP port that nobody listens on at the moment.
free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		ss -Hltn "sport = :$port" | grep -q . || { echo "$port"; return; }
	done
}

# serve ADDR [PREFIX...] starts strand serve, under PREFIX if given, and leaves its process in SERVER.
serve() {
	local addr=$1
	shift
	"$@" "$WORK/strand" serve -addr "$addr" >"$WORK/serve.log" 2>&1 &
	SERVER=$!
	PIDS="$PIDS $SERVER"
	wait_for "http://$addr/healthz"
}

# stop PID... ends processes that serve or the checks started.
stop() {
	local pid rest=""
	for pid in "$@"; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	for pid in $PIDS; do
		case " $* " in *" $pid "*) ;; *) rest="$rest $pid" ;; esac
	done
	PIDS=$rest
	return 0
}

# stat ADDR NAME prints one figure of the engine from /metrics.
stat() {
	curl -fsS --max-time 5 "http://$1/metrics" | awk -v name="$2" '$1 == name { print $2 }'
}
