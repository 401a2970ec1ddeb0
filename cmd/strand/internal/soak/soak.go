// Package soak checks that a server keeps its connections apart. Its clients send bytes that are a function of seed,
// connection, request and offset, so that a byte that arrives where it does not belong, or twice, or late, or not at
// all, is noticed and its owner named. It is the program behind "strand soak".
package soak

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sort"
	"sync"
	"time"

	"github.com/d74363f0/strand/cmd/strand/internal/process"
)

// Run soaks a server as cfg says and returns what it found. An error means that there was nothing to measure: a bad
// configuration, or a server that cannot be reached. Cancelling ctx ends the sending early.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	r, stop, err := prepare(ctx, &cfg)
	if err != nil {
		return nil, err
	}
	defer stop()
	before := r.home()
	s := newSampler(r)
	r.soak(ctx, s)
	alive := r.alive(ctx)
	if r.own != nil {
		r.own.finish()
	}
	res := r.result(s)
	res.Alive = alive
	if r.own != nil {
		after := r.goHome(before)
		res.Before, res.After = &before, &after
	}
	res.judge()
	return res, nil
}

// prepare starts the own server if there is no URL, and probes the server under test.
func prepare(ctx context.Context, cfg *Config) (*run, func(), error) {
	if err := cfg.defaults(); err != nil {
		return nil, nil, err
	}
	own := cfg.URL == ""
	ks, err := chooseKinds(cfg.Kinds, own)
	if err != nil {
		return nil, nil, err
	}
	r := &run{kinds: ks, keys: newKeyring(cfg.Seed), began: time.Now()}
	stop := func() {}
	url := cfg.URL
	if own {
		if cfg.Target == nil {
			cfg.Target = DefaultTarget()
		}
		if url, stop, err = r.startOwn(cfg); err != nil {
			return nil, nil, err
		}
	}
	r.cfg = *cfg
	if err := r.aim(url); err != nil {
		stop()
		return nil, nil, err
	}
	if own && cfg.TLS {
		r.tls.InsecureSkipVerify = true // our own certificate of a second ago
	}
	if err := r.probe(ctx); err != nil {
		stop()
		return nil, nil, err
	}
	return r, stop, nil
}

func (r *run) startOwn(cfg *Config) (string, func(), error) {
	r.own = newChecker(r)
	var theirs func() map[string]float64
	r.stats = func() map[string]float64 {
		m := processStats()
		if theirs != nil {
			for k, v := range theirs() {
				m[k] = v
			}
		}
		return m
	}
	tc, err := certificate(cfg.TLS)
	if err != nil {
		return "", nil, err
	}
	url, stop, stats, err := cfg.Target.Start(r.own.mux, tc)
	theirs = stats
	return url, stop, err
}

// probe makes one request of each protocol, to tell "not this kind of server" from a finding.
func (r *run) probe(ctx context.Context) error {
	w := &worker{run: r, ctx: ctx, id: maxWorkers - 1, kind: kindPost, rng: newRand(r.cfg.Seed, maxWorkers)}
	m := Mark{Worker: w.id, Kind: kindPost}
	x, err := r.dial(ctx, m)
	if err != nil {
		return fmt.Errorf("the server cannot be reached: %w", err)
	}
	defer x.close()
	l := &lane{w: w, x: x, mark: m}
	e := l.newExpect(Hex, 100)
	x.nc.SetDeadline(time.Now().Add(r.cfg.Timeout))
	r.echoesType = true
	if err := x.send(l.appendRequest(nil, "/echo", e, false, false)); err != nil {
		return fmt.Errorf("the server does not take a request: %w", err)
	}
	g, err := l.nextReply()
	switch {
	case err != nil && g == nil:
		return fmt.Errorf("the server does not answer a POST to %s/echo: %s", r.prefix, ending(err))
	case g.stray || g.status == 0:
		return fmt.Errorf("what answers a POST to %s/echo is not HTTP", r.prefix)
	case g.status != http.StatusOK:
		return fmt.Errorf("POST %s/echo is answered with %q; soak needs an /echo that returns the body", r.prefix, printable(g.what, 100))
	}
	if r.echoesType = g.ident == e.ident; !r.echoesType {
		r.notes = append(r.notes, "The server does not return the request's Content-Type, so only bodies are compared.")
	}
	if r.stats == nil {
		r.stats = r.remoteStats()
	}
	return r.probeWS(ctx)
}

