// Command strand is what a person runs: a server to look at and try, and the programs that prove it.
//
//	strand serve     start a server with a page that shows the engine live
//	strand soak      send a server marked bytes and check that each comes back to its owner
//	strand version   say which version this is
//	strand help      say this
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/d74363f0/strand/cmd/strand/internal/soak"
)

// Exit codes: what was asked for could not be done, and what was asked for could not be understood.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// A command is one word after strand.
type command struct {
	name, does string
	run        func(args []string, stdout, stderr io.Writer) int
}

var commands = []command{
	{"serve", "start a server with a page that shows the engine live", serve},
	{"soak", "send a server marked bytes and check that each comes back to its owner", soak.Command},
	{"version", "say which version this is", printVersion},
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		help(stderr)
		return exitUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		help(stdout)
		return exitOK
	}
	for _, c := range commands {
		if c.name == args[0] {
			return c.run(args[1:], stdout, stderr)
		}
	}
	fmt.Fprintf(stderr, "strand: no command %q (see: strand help)\n", args[0])
	return exitUsage
}

func help(w io.Writer) {
	fmt.Fprintln(w, "strand: a network server whose every byte belongs to one connection")
	fmt.Fprintln(w)
	for _, c := range commands {
		fmt.Fprintf(w, "  strand %-9s %s\n", c.name, c.does)
	}
	fmt.Fprintf(w, "  strand %-9s %s\n", "help", "say this")
	fmt.Fprintln(w)
	fmt.Fprintln(w, "Flags of a command: strand serve -h, strand soak -h")
}
