package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/d74363f0/strand/bench/peer"
	"github.com/d74363f0/strand/bench/report"
)

// driver runs rows against peers.
type driver struct {
	self     string   // this program, which is every load too
	dir      string   // scratch: the servers, scripts
	env      []string // of every child
	rounds   int
	warm     time.Duration
	duration time.Duration
	settle   time.Duration // what a server gets to collect its garbage
	maxConns int           // caps the connections of the own client; 0 for none
	seed     int
	profile  string // directory for the servers' profiles, or empty
	log      io.Writer
}

// options are the driver's flags.
type options struct {
	rows, peers, json, html, profile string
	rounds, seed                     int
	length                           time.Duration
	quick, list                      bool
	pool                             []string // files of -json, to be taken together
}

func parse(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.StringVar(&o.rows, "rows", ".", "regular expression that the names of rows match, from beginning to end or by a part")
	fs.StringVar(&o.peers, "peers", "", "comma-separated names of peers; empty for all")
	fs.IntVar(&o.rounds, "rounds", 5, "rounds, each of which measures every peer once")
	fs.IntVar(&o.seed, "seed", 1, "seed of the messages' bytes")
	fs.DurationVar(&o.length, "time", 3*time.Second, "how long one measurement counts; wrk rounds it up to seconds")
	fs.StringVar(&o.json, "json", "", "file for the results as JSON")
	fs.StringVar(&o.html, "html", "", "file for the results as one page with plots")
	fs.StringVar(&o.profile, "profile", "", "directory for a processor and a heap profile of each row and peer, and a table of what costs what; costs a few percent")
	fs.BoolVar(&o.quick, "quick", false, "one short round with few connections: a smoke test, not a measurement")
	fs.BoolVar(&o.list, "list", false, "list rows and peers and stop")
	pool := fs.Bool("pool", false, "measure nothing: print the runs whose -json files are the arguments, taken together")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if *pool {
		if o.pool = fs.Args(); len(o.pool) == 0 {
			return nil, errors.New("-pool needs files that -json wrote")
		}
		return o, nil
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if o.rounds < 1 || o.length <= 0 {
		return nil, errors.New("-rounds and -time must be positive")
	}
	return o, nil
}

// drive is the whole program as its user sees it.
func drive(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.pool != nil {
		return pool(o)
	}
	rows, peers, err := choose(o)
	if err != nil {
		return err
	}
	if o.list {
		return list(os.Stdout, rows, peers)
	}
	d, err := newDriver(o, peers)
	if err != nil {
		return err
	}
	defer os.RemoveAll(d.dir)
	rep := newReport(o, args, d, peers)
	err = d.all(ctx, rep, rows, peers, func() error { return publish(o, rep) })
	report.Table(os.Stdout, rep)
	if o.profile != "" {
		err = errors.Join(err, costs(os.Stdout, rep, o.profile))
	}
	return errors.Join(err, publish(o, rep))
}

// pool shows several runs as one.
func pool(o *options) error {
	var runs []*report.Report
	for _, name := range o.pool {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		r, err := report.Read(bytes.NewReader(b))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		runs = append(runs, r)
	}
	rep, err := report.Pool(runs)
	if err != nil {
		return err
	}
	report.Table(os.Stdout, rep)
	return publish(o, rep)
}

func choose(o *options) ([]*row, []*peer.Peer, error) {
	re, err := regexp.Compile(o.rows)
	if err != nil {
		return nil, nil, err
	}
	all := allRows()
	exact := slices.IndexFunc(all, func(r *row) bool { return r.name == o.rows })
	rows := slices.DeleteFunc(all, func(r *row) bool { return !re.MatchString(r.name) })
	if exact >= 0 {
		rows = slices.DeleteFunc(rows, func(r *row) bool { return r.name != o.rows })
	}
	if len(rows) == 0 {
		return nil, nil, fmt.Errorf("no row matches %q; see -list", o.rows)
	}
	peers := peer.All()
	if o.peers == "" {
		return rows, peers, nil
	}
	peers = nil
	for name := range strings.SplitSeq(o.peers, ",") {
		p := peer.Find(name)
		if p == nil {
			return nil, nil, fmt.Errorf("no peer %q; see -list", name)
		}
		peers = append(peers, p)
	}
	return rows, peers, nil
}

func list(w io.Writer, rows []*row, peers []*peer.Peer) error {
	for _, r := range rows {
		var names []string
		for _, p := range peers {
			if r.takes(p) {
				names = append(names, p.Name)
			}
		}
		if _, err := fmt.Fprintf(w, "%-26s %s\n%26s   %s\n", r.name, r.title, "", strings.Join(names, " ")); err != nil {
			return err
		}
	}
	return nil
}

func newDriver(o *options, peers []*peer.Peer) (*driver, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "strand-bench-")
	if err != nil {
		return nil, err
	}
	d := &driver{self: self, dir: dir, rounds: o.rounds, duration: o.length,
		warm: min(time.Second, o.length/3), settle: time.Second, seed: o.seed, profile: o.profile, log: os.Stderr}
	if o.quick {
		d.rounds, d.duration, d.warm, d.settle, d.maxConns = 1, 200*time.Millisecond, 0, 100*time.Millisecond, 200
	}
	if o.profile != "" {
		if err := os.MkdirAll(o.profile, 0o755); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	if err := d.build(peers); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	d.env = append(os.Environ(), peer.CServerEnv+"="+filepath.Join(dir, "epoll"))
	return d, nil
}

// all runs the rows and calls save after each, so that a run cut short is not lost.
func (d *driver) all(ctx context.Context, rep *report.Report, rows []*row, peers []*peer.Peer, save func() error) error {
	for _, r := range rows {
		out := report.Row{Name: r.name, Title: r.title, Unit: r.unit, Less: r.less,
			Load: r.work.describe(), Cores: "server and load on a core each"}
		if r.shared {
			out.Cores = "server and load share both cores"
		}
		for _, p := range peers {
			if r.takes(p) {
				out.Peers = append(out.Peers, report.Result{Peer: p.Name})
			}
		}
		rep.Rows = append(rep.Rows, out)
		if err := d.row(ctx, r, &rep.Rows[len(rep.Rows)-1]); err != nil {
			return err
		}
		rep.Finish()
		if err := save(); err != nil {
			return err
		}
	}
	return nil
}

// row measures every peer once a round, beginning with another one each round.
func (d *driver) row(ctx context.Context, r *row, out *report.Row) error {
	for round := range d.rounds {
		for i := range out.Peers {
			p := &out.Peers[(i+round)%len(out.Peers)]
			s, err := d.one(ctx, p.Peer, r)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				s.Void = err.Error()
			}
			p.Samples = append(p.Samples, s)
			d.progress(r, round, p.Peer, &s)
		}
	}
	return nil
}

