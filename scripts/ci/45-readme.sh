#!/usr/bin/env bash
# The README's first command, as a person types it, and what its reader tries next.
source "$(dirname "$0")/../lib.sh"
source scripts/serve.sh

run_it() {
	ADDR=127.0.0.1:$(free_port)
	go run ./cmd/strand serve -addr "$ADDR" >"$WORK/readme.log" 2>&1 &
	RUN=$!
	PIDS="$PIDS $RUN"
	local try
	for try in $(seq 120); do # it is compiled first
		curl -fsS -o /dev/null --max-time 1 "http://$ADDR/healthz" 2>/dev/null && return 0
		sleep 0.5
	done
	cat "$WORK/readme.log" >&2
	return 1
}

echoes() {
	head -c 3000000 /dev/urandom >"$WORK/body"
	curl -fsS --max-time 20 --data-binary "@$WORK/body" "http://$ADDR/echo" | cmp - "$WORK/body"
}

answers() {
	[ "$(curl -fsS --max-time 5 "http://$ADDR/plaintext")" = 'Hello, World!' ] &&
		curl -fsS --max-time 5 -o "$WORK/page" "http://$ADDR/" && grep -q '<html' "$WORK/page" &&
		curl -fsS --max-time 5 -o "$WORK/metrics" "http://$ADDR/metrics" && grep -q '^strand_' "$WORK/metrics" &&
		wrk -t1 -c64 -d2s "http://$ADDR/plaintext" >"$WORK/wrk.out" && grep Requests/sec "$WORK/wrk.out" &&
		! grep -E 'Socket errors|Non-2xx' "$WORK/wrk.out"
}

# clients asks as other languages do: keep-alive, a POST of some size, both answers compared.
clients() {
	python3 - "${ADDR%:*}" "${ADDR#*:}" <<-'END' || return 1
		import http.client, os, sys
		c = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=20)
		for _ in range(3):
		    body = os.urandom(300000)
		    c.request("POST", "/echo", body, {"Content-Type": "application/octet-stream"})
		    r = c.getresponse()
		    assert r.status == 200 and r.read() == body
		    c.request("GET", "/plaintext")
		    assert c.getresponse().read() == b"Hello, World!"
		print("    python: ok")
	END
	node - "$ADDR" <<-'END'
		const body = require('crypto').randomBytes(300000);
		(async () => {
			for (let i = 0; i < 3; i++) {
				const r = await fetch(`http://${process.argv[2]}/echo`, {method: 'POST', body});
				if (!Buffer.from(await r.arrayBuffer()).equals(body)) throw new Error('echo differs');
				if (await (await fetch(`http://${process.argv[2]}/plaintext`)).text() !== 'Hello, World!') throw new Error('plaintext');
			}
			console.log('    node: ok');
		})().catch((e) => { console.error(e); process.exit(1); });
	END
}

# drains sends the program that go run started the signal that Ctrl-C sends.
drains() {
	pkill -INT -P "$RUN"
	wait "$RUN" || true
	tail -n 3 "$WORK/readme.log"
	! curl -fsS --max-time 1 "http://$ADDR/healthz" 2>/dev/null
}

section "go run ./cmd/strand serve" run_it
section "a 3 MB echo" echoes
section "plaintext, page, metrics, wrk" answers
section "Python's and Node's clients" clients
section "Ctrl-C drains" drains
