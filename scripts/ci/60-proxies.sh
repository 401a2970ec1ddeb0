#!/usr/bin/env bash
# nginx and haproxy in front of strand serve, with connections to it kept alive, and slowhttptest against it: the
# proxies report no error, and other clients are served while somebody is slow.
source "$(dirname "$0")/../lib.sh"
source scripts/serve.sh

: "${PROXIES:=60}"

nginx_config() {
	cat <<-END
		daemon off; pid $WORK/nginx.pid; error_log $WORK/nginx-error.log warn; worker_processes 1;
		events { worker_connections 2000; }
		http {
			access_log off; client_body_temp_path $WORK/b; proxy_temp_path $WORK/p; fastcgi_temp_path $WORK/f;
			uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s; client_max_body_size 0; keepalive_requests 1000000;
			upstream up { server $ADDR; keepalive 64; keepalive_requests 1000000; }
			server {
				listen 127.0.0.1:$PROXY_PORT;
				location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off; }
			}
		}
	END
}

haproxy_config() {
	cat <<-END
		global
			maxconn 2000
		defaults
			mode http
			timeout connect 5s
			timeout client 30s
			timeout server 30s
			http-reuse always
		frontend f
			bind 127.0.0.1:$PROXY_PORT
			default_backend b
		backend b
			server s $ADDR
	END
}

# mixed_load ADDR sends GETs and POSTs of several sizes through the proxy and fails on any answer that is not whole.
mixed_load() {
	local addr=$1 out size
	cat >"$WORK/post.lua" <<-'END'
		wrk.method = "POST"
		wrk.body = string.rep("0123456789abcdef", 4096)
		wrk.headers["Content-Type"] = "application/octet-stream"
	END
	wrk -t1 -c32 -d"${PROXIES}s" "http://$addr/plaintext" >"$WORK/get.out" &
	local get=$!
	wrk -t1 -c8 -d"${PROXIES}s" -s "$WORK/post.lua" "http://$addr/echo" >"$WORK/post.out" &
	local post=$!
	for size in 0 1 1000 65536 3000000; do
		head -c "$size" /dev/urandom >"$WORK/body"
		curl -fsS --max-time 20 -H 'Expect:' --data-binary "@$WORK/body" "http://$addr/echo" >"$WORK/echo" &&
			cmp "$WORK/body" "$WORK/echo" || { echo "echo of $size bytes differs through the proxy" >&2; return 1; }
	done
	wait $get $post
	for out in get post; do
		grep 'Requests/sec' "$WORK/$out.out"
		if grep -E 'Socket errors|Non-2xx' "$WORK/$out.out"; then
			echo "errors of $out through the proxy" >&2
			return 1
		fi
	done
}

behind_nginx() {
	PROXY_PORT=$(free_port)
	nginx_config >"$WORK/nginx.conf"
	nginx -p "$WORK" -c "$WORK/nginx.conf" &
	local proxy=$!
	PIDS="$PIDS $proxy"
	wait_for "http://127.0.0.1:$PROXY_PORT/healthz" && mixed_load "127.0.0.1:$PROXY_PORT" || return 1
	stop $proxy
	if grep -E 'error|warn|prematurely|reset' "$WORK/nginx-error.log" | grep -v 'temporary file'; then
		echo "nginx reported errors" >&2
		return 1
	fi
}

behind_haproxy() {
	PROXY_PORT=$(free_port)
	haproxy_config >"$WORK/haproxy.cfg"
	haproxy -db -f "$WORK/haproxy.cfg" >"$WORK/haproxy.log" 2>&1 &
	local proxy=$!
	PIDS="$PIDS $proxy"
	wait_for "http://127.0.0.1:$PROXY_PORT/healthz" && mixed_load "127.0.0.1:$PROXY_PORT" || return 1
	stop $proxy
}

# beside_slow MODE... runs slowhttptest and asks for /plaintext meanwhile.
beside_slow() {
	slowhttptest "$@" -c 500 -r 200 -l 10 -u "http://$ADDR/echo" >"$WORK/slow.out" 2>&1 &
	local slow=$! worst
	PIDS="$PIDS $slow"
	sleep 3
	worst=$(for _ in $(seq 50); do
		curl -fsS -o /dev/null --max-time 5 -w '%{time_total}\n' "http://$ADDR/plaintext" || echo 99
	done | sort -n | tail -n 1)
	echo "    the slowest of 50 requests beside it took ${worst}s"
	stop $slow
	awk -v w="$worst" 'BEGIN { exit !(w < 1) }'
}

section "build strand" build_strand
ADDR=127.0.0.1:$(free_port)
section "start strand serve" serve "$ADDR"
section "behind nginx (${PROXIES}s)" behind_nginx
section "behind haproxy (${PROXIES}s)" behind_haproxy
section "slow headers (slowhttptest -H)" beside_slow -H -i 2
section "slow bodies (slowhttptest -B)" beside_slow -B -i 2 -s 8192
section "slow readers (slowhttptest -X)" beside_slow -X -w 512 -y 1024 -n 5 -z 32 -k 3