func (d *driver) progress(r *row, round int, name string, s *report.Sample) {
	if s.Void != "" {
		fmt.Fprintf(d.log, "%s round %d %s: VOID %s\n", r.name, round+1, name, s.Void)
		return
	}
	fmt.Fprintf(d.log, "%s round %d %s: %.4g %s, %.2f µs/op, p99 %.0f µs, server %.2f load %.2f\n",
		r.name, round+1, name, s.Value, r.unit, s.CPU, s.P99, s.ServerShare, s.LoadShare)
}

// one starts a server, measures it and ends it.
func (d *driver) one(ctx context.Context, peerName string, r *row) (report.Sample, error) {
	s, err := d.startServer(ctx, peerName, r)
	if err != nil {
		return report.Sample{}, err
	}
	defer s.stop()
	out, err := r.work.run(ctx, d, r, s)
	if err != nil {
		if dead := s.alive(); dead != nil {
			err = errors.Join(err, dead)
		}
		return report.Sample{}, err
	}
	out.PeakRSS, err = s.memory("VmHWM")
	return out, err
}

// publish writes the files that were asked for.
func publish(o *options, rep *report.Report) error {
	write := func(name string, f func(io.Writer) error) error {
		if name == "" {
			return nil
		}
		tmp, err := os.CreateTemp(filepath.Dir(name), ".bench-")
		if err != nil {
			return err
		}
		if err := errors.Join(f(tmp), tmp.Chmod(0o644), tmp.Close()); err != nil {
			return errors.Join(err, os.Remove(tmp.Name()))
		}
		return os.Rename(tmp.Name(), name)
	}
	return errors.Join(write(o.json, rep.JSON),
		write(o.html, func(w io.Writer) error { return report.HTML(w, rep) }))
}