func (r *run) probeWS(ctx context.Context) error {
	var rest []uint8
	for _, k := range r.kinds {
		if !kinds[k].ws {
			rest = append(rest, k)
		}
	}
	if len(rest) == len(r.kinds) {
		return nil
	}
	w := &worker{run: r, ctx: ctx, id: maxWorkers - 2, kind: kindWS, rng: newRand(r.cfg.Seed, maxWorkers+1)}
	l := w.open()
	if l == nil {
		return errors.New("the server accepts no second connection")
	}
	defer l.x.close()
	defer r.tally[kindWS].conns.Store(0)
	if l.upgrade() != nil {
		return nil
	}
	if len(rest) == 0 {
		return fmt.Errorf("the server does not answer a WebSocket handshake on %s/ws", r.prefix)
	}
	r.tally[kindWS].class[Refused].Store(0)
	r.kinds = rest
	r.notes = append(r.notes, "The server has no WebSocket echo at "+r.prefix+"/ws; those kinds were left out.")
	return nil
}

// soak runs the workers for the time that was asked for.
func (r *run) soak(ctx context.Context, s *sampler) {
	r.began = time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for i := range r.cfg.Conns {
		r.workers = append(r.workers, r.newWorker(ctx, i))
	}
	var all sync.WaitGroup
	for _, w := range r.workers {
		all.Go(w.work)
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	s.follow(ctx, done)
	<-done
}

// alive asks whether the server still serves a fresh client. hazard invariant I2
func (r *run) alive(ctx context.Context) bool {
	if ctx.Err() != nil {
		ctx = context.Background()
	}
	w := &worker{run: r, ctx: ctx, id: maxWorkers - 3, kind: kindPost, rng: newRand(r.cfg.Seed, maxWorkers+2)}
	for range 5 {
		m := Mark{Worker: w.id, Kind: kindPost, Conn: w.nextConn}
		w.nextConn++
		if x, err := r.dial(ctx, m); err == nil {
			l := &lane{w: w, x: x, mark: m}
			e := l.newExpect(Binary, 1000)
			x.nc.SetDeadline(time.Now().Add(2 * time.Second))
			err := x.send(l.appendRequest(nil, "/echo", e, false, true))
			g, rerr := l.nextReply()
			x.close()
			if !r.echoesType {
				e.ident = ""
			}
			if err == nil && rerr == nil && g.is(e) {
				return true
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false
}

// A Home is what a process holds when nothing is going on.
type Home struct {
	Descriptors int     `json:"descriptors"`
	Goroutines  int     `json:"goroutines"`
	Blocks      float64 `json:"blocks"`
}

func (r *run) home() Home {
	h := Home{Descriptors: process.Descriptors(), Goroutines: runtime.NumGoroutine()}
	if r.stats != nil && r.own != nil {
		h.Blocks = blocksOf(r.stats())
	}
	return h
}

// goHome waits up to five seconds for everything to be given back. hazard invariant I4
func (r *run) goHome(before Home) Home {
	for i := 0; ; i++ {
		h := r.home()
		if i == 50 || h.Descriptors <= before.Descriptors && h.Goroutines <= before.Goroutines+5 && h.Blocks <= before.Blocks {
			return h
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func sortedKeys[V any](m map[string]V) []string {
	ks := make([]string, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	sort.Strings(ks)
	return ks
}
