// Package serve is what the servers' programs share: their flags, profiles and
// certificates, and the ways to listen that several of them need.
package serve

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/d74363f0/strand/bench/peer"
)

// Services are what a library serves, each on an address, until the process ends:
// they return only with an error.
type Services map[peer.Kind]func(addr string) error

// Main is the program of a server: PROGRAM -peer P -kind K -addr A.
func Main(peers map[string]Services) {
	if err := run(peers, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(peers map[string]Services, args []string) error {
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
	service := peers[*name][peer.Kind(*kind)]
	if service == nil {
		return fmt.Errorf("this program does not serve %s of peer %q", *kind, *name)
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
	return service(*addr)
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
