// Command bench measures strand beside other network libraries: each server in
// a process of its own on one core, the load on the other, in interleaved rounds.
//
//	go run ./bench -list
//	go run ./bench -rows 'http-plaintext|ws-echo-1k' -json out.json -html out.html
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if err := dispatch(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// dispatch runs the part of the program that args name. The parts other than
// the driver are what the driver starts as processes of their own.
func dispatch(args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "load":
			return loadMain(args[1:])
		case "idle":
			return idleMain(args[1:])
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return drive(ctx, args)
}
