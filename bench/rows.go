package main

import (
	"fmt"
	"time"

	"github.com/d74363f0/strand/bench/app"
	"github.com/d74363f0/strand/bench/peer"
)

// row is one workload. Its name is stable.
type row struct {
	name  string
	title string
	unit  string
	less  bool // smaller is better
	kind  peer.Kind
	work  workload
	// shared lets server and load both run on both cores.
	shared bool
	// blocks says that handlers block, so peers that may not are left out.
	blocks bool
	// closes says that the server closes each connection after one answer.
	closes bool
	// gcEvery makes the server collect garbage that often.
	gcEvery time.Duration
}

func (r *row) serverCores() cores {
	if r.shared {
		return bothCores
	}
	return serverCore
}

func (r *row) loadCores() cores {
	if r.shared {
		return bothCores
	}
	return loadCore
}

// takes says whether p takes part in r.
func (r *row) takes(p *peer.Peer) bool {
	return p.Serves(r.kind) && !(r.blocks && p.MayNotBlock) && !(r.closes && p.MayNotClose)
}

const (
	perRequest  = "req/s"
	perMessage  = "msg/s"
	perDelivery = "deliveries/s"
	perConn     = "bytes/conn"
	microP99    = "µs p99"
)

// allRows is every row in the order of reports.
func allRows() []*row {
	var rows []*row
	rows = append(rows, httpRows()...)
	rows = append(rows, blockingRows()...)
	rows = append(rows, tlsRows()...)
	rows = append(rows, wsRows()...)
	rows = append(rows, tcpRows()...)
	return append(rows, idleRows()...)
}

func httpRows() []*row {
	var rows []*row
	add := func(name, title string, w *wrk) *row {
		r := &row{name: name, title: title, unit: perRequest, kind: peer.HTTP, work: w}
		rows = append(rows, r)
		return r
	}
	for _, n := range []int{16, 64, 256, 4096} {
		add(fmt.Sprintf("http-plaintext-%d", n), fmt.Sprintf("HTTP plaintext, %d connections", n),
			&wrk{conns: n, path: "/plaintext"})
	}
	add("http-plaintext-256-shared", "HTTP plaintext, 256 connections, server and load sharing both cores",
		&wrk{conns: 256, path: "/plaintext"}).shared = true
	add("http-headers-100", "100 header lines, 64 connections", &wrk{conns: 64, path: "/plaintext", headers: 100})
	add("http-json-chi", "JSON through chi, 64 connections", &wrk{conns: 64, path: "/json/42"})
	add("http-close", "Connect, request, close, 64 at a time",
		&wrk{conns: 64, path: "/plaintext", closes: true}).closes = true
	return append(rows, bodyRows()...)
}

// bodyRows are those that our own client loads: wrk neither checks bodies nor
// reads in large pieces, and its percentiles are wrong when it pipelines.
func bodyRows() []*row {
	post := func(name, title string, size int) *row {
		return &row{name: name, title: title, unit: perRequest, kind: peer.HTTP,
			work: &echo{proto: "http-echo", conns: 64, size: size}}
	}
	return []*row{
		{
			name: "http-pipelined-16", title: "HTTP plaintext, 64 connections, pipelined by 16", unit: perRequest, kind: peer.HTTP,
			work: &echo{proto: "http-get", path: "/plaintext", body: app.PlainText, conns: 64, pipeline: 16, size: len(app.PlainText)},
		},
		post("http-echo-1k", "POST echo of 1 KiB, 64 connections", 1<<10),
		post("http-echo-64k", "POST echo of 64 KiB, 64 connections", 64<<10),
		{
			name: "http-download-1m", title: "1 MiB download, 16 connections", unit: perRequest, kind: peer.HTTP,
			work: &echo{proto: "http-get", path: "/download", conns: 16, size: app.DownloadSize},
		},
	}
}

func blockingRows() []*row {
	return []*row{
		{
			name: "http-beside-500-blocked", title: "Fast requests on 64 connections beside 500 handlers that sleep 50 ms",
			unit: perRequest, kind: peer.HTTP, blocks: true,
			work: &wrk{conns: 64, path: "/plaintext", beside: &wrk{conns: 500, path: "/sleep"}},
		},
		{
			name: "http-2000-blocked", title: "2,000 handlers that sleep 50 ms, alone",
			unit: perRequest, kind: peer.HTTP, blocks: true,
			work: &wrk{conns: 2000, path: "/sleep"},
		},
	}
}

