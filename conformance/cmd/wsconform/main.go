// Command wsconform asks a WebSocket echo peer the questions of RFC 6455 and RFC 7692 and
// exits with status 1 if it fails any.
//
//	wsconform ws://127.0.0.1:9001/
//	wsconform -role client -exec 'node echo-client.js' ws://127.0.0.1:9002
//
// As a client's examiner it listens on the URL's address and runs the command with the
// URL to connect to appended, once for each case. The command sends every message back
// until the connection ends, and then ends itself. The environment variable
// WSCONFORM_DEFLATE is 1 in cases in which it has to offer permessage-deflate.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"time"

	"github.com/d74363f0/strand/conformance"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "wsconform:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context) (bool, error) {
	var o conformance.Options
	role := flag.String("role", "server", "what the peer is: server or client")
	command := flag.String("exec", "", "the client under test, run for each case with the URL appended")
	match := flag.String("match", "", "a regular expression for the ids to run")
	insecure := flag.Bool("insecure", false, "do not verify a wss server's certificate")
	flag.Int64Var(&o.Limit, "limit", 0, "the longest message in bytes that the peer is set to take; 0 declines the cases about limits")
	flag.BoolVar(&o.OriginChecked, "origin", false, "the server refuses foreign Origins")
	flag.DurationVar(&o.Timeout, "timeout", 15*time.Second, "how long to wait for one answer")
	flag.IntVar(&o.Parallel, "parallel", 16, "how many cases run at once")
	flag.Int64Var(&o.Seed, "seed", 1, "makes segments and data repeatable")
	flag.Parse()
	if flag.NArg() != 1 {
		return false, errors.New("name one URL")
	}
	u, err := url.Parse(flag.Arg(0))
	if err != nil {
		return false, err
	}
	if *match != "" {
		if o.Match, err = regexp.Compile(*match); err != nil {
			return false, err
		}
	}
	if *insecure {
		o.TLS = &tls.Config{InsecureSkipVerify: true}
	}
	var rep conformance.Report
	switch *role {
	case "server":
		rep = conformance.RunServer(ctx, flag.Arg(0), o)
	case "client":
		if *command == "" {
			return false, errors.New("-role client needs -exec")
		}
		rep = conformance.RunClient(ctx, u.Host, executed(*command), o)
	default:
		return false, fmt.Errorf("role %q is neither server nor client", *role)
	}
	fmt.Print(rep)
	return rep.OK(), nil
}

// executed runs the command for each connection.
func executed(command string) conformance.EchoClient {
	return func(ctx context.Context, url string, deflate bool) error {
		f := strings.Fields(command)
		c := exec.CommandContext(ctx, f[0], append(f[1:], url)...)
		c.Env = os.Environ()
		if deflate {
			c.Env = append(c.Env, "WSCONFORM_DEFLATE=1")
		}
		c.Stderr = os.Stderr
		return c.Run()
	}
}
