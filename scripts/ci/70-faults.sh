#!/usr/bin/env bash
# The kernel's faults under load: strace makes system calls of strand serve fail while strand soak checks every byte.
# Nothing foreign is delivered, the server lives, and descriptors and Blocks are back to where they began.
source "$(dirname "$0")/../lib.sh"
source scripts/serve.sh

: "${FAULTS:=8}"

# A fault in close(2) is not among them: strace skips the call it fails, and the descriptor would stay; nor is EAGAIN,
# which would withhold an edge that the kernel never withholds. The simulation has both.
#
# Injected by strace: which calls, what happens to them, how often. Reads and writes are hit at an offset that is
# drawn anew for each run and printed.
faults() {
	local step=$((37 + RANDOM % 60))
	cat <<-END
		EINTR:recvfrom,sendto,writev,epoll_pwait,accept4:error=EINTR:when=$step+$step
		EMFILE:accept4:error=EMFILE:when=3+5
		ECONNABORTED:accept4:error=ECONNABORTED:when=2+7
		ENOBUFS:sendto,writev:error=ENOBUFS:when=$((step * 20))+$((step * 20))
		ECONNRESET:recvfrom:error=ECONNRESET:when=$((step * 20))+$((step * 20))
		ENOMEM:accept4,epoll_ctl:error=ENOMEM:when=4+9
	END
}

# count prints the descriptors of the server.
descriptors() { ls "/proc/$1/fd" | wc -l; }

server_of() { pgrep -P "$1" -f 'strand serve' || echo "$1"; }

one_fault() {
	local name=$1 calls=$2 rule=$3 addr pid before after blocks code=0 try
	addr=127.0.0.1:$(free_port)
	serve "$addr" || return 1
	pid=$SERVER
	before=$(descriptors "$pid")
	strace -f -qq -o /dev/null -e "trace=$calls" -e "inject=$calls:$rule" -p "$pid" &
	local tracer=$!
	PIDS="$PIDS $tracer"
	sleep 0.5
	"$WORK/strand" soak -conns 16 -max 65536 -time "${FAULTS}s" -json "http://$addr" >"$WORK/soak.json" || code=$?
	stop $tracer
	judge "$name" "$code" || return 1
	wait_for "http://$addr/healthz" || return 1
	for try in $(seq 50); do
		after=$(descriptors "$pid")
		blocks=$(curl -fsS --max-time 5 "http://$addr/stats" | tr ',{' '\n\n' | sed -n 's/.*"BlocksInUse": *\([0-9]*\).*/\1/p' | head -n 1)
		[ "$after" -le $((before + 2)) ] && [ "${blocks:-0}" -le 2 ] && break
		sleep 0.2
	done
	echo "    descriptors $before before, $after after; Blocks in use ${blocks:-?}"
	[ "$after" -le $((before + 2)) ] && [ "${blocks:-99}" -le 2 ] || { echo "not back to where it began" >&2; return 1; }
	[ "$(stat "$addr" strand_isolation_violations_total)" = 0 ] || { echo "isolation violations" >&2; return 1; }
	stop "$pid"
}

# judge fails if bytes reached the wrong client, or arrived damaged. Connections that a fault ended are no finding
# here: losing the connection is what ENOBUFS may do.
judge() {
	python3 - "$1" "$2" "$WORK/soak.json" <<-'END'
		import json, sys
		name, code, path = sys.argv[1:]
		total = {"checked": 0}
		def walk(v):
		    if isinstance(v, dict):
		        for k, x in v.items():
		            if isinstance(x, (int, float)) and k.lower() in ("checked", "foreign", "damaged", "duplicated", "reordered", "lost", "refused"):
		                total[k.lower()] = max(total.get(k.lower(), 0), x)
		            walk(x)
		    elif isinstance(v, list):
		        for x in v: walk(x)
		walk(json.load(open(path)))
		print("   ", name, total, "exit code", code)
		bad = [k for k in ("foreign", "damaged", "duplicated", "reordered") if total.get(k)]
		sys.exit(1 if bad or not total["checked"] else 0)
	END
}

section "build strand" build_strand
echo "    seed of this run: RANDOM=${SEED:=$RANDOM}"
RANDOM=$SEED
while IFS=: read -r name calls rest; do
	section "faults: $name" one_fault "$name" "$calls" "$rest"
done < <(faults)