func tlsRows() []*row {
	return []*row{
		{
			name: "tls-keepalive-256", title: "HTTPS plaintext, 256 connections kept alive",
			unit: perRequest, kind: peer.HTTPS, work: &wrk{conns: 256, path: "/plaintext", secure: true},
		},
		{
			name: "tls-handshakes", title: "HTTPS connect, full handshake, request, close, 64 at a time",
			unit: "µs CPU", less: true, kind: peer.HTTPS, closes: true,
			work: &wrk{conns: 64, path: "/plaintext", secure: true, closes: true, byCPU: true},
		},
	}
}

func wsRows() []*row {
	var rows []*row
	add := func(name, title string, k peer.Kind, w workload) *row {
		r := &row{name: name, title: title, unit: perMessage, kind: k, work: w}
		rows = append(rows, r)
		return r
	}
	for _, s := range []struct {
		tag, title string
		size       int
	}{{"64b", "64 B", 64}, {"1k", "1 KiB", 1 << 10}, {"16k", "16 KiB", 16 << 10}, {"64k", "64 KiB", 64 << 10}} {
		for _, n := range []int{16, 1000, 18000} {
			add(fmt.Sprintf("ws-echo-%s-%d", s.tag, n), fmt.Sprintf("WebSocket echo of %s, %d connections", s.title, n),
				peer.WS, &echo{proto: "ws", conns: n, size: s.size})
		}
	}
	add("ws-echo-1k-1000-shared", "WebSocket echo of 1 KiB, 1000 connections, sharing both cores",
		peer.WS, &echo{proto: "ws", conns: 1000, size: 1 << 10}).shared = true
	add("ws-deflate-1k-64", "WebSocket echo of 1 KiB compressed text, 64 connections",
		peer.WSDeflate, &echo{proto: "ws-deflate", conns: 64, size: 1 << 10})
	add("ws-broadcast-10000", "WebSocket broadcast of 200 B to 10,000",
		peer.WSBroadcast, &echo{proto: "ws-broadcast", conns: 10000, size: 200}).unit = perDelivery
	add("ws-broadcast-10000-slow", "WebSocket broadcast of 200 B to 10,000 of whom a tenth stops reading, paced",
		peer.WSSlow, &slowTenth{conns: 10000, size: 200, fill: 120, pace: 100 * time.Millisecond}).unit = perDelivery
	gc := add("ws-gc-18000", "WebSocket echo of 1 KiB on 64 of 18,000 connections, a collection every 200 ms",
		peer.WS, &echo{proto: "ws", conns: 18000, active: 64, size: 1 << 10, byP99: true})
	gc.unit, gc.less, gc.gcEvery = microP99, true, 200*time.Millisecond
	return rows
}

func tcpRows() []*row {
	row1k := func(name, title string, n int) *row {
		return &row{name: name, title: title, unit: perMessage, kind: peer.TCP,
			work: &echo{proto: "tcp", conns: n, size: 1 << 10}}
	}
	shared := row1k("tcp-echo-1k-1000-shared", "TCP echo of 1 KiB, 1000 connections, sharing both cores", 1000)
	shared.shared = true
	return []*row{
		row1k("tcp-echo-1k-64", "TCP echo of 1 KiB, 64 connections", 64),
		row1k("tcp-echo-1k-1000", "TCP echo of 1 KiB, 1000 connections", 1000),
		row1k("tcp-echo-1k-18000", "TCP echo of 1 KiB, 18000 connections", 18000),
		shared,
	}
}

func idleRows() []*row {
	one := func(name, title string, k peer.Kind, proto string) *row {
		return &row{name: name, title: title, unit: perConn, less: true, kind: k, work: &idle{proto: proto}}
	}
	return []*row{
		one("idle-tcp", "Memory of an idle TCP connection", peer.TCP, "tcp"),
		one("idle-http", "Memory of an idle HTTP keep-alive connection", peer.HTTP, "http"),
		one("idle-ws", "Memory of an idle WebSocket connection", peer.WS, "ws"),
		one("idle-tls", "Memory of an idle HTTPS keep-alive connection", peer.HTTPS, "tls"),
	}
}
