package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"syscall"
	"time"

	"github.com/d74363f0/strand/bench/load"
	"github.com/d74363f0/strand/bench/peer"
)

// serverMain is one server process: bench server -peer P -kind K -addr A.
func serverMain(args []string) error {
	fs := flag.NewFlagSet("server", flag.ContinueOnError)
	name := fs.String("peer", "", "which peer")
	kind := fs.String("kind", "", "which service")
	addr := fs.String("addr", "", "where to listen, host:port")
	every := fs.Duration("gc", 0, "collect garbage this often, whatever is allocated; 0 for never")
	profile := fs.String("profile", "", "write NAME.cpu and NAME.heap, where NAME is this, at SIGTERM")
	fine := fs.Bool("fine", false, "sample the heap every 4 KiB, which costs processor time")
	if err := fs.Parse(args); err != nil {
		return err
	}
	p := peer.Find(*name)
	if p == nil {
		return fmt.Errorf("no peer %q", *name)
	}
	if *fine {
		runtime.MemProfileRate = 4 << 10
	}
	if *profile != "" {
		if err := profileUntilTerm(*profile); err != nil {
			return err
		}
	}
	go collectOnSignal(*profile)
	if *every > 0 {
		go collectEvery(*every)
	}
	return p.Serve(peer.Kind(*kind), *addr)
}

// collectOnSignal returns to the kernel what the process does not use, when the
// driver is about to read its memory. Twice: what is in a sync.Pool survives the
// first collection. With a profile it also writes the heap as it is now, with the
// connections still there.
func collectOnSignal(profile string) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	for range c {
		debug.FreeOSMemory()
		debug.FreeOSMemory()
		if profile == "" {
			continue
		}
		if err := writeHeap(profile + ".heap"); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

func collectEvery(d time.Duration) {
	for range time.Tick(d) {
		runtime.GC()
	}
}

// profileUntilTerm begins a profile, and at SIGTERM writes it and ends the process.
func profileUntilTerm(name string) error {
	cpu, err := os.Create(name + ".cpu")
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return err
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	go func() {
		<-c
		pprof.StopCPUProfile()
		err := cpu.Close()
		if _, missing := os.Stat(name + ".heap"); missing != nil {
			err = errors.Join(err, writeHeap(name+".heap"))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(0)
	}()
	return nil
}

func writeHeap(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	runtime.GC()
	return errors.Join(pprof.Lookup("heap").WriteTo(f, 0), f.Close())
}

// loadMain is one measurement: bench load CONFIG, which prints a load.Result.
func loadMain(args []string) error {
	if len(args) != 1 {
		return errors.New("load: one argument, the configuration as JSON")
	}
	var cfg load.Config
	if err := json.Unmarshal([]byte(args[0]), &cfg); err != nil {
		return err
	}
	r, err := load.Run(cfg)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// idleMain holds idle connections: bench idle PROTO ADDR. It reads a number a
// line, opens connections until there are so many, and prints the number.
func idleMain(args []string) error {
	if len(args) != 2 {
		return errors.New("idle: two arguments, protocol and address")
	}
	d, err := load.NewIdle(args[0], args[1])
	if err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		n, err := strconv.Atoi(in.Text())
		if err != nil {
			return err
		}
		if err := d.Grow(n); err != nil {
			return err
		}
		fmt.Println(n)
	}
	return in.Err()
}
