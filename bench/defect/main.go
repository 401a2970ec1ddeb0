package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"text/tabwriter"
	"time"
)

func main() {
	if err := dispatch(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "defect:", err)
		os.Exit(1)
	}
}

// dispatch runs what the arguments ask for; "serve LIBRARY" is for the children.
func dispatch(args []string) error {
	if len(args) == 2 && args[0] == "serve" {
		return serve(args[1], os.Stdin, os.Stdout)
	}
	fs := flag.NewFlagSet("defect", flag.ExitOnError)
	length := fs.Duration("time", 10*time.Second, "how long to soak each server")
	fs.Parse(args) // exits if it fails
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return compare(ctx, *length, os.Stdout)
}

// compare soaks both servers and writes the table. An error says that one of
// them did not do what it is here to show.
func compare(ctx context.Context, length time.Duration, w io.Writer) error {
	dir, err := os.MkdirTemp("", "defect")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program, err := build(ctx, dir)
	if err != nil {
		return err
	}
	old, err := catch(ctx, program, length)
	if err != nil {
		return err
	}
	ours, err := soak(ctx, program, "strand", length)
	if err != nil {
		return err
	}
	table(w, old, ours)
	if !old.caught() {
		return errors.New("nothing foreign was found in nbio this time: it is a race; try a longer -time")
	}
	if !ours.clean() {
		return errors.New("strand is not clean")
	}
	return nil
}

func table(w io.Writer, results ...*result) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "server\tverdict\texit code\tchecked\tforeign\tlost\tdamaged\tduplicated\treordered\t")
	for _, r := range results {
		name := r.Library
		if name == "nbio" {
			name = "nbio v1.2.18"
		}
		c := r.Total
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, r.Verdict, r.Exit,
			c.Checked, c.Foreign, c.Lost, c.Damaged, c.Duplicated, c.Reordered)
	}
	t.Flush()
	for _, r := range results {
		if e := r.example(); e != "" {
			fmt.Fprintf(w, "\non %s, for example, %s\n", r.Library, e)
		}
	}
}
