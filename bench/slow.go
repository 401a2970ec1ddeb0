package main

import (
	"context"
	"fmt"
	"time"

	"github.com/d74363f0/strand/bench/load"
	"github.com/d74363f0/strand/bench/peer"
	"github.com/d74363f0/strand/bench/report"
)

// slowTenth is a broadcast that is measured twice a round, each time by a server of
// its own and with the other one first than the round before: once all subscribers
// read, once a tenth of them stops. What is compared are the other nine tenths, at
// the same pace.
type slowTenth struct {
	conns int
	size  int
	fill  int           // messages before the measurement, so that queues overflow
	pace  time.Duration // from one message to the next
	runs  int           // so far
}

func (b *slowTenth) describe() string {
	return fmt.Sprintf("own client, %d subscribers, %d bytes every %v behind %d at full speed, with a tenth that stops reading and without",
		b.conns, b.size, b.pace, b.fill)
}

// half is one of the two measurements.
type half struct {
	*load.Result
	peak float64 // of the server's memory, bytes
}

func (b *slowTenth) run(ctx context.Context, d *driver, r *row, s *server) (report.Sample, error) {
	var with, without half
	var err error
	b.runs++
	for i := range 2 {
		if (i+b.runs)%2 == 0 {
			with, err = b.half(ctx, d, r, s, false)
		} else {
			without, err = b.reading(ctx, d, r, s.peer)
		}
		if err != nil {
			return report.Sample{}, err
		}
	}
	cfg := b.config(d, s)
	out := sample(with.Result)
	out.Extra = b.remarks(float64(cfg.Conns), float64(cfg.Slow), &without, &with)
	return out, nil
}

// reading is the half in which all read, by a server that is gone afterwards.
func (b *slowTenth) reading(ctx context.Context, d *driver, r *row, peerName string) (half, error) {
	s, err := d.startServer(ctx, peerName, r)
	if err != nil {
		return half{}, err
	}
	defer s.stop()
	return b.half(ctx, d, r, s, true)
}

func (b *slowTenth) half(ctx context.Context, d *driver, r *row, s *server, allRead bool) (half, error) {
	cfg := b.config(d, s)
	cfg.SlowReads = allRead
	res, err := d.load(ctx, r, cfg)
	if err != nil {
		return half{}, fmt.Errorf("all reading %t: %w", allRead, err)
	}
	peak, err := s.memory("VmHWM")
	return half{res, peak}, err
}

func (b *slowTenth) config(d *driver, s *server) load.Config {
	cfg := load.Config{
		Addr: s.addr, Proto: "ws-broadcast", Conns: b.conns, Size: b.size, Fill: b.fill, Pace: b.pace,
		Warm: d.warm, Duration: d.duration, PID: s.pid(), Seed: uint64(d.seed),
	}
	if d.maxConns > 0 {
		cfg.Conns = min(cfg.Conns, d.maxConns)
		cfg.Pace = d.duration / 10
	}
	cfg.Slow = cfg.Conns / 10
	if peer.Find(s.peer).CountsDrops {
		cfg.Drops = peer.DropsPath
	}
	return cfg
}

// remarks says what became of the slow ones' messages, and the memory they took
// beside what their queues may hold: the transport's and that of the policy.
func (b *slowTenth) remarks(conns, slow float64, without, with *half) map[string]float64 {
	const micro = float64(time.Microsecond)
	meant := float64(with.Published) * slow
	read := float64(without.Ops) * conns / (conns - slow) // the last tenth's latencies were not counted
	return map[string]float64{
		"p50 of the others, all reading (µs)":         float64(without.P50) / micro,
		"p50 of the others, a tenth slow (µs)":        float64(with.P50) / micro,
		"p99 of a typical message, all reading (µs)":  float64(without.MessageP99) / micro,
		"p99 of a typical message, a tenth slow (µs)": float64(with.MessageP99) / micro,
		"p99 of a typical message, with over without": float64(with.MessageP99) / float64(max(1, without.MessageP99)),
		"p99 of the others, all reading (µs)":         float64(without.P99) / micro,
		"p99 of the others, a tenth slow (µs)":        float64(with.P99) / micro,
		report.SlowRatio:                              float64(with.P99) / float64(without.P99),
		"cpu µs a delivery, all reading":              float64(without.ServerCPU) / micro / read,
		"cpu µs a delivery, a tenth slow":             float64(with.ServerCPU) / micro / float64(with.Ops),
		"slow: messages published to them":            meant,
		"slow: messages they read in the end":         float64(with.SlowRead),
		"slow: messages the server dropped":           float64(with.SlowDropped),
		"slow: messages unaccounted for":              meant - float64(with.SlowRead+with.SlowDropped),
		"peak RSS, all reading (KiB)":                 without.peak / 1024,
		"peak RSS, a tenth slow (KiB)":                with.peak / 1024,
		"peak RSS, bound (KiB)":                       (without.peak + slow*2*peer.SlowQueue) / 1024,
	}
}
