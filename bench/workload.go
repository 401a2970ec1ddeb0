package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"time"

	"github.com/d74363f0/strand/bench/load"
	"github.com/d74363f0/strand/bench/report"
)

// workload is what is done to a server.
type workload interface {
	// run measures s once.
	run(ctx context.Context, d *driver, r *row, s *server) (report.Sample, error)
	// describe says it in a few words for the report.
	describe() string
}

// errVoid marks a measurement that ended well but proves the server wrong.
var errVoid = errors.New("void")

// echo is the closed-loop client of package load.
type echo struct {
	proto    string
	path     string // http-get only
	body     string // http-get only: the answer, if it is not the document
	pipeline int    // http-get only: requests sent at once
	conns    int
	active   int
	size     int
	byP99    bool // the value is the p99 latency, not the rate
}

func (e *echo) describe() string {
	s := fmt.Sprintf("own client, closed loop, %d connections, %d bytes", e.conns, e.size)
	if e.pipeline > 0 {
		s += fmt.Sprintf(", pipelined by %d", e.pipeline)
	}
	return s
}

func (e *echo) run(ctx context.Context, d *driver, r *row, s *server) (report.Sample, error) {
	cfg := load.Config{
		Addr: s.addr, Proto: e.proto, Path: e.path, Body: e.body, Pipeline: e.pipeline, Conns: e.conns, Active: e.active, Size: e.size,
		Warm: d.warm, Duration: d.duration, PID: s.pid(), Seed: uint64(d.seed),
	}
	if d.maxConns > 0 && cfg.Conns > d.maxConns {
		cfg.Conns = d.maxConns
		cfg.Active = min(cfg.Active, d.maxConns)
	}
	res, err := d.load(ctx, r, cfg)
	if err != nil {
		return report.Sample{}, err
	}
	out := sample(res)
	if e.byP99 {
		out.Extra = map[string]float64{"msg/s": out.Value}
		out.Value = out.P99
	}
	return out, nil
}

// load runs one measurement of our own client.
func (d *driver) load(ctx context.Context, r *row, cfg load.Config) (*load.Result, error) {
	arg, err := json.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	out, err := d.child(ctx, r.loadCores(), "load", string(arg))
	if err != nil {
		return nil, err
	}
	res := new(load.Result)
	if err := json.Unmarshal(out, res); err != nil {
		return nil, err
	}
	if res.Wrong != "" {
		return nil, fmt.Errorf("%w: %s", errVoid, res.Wrong)
	}
	if res.Ops == 0 {
		return nil, errors.New("no operation completed")
	}
	return res, nil
}

// sample is what a result says in the report's units.
func sample(res *load.Result) report.Sample {
	const micro = float64(time.Microsecond)
	return report.Sample{
		Value:       float64(res.Ops) / res.Seconds,
		CPU:         float64(res.ServerCPU) / micro / float64(res.Ops),
		ServerShare: float64(res.ServerCPU) / 1e9 / res.Seconds,
		LoadShare:   float64(res.LoadCPU) / 1e9 / res.Seconds,
		P50:         float64(res.P50) / micro,
		P99:         float64(res.P99) / micro,
		P999:        float64(res.P999) / micro,
		Max:         float64(res.Max) / micro,
	}
}

// child runs another part of this program on the given cores and returns its
// standard output.
func (d *driver) child(ctx context.Context, on cores, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, d.duration+d.warm+2*time.Minute)
	defer cancel()
	var out bytes.Buffer
	var errs tail
	cmd := exec.CommandContext(ctx, d.self, args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &errs, d.env
	if err := start(cmd, on); err != nil {
		return nil, err
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", args[0], err, errs.String())
	}
	return out.Bytes(), nil
}

// idle measures memory: the slope of the server's resident set between two
// counts of connections that have exchanged one message and then rest.
type idle struct{ proto string }

const (
	idleFrom = 3000
	idleTo   = 18000
)

func (i *idle) describe() string {
	return fmt.Sprintf("VmRSS slope from %d to %d idle connections, after two collections", idleFrom, idleTo)
}

func (i *idle) run(ctx context.Context, d *driver, r *row, s *server) (report.Sample, error) {
	from, to := idleFrom, idleTo
	if d.maxConns > 0 {
		from, to = d.maxConns/4, d.maxConns
	}
	h, err := i.hold(ctx, d, r, s)
	if err != nil {
		return report.Sample{}, err
	}
	defer h.release()
	low, err := h.measure(s, from, d.settle)
	if err != nil {
		return report.Sample{}, err
	}
	high, err := h.measure(s, to, d.settle)
	if err != nil {
		return report.Sample{}, err
	}
	n := float64(to - from)
	return report.Sample{
		Value: (high.after - low.after) / n,
		Extra: map[string]float64{
			"bytes/conn before collection": (high.before - low.before) / n,
			"rss at low count":             low.after,
			"rss at high count":            high.after,
		},
	}, nil
}

// holder is the process that holds the idle connections.
type holder struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	errs tail
}

func (i *idle) hold(ctx context.Context, d *driver, r *row, s *server) (*holder, error) {
	h := &holder{cmd: exec.CommandContext(ctx, d.self, "idle", i.proto, s.addr)}
	in, err := h.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.in, h.out = in, bufio.NewScanner(out)
	h.cmd.Stderr, h.cmd.Env = &h.errs, d.env
	return h, start(h.cmd, r.loadCores())
}

func (h *holder) release() {
	h.in.Close()
	h.cmd.Process.Kill()
	h.cmd.Wait()
}

// resident is the server's memory before and after it collected its garbage.
type resident struct{ before, after float64 }

// measure grows to n connections and reads the server's memory.
func (h *holder) measure(s *server, n int, settle time.Duration) (resident, error) {
	if _, err := fmt.Fprintln(h.in, n); err != nil {
		return resident{}, fmt.Errorf("%w: %s", err, h.errs.String())
	}
	if !h.out.Scan() || h.out.Text() != strconv.Itoa(n) {
		return resident{}, fmt.Errorf("idle connections: %s", h.errs.String())
	}
	time.Sleep(settle / 2)
	var m resident
	var err error
	if m.before, err = s.memory("VmRSS"); err != nil {
		return m, err
	}
	if err := s.collect(settle); err != nil {
		return m, err
	}
	m.after, err = s.memory("VmRSS")
	return m, err
}
