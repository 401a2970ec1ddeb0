package soak

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Main is "strand soak" with the arguments after that word. It returns the exit code: 0 for a clean run, 1 for any
// finding or a server that cannot be soaked, 2 for arguments that cannot be understood.
func Main(args []string) int { return Command(args, os.Stdout, os.Stderr) }

// Command is Main with the places to write to.
func Command(args []string, stdout, stderr io.Writer) int {
	o, code := parseArgs(args, stdout, stderr)
	if o == nil {
		return code
	}
	if err := writable(o.report); err != nil {
		fmt.Fprintf(stderr, "strand soak: -report: %v\n", err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal finds nobody who catches it, and so ends a run that does not end itself
	line := newStatusLine(stderr)
	o.cfg.Progress = line.show
	fmt.Fprintf(stderr, "strand soak: seed %d\n", o.cfg.Seed)
	res, err := Run(ctx, o.cfg)
	line.clear()
	if err != nil {
		fmt.Fprintf(stderr, "strand soak: %v\n", err)
		return 1
	}
	if o.json {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(res)
	} else {
		res.WriteText(stdout)
	}
	if o.report != "" && err == nil {
		var page string
		if page, err = res.WriteReport(o.report); err == nil {
			fmt.Fprintf(stderr, "report: %s\n", page)
		}
	}
	if err != nil {
		fmt.Fprintf(stderr, "strand soak: %v\n", err)
		return 1
	}
	return res.ExitCode()
}

// writable says what is wrong with the directory for the report, which it makes if need be: before the run, not when its
// result would be lost. "" is no directory.
func writable(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".soak-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

type options struct {
	cfg    Config
	json   bool
	report string
}

const usage = `usage: strand soak [flags] [URL]

Checks that a server keeps its connections apart: every byte sent is a function of the seed, its connection, its
request and its offset, so a foreign, lost, damaged, duplicated or reordered byte is noticed and its owner named.

URL is http:// or https:// and leads to a server with /echo (returns a POST's body with its Content-Type) and, if it
can, /ws (WebSocket echo) and /stats (JSON figures); "strand serve" is one. Without URL a server with hostile handlers
is started in this process, and what the handlers see is checked too.

Exit code: 0 clean, 1 any finding, 2 usage.

`

// parseArgs returns nil options when there is nothing to run, and then the exit code.
func parseArgs(args []string, stdout, stderr io.Writer) (*options, int) {
	o := &options{}
	c := &o.cfg
	fs := flag.NewFlagSet("strand soak", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), usage)
		fs.PrintDefaults()
		fmt.Fprintln(fs.Output(), "\nKinds:")
		for i := range kinds {
			if k := &kinds[i]; !k.inner {
				fmt.Fprintf(fs.Output(), "  %-13s %s\n", k.name, k.about)
			}
		}
	}
	fs.DurationVar(&c.Time, "time", 10*time.Second, "how long to send")
	fs.IntVar(&c.Conns, "conns", 64, "connections open at a time")
	seed := fs.String("seed", "", "seed of every byte and cut; drawn and printed if not given")
	fs.StringVar(&c.Kinds, "kinds", "all", "kinds with commas between, groups (all, http, ws-all, hostile), -kind to leave one out")
	fs.BoolVar(&o.json, "json", false, "write the result as JSON")
	fs.StringVar(&o.report, "report", "", "write a page with plots into this directory")
	fs.BoolVar(&c.Insecure, "insecure", false, "accept any certificate of an https URL")
	fs.IntVar(&c.MinSize, "min", 0, "smallest message in bytes")
	fs.IntVar(&c.MaxSize, "max", 1<<20, "largest message in bytes")
	fs.DurationVar(&c.Timeout, "timeout", 30*time.Second, "a reply that takes longer is lost")
	target := fs.String("target", DefaultTarget().String(), "own server: "+targetNames())
	fs.BoolVar(&c.TLS, "tls", false, "own server: speak TLS")
	for _, a := range args {
		if a == "-h" || a == "-help" || a == "--help" {
			fs.SetOutput(stdout)
		}
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, 0
		}
		return nil, 2
	}
	if err := o.finish(fs, *seed, *target); err != nil {
		fmt.Fprintf(stderr, "strand soak: %v\n", err)
		return nil, 2
	}
	return o, 0
}

func (o *options) finish(fs *flag.FlagSet, seed, target string) error {
	c := &o.cfg
	if fs.NArg() > 1 {
		return fmt.Errorf("one URL at a time, and flags before it: %q", fs.Args())
	}
	c.URL = fs.Arg(0)
	for _, t := range targets {
		if t.String() == target {
			c.Target = t
		}
	}
	if c.Target == nil {
		return fmt.Errorf("no target %q; there are %s", target, targetNames())
	}
	if c.URL != "" && c.TLS {
		return errors.New("-tls is for the own server; give an https URL instead")
	}
	c.Seed = rand.Uint64N(1 << 48)
	if seed != "" {
		n, err := strconv.ParseUint(seed, 0, 64)
		if err != nil {
			return fmt.Errorf("-seed %q is not a number from 0 to %d", seed, uint64(math.MaxUint64))
		}
		c.Seed = n
	}
	if c.Time <= 0 || c.Timeout <= 0 || c.Conns <= 0 || c.MaxSize <= 0 {
		return errors.New("-time, -timeout, -conns and -max have to be positive")
	}
	probe := *c
	if err := probe.defaults(); err != nil {
		return err
	}
	if _, err := chooseKinds(c.Kinds, c.URL == ""); err != nil {
		return err
	}
	return (&run{cfg: *c}).aim(cmpURL(c.URL))
}

// cmpURL stands in for the own server's URL, which is not known yet.
func cmpURL(u string) string {
	if u == "" {
		return "http://127.0.0.1"
	}
	return u
}

func targetNames() string {
	var s []string
	for _, t := range targets {
		s = append(s, t.String())
	}
	return strings.Join(s, ", ")
}
