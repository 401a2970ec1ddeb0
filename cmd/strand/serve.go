package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// minFiles is the fewest file descriptors serve starts with: below it, a browser and a load test
// already fight for them, and what fails then looks like a fault of the server.
const minFiles = 256

// serve is the command: it listens, says where, and runs until Ctrl-C or SIGTERM.
func serve(args []string, stdout, stderr io.Writer) int {
	c, err := parseServe(args, stdout)
	if errors.Is(err, errHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "strand serve: %v (see: strand serve -h)\n", err)
		return exitUsage
	}
	files, err := enoughFiles()
	if err != nil {
		fmt.Fprintf(stderr, "strand serve: %v\n", err)
		return exitFailed
	}
	// Before the address is told to anyone: who reads it may signal at once.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s := &site{config: c, files: files, started: time.Now(), log: log}
	addr, err := s.start()
	if err != nil {
		fmt.Fprintf(stderr, "strand serve: %s\n", startTrouble(err))
		return exitFailed
	}
	fmt.Fprintf(stdout, "strand: serving http://%s (%s, %d file descriptors; Ctrl-C drains)\n", browsable(addr), plural(s.engine.Stats().Loops, "loop"), files)
	if s.tlsAddr != nil {
		fmt.Fprintf(stdout, "strand: serving https://%s (HTTP/1.1 and HTTP/2; certificate SHA-256 %s)\n", browsable(s.tlsAddr), s.fingerprint)
	}
	select {
	case err := <-s.failed:
		fmt.Fprintf(stderr, "strand serve: stopped listening: %v\n", err)
		return exitFailed
	case got := <-signals:
		return s.drain(got, signals, stdout, stderr)
	}
}

func enoughFiles() (uint64, error) {
	n, err := fileLimit()
	if err != nil {
		return 0, err
	}
	if n < minFiles {
		return 0, fmt.Errorf("only %d file descriptors are allowed and at least %d are needed; raise the limit "+
			"(ulimit -n 4096, LimitNOFILE= in systemd, --ulimit nofile= in docker)", n, minFiles)
	}
	return n, nil
}

// A listenError is why nothing listens on the address that a flag gave.
type listenError struct {
	flag, addr string
	err        error
}

func (e *listenError) Error() string { return e.flag + " " + e.addr + ": " + e.err.Error() }

func (e *listenError) Unwrap() error { return e.err }

// listen is net.Listen on the address that a flag gave, with an error that knows which.
func listen(flag, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &listenError{flag, addr, err}
	}
	return l, nil
}

// startTrouble says in one line why the server did not start and, if that is an address, what to do. Other errors, of a
// file that may not be read for one, can hold the same numbers and mean something else.
func startTrouble(err error) string {
	var on *listenError
	if !errors.As(err, &on) {
		return err.Error()
	}
	var dns *net.DNSError
	switch {
	case errors.Is(on, syscall.EADDRINUSE):
		return on.addr + " is already in use; stop what listens there or choose another with " + on.flag
	case errors.Is(on, syscall.EACCES):
		return on.addr + " needs more rights than this user has; choose a port above 1023 with " + on.flag
	case errors.Is(on, syscall.EADDRNOTAVAIL):
		return on.addr + " is not an address of this machine; choose another with " + on.flag
	case errors.As(on, &dns):
		return on.flag + " " + on.addr + ": there is no host " + dns.Name
	}
	return err.Error()
}

// browsable is addr as a person can open it: a wildcard is not an address to go to.
func browsable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// drain stops accepting, lets what runs finish within the limit, and says what it did. A second signal ends it at once.
func (s *site) drain(got os.Signal, signals <-chan os.Signal, stdout, stderr io.Writer) int {
	began := time.Now()
	open := s.snapshot().Connections
	s.draining.Store(true)
	fmt.Fprintf(stdout, "strand: %v: draining %s, at most %v (again to stop at once)\n", got, plural(int(open), "connection"), s.config.drain)
	ctx, cancel := context.WithTimeout(context.Background(), s.config.drain)
	defer cancel()
	hurried := make(chan struct{})
	go func() { // ends with ctx, which drain cancels
		select {
		case <-signals:
			close(hurried)
			cancel()
		case <-ctx.Done():
		}
	}()
	left := s.stop(ctx)
	took := time.Since(began).Round(time.Millisecond)
	fmt.Fprintf(stdout, "strand: drained %s in %v; served %s and %s in %v\n",
		plural(int(open-min(left, open)), "connection"), took, plural(int(s.requests.Load()), "request"),
		plural(int(s.messages.Load()), "message"), time.Since(s.started).Round(time.Millisecond))
	if left == 0 {
		return exitOK
	}
	why := fmt.Sprintf("after %v", s.config.drain)
	select {
	case <-hurried:
		why = "at the second signal"
	default:
	}
	fmt.Fprintf(stderr, "strand serve: %s still open %s: cut\n", plural(int(left), "connection"), why)
	return exitFailed
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
