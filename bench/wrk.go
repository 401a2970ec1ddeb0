package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/d74363f0/strand/bench/load"
	"github.com/d74363f0/strand/bench/report"
)

// wrk is an HTTP load, made by the program of that name.
type wrk struct {
	conns   int
	path    string
	headers int  // extra header lines
	closes  bool // one request a connection
	secure  bool
	byCPU   bool // the value is the processor time a request, not the rate
	beside  *wrk // a load that runs at the same time and is not counted
}

func (w *wrk) describe() string {
	s := fmt.Sprintf("wrk, %d connections, %s", w.conns, w.path)
	if w.beside != nil {
		s += fmt.Sprintf(", beside %d connections on %s", w.beside.conns, w.beside.path)
	}
	return s
}

// finished prints the summary as one line of JSON after a word of its own.
const finished = `
done = function(summary, latency, requests)
  io.write(string.format("BENCH {\"micros\":%d,\"requests\":%d,\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f,",
    summary.duration, summary.requests, latency:percentile(50), latency:percentile(99),
    latency:percentile(99.9), latency.max))
  local e = summary.errors
  io.write(string.format("\"connect\":%d,\"read\":%d,\"write\":%d,\"status\":%d,\"timeout\":%d}\n",
    e.connect, e.read, e.write, e.status, e.timeout))
end
`

// headerLine is extra header line number i: its name and its value.
func headerLine(i int) (name, value string) {
	return fmt.Sprintf("X-Header-%03d", i), fmt.Sprintf("value-%03d", i)
}

// script is the Lua program for w. It is not called for each request.
func (w *wrk) script() string {
	var b strings.Builder
	for i := range w.headers {
		name, value := headerLine(i)
		fmt.Fprintf(&b, "wrk.headers[%q] = %q\n", name, value)
	}
	if w.closes {
		b.WriteString("wrk.headers[\"Connection\"] = \"close\"\n")
	}
	return b.String() + finished
}

// wrkResult is the line that the script prints; times are microseconds.
type wrkResult struct {
	Micros   float64 `json:"micros"`
	Requests float64 `json:"requests"`
	P50      float64 `json:"p50"`
	P99      float64 `json:"p99"`
	P999     float64 `json:"p999"`
	Max      float64 `json:"max"`
	Connect  float64 `json:"connect"`
	Read     float64 `json:"read"`
	Write    float64 `json:"write"`
	Status   float64 `json:"status"`
	Timeout  float64 `json:"timeout"`

	cpu time.Duration // of wrk itself
}

// command prepares wrk for d, which is rounded up to its unit, a second.
func (w *wrk) command(ctx context.Context, dr *driver, s *server, d time.Duration, threads int) (*exec.Cmd, error) {
	script := w.script()
	sum := fnv.New64a()
	sum.Write([]byte(script))
	f := filepath.Join(dr.dir, fmt.Sprintf("%016x.lua", sum.Sum64()))
	if err := os.WriteFile(f, []byte(script), 0o600); err != nil {
		return nil, err
	}
	scheme := "http"
	if w.secure {
		scheme = "https"
	}
	seconds := int((d + time.Second - 1) / time.Second)
	cmd := exec.CommandContext(ctx, "wrk", "-t", fmt.Sprint(threads), "-c", fmt.Sprint(w.conns),
		"-d", fmt.Sprintf("%ds", seconds), "--timeout", "10s", "-s", f, scheme+"://"+s.addr+w.path)
	return cmd, nil
}

func (w *wrk) run(ctx context.Context, d *driver, r *row, s *server) (report.Sample, error) {
	if err := w.probe(ctx, s); err != nil {
		return report.Sample{}, fmt.Errorf("%w: %w", errVoid, err)
	}
	if w.beside != nil {
		stop, err := w.beside.background(ctx, d, r, s)
		if err != nil {
			return report.Sample{}, err
		}
		defer stop()
		time.Sleep(time.Second)
	}
	if d.warm > 0 {
		if _, err := w.once(ctx, d, r, s, d.warm); err != nil {
			return report.Sample{}, err
		}
	}
	cpu, err := load.ProcessCPU(s.pid())
	if err != nil {
		return report.Sample{}, err
	}
	res, err := w.once(ctx, d, r, s, d.duration)
	if err != nil {
		return report.Sample{}, err
	}
	after, err := load.ProcessCPU(s.pid())
	if err != nil {
		return report.Sample{}, err
	}
	return w.sample(res, after-cpu)
}

func (w *wrk) sample(res *wrkResult, cpu time.Duration) (report.Sample, error) {
	if res.Requests == 0 {
		return report.Sample{}, errors.New("no request completed")
	}
	if res.Status > 0 {
		return report.Sample{}, fmt.Errorf("%w: %.0f answers were errors", errVoid, res.Status)
	}
	socket := res.Connect + res.Read + res.Write + res.Timeout
	if socket > res.Requests/100 {
		return report.Sample{}, fmt.Errorf("%w: %.0f socket errors (connect %.0f, read %.0f, write %.0f, timeout %.0f)",
			errVoid, socket, res.Connect, res.Read, res.Write, res.Timeout)
	}
	seconds := res.Micros / 1e6
	out := report.Sample{
		Value:       res.Requests / seconds,
		CPU:         float64(cpu.Nanoseconds()) / 1e3 / res.Requests,
		ServerShare: cpu.Seconds() / seconds,
		LoadShare:   res.cpu.Seconds() / seconds,
		P50:         res.P50, P99: res.P99, P999: res.P999, Max: res.Max,
	}
	if w.byCPU {
		out.Extra = map[string]float64{"handshakes/s": out.Value}
		out.Value = out.CPU
	}
	if socket > 0 && !w.byCPU {
		out.Extra = map[string]float64{"socket errors": socket}
	}
	return out, nil
}

// once runs wrk to its end.
func (w *wrk) once(ctx context.Context, d *driver, r *row, s *server, length time.Duration) (*wrkResult, error) {
	ctx, cancel := context.WithTimeout(ctx, length+time.Minute)
	defer cancel()
	on := r.loadCores()
	cmd, err := w.command(ctx, d, s, length, min(len(on), w.conns))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := start(cmd, on); err != nil {
		return nil, err
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("wrk: %w: %s", err, out.String())
	}
	if err := s.alive(); err != nil {
		return nil, err
	}
	res, err := parseWrk(out.Bytes())
	if err != nil {
		return nil, err
	}
	res.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return res, nil
}

// parseWrk finds the line of the script in what wrk printed.
func parseWrk(out []byte) (*wrkResult, error) {
	_, line, ok := bytes.Cut(out, []byte("BENCH "))
	if !ok {
		return nil, fmt.Errorf("wrk said: %s", out)
	}
	var res wrkResult
	if err := json.Unmarshal(line, &res); err != nil {
		return nil, fmt.Errorf("wrk said %s: %w", line, err)
	}
	return &res, nil
}

// background runs wrk until stop is called.
func (w *wrk) background(ctx context.Context, d *driver, r *row, s *server) (stop func(), err error) {
	cmd, err := w.command(ctx, d, s, 10*time.Minute, 1)
	if err != nil {
		return nil, err
	}
	if err := start(cmd, r.loadCores()); err != nil {
		return nil, err
	}
	return func() {
		cmd.Process.Kill()
		cmd.Wait()
	}, nil
}
