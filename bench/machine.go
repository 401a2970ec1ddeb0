package main

import (
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/d74363f0/strand/bench/peer"
	"github.com/d74363f0/strand/bench/report"
)

func newReport(o *options, args []string, d *driver, peers []*peer.Peer) *report.Report {
	rep := &report.Report{
		Date:     time.Now().UTC().Format(time.RFC3339),
		Command:  strings.TrimSpace("go run ./bench " + strings.Join(args, " ")),
		Machine:  machine(),
		Versions: map[string]string{},
		Notes:    map[string]string{},
		Rounds:   d.rounds,
		Seconds:  d.duration.Seconds(),
	}
	for _, p := range peers {
		rep.Versions[p.Name] = d.version(p)
		if p.Note != "" {
			rep.Notes[p.Name] = p.Note
		}
	}
	if _, ok := rep.Versions["c-epoll"]; ok {
		rep.Versions["c-epoll"] = "gcc -O2"
	}
	return rep
}

func machine() report.Machine {
	m := report.Machine{Cores: runtime.NumCPU(), Go: runtime.Version(), CPU: runtime.GOARCH}
	if p, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(p)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				m.CPU = strings.TrimSpace(v)
				break
			}
		}
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	if p, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load1, _, _ = strings.Cut(string(p), " ")
	}
	return m
}
