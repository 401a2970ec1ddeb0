package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// config is what the flags of serve say.
type config struct {
	addr      string
	tlsAddr   string
	certFile  string
	keyFile   string
	anyOrigin bool
	loops     int
	drain     time.Duration
}

// errHelp says that the usage was asked for and has been printed.
var errHelp = errors.New("help was asked for")

func parseServe(args []string, stdout io.Writer) (config, error) {
	var c config
	fs := flag.NewFlagSet("strand serve", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // a mistake gets one line, which the caller writes
	fs.StringVar(&c.addr, "addr", "127.0.0.1:8080", "listen on `host:port`; port 0 takes a free one")
	fs.StringVar(&c.tlsAddr, "tls-addr", "", "serve the same with TLS, HTTP/1.1 and HTTP/2, on this `host:port`, too")
	fs.StringVar(&c.certFile, "cert", "", "`file` with the certificate chain for -tls-addr; without it one is made at start and its fingerprint printed")
	fs.StringVar(&c.keyFile, "key", "", "`file` with the private key of -cert")
	fs.BoolVar(&c.anyOrigin, "any-origin", false, "accept WebSockets from pages of any origin (for test clients)")
	fs.IntVar(&c.loops, "loops", 0, "event `loops`; 0 means GOMAXPROCS")
	fs.DurationVar(&c.drain, "drain", 10*time.Second, "on Ctrl-C or SIGTERM wait this `long` for connections to finish")
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(stdout, "strand serve: start a server with a page that shows the engine live")
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return c, errHelp
	}
	if err != nil {
		return c, err
	}
	if fs.NArg() > 0 {
		return c, fmt.Errorf("takes flags only, got %q", fs.Arg(0))
	}
	return c, c.check()
}

// checkAddr says what is wrong with the address of a flag.
func checkAddr(name, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s %q is not host:port", name, addr)
	}
	if _, err := net.LookupPort("tcp", port); err != nil || port == "" {
		return fmt.Errorf("%s %q: %q is not a port", name, addr, port)
	}
	if strings.ContainsAny(host, " /") {
		return fmt.Errorf("%s %q: %q is not a host", name, addr, host)
	}
	return nil
}

func (c config) check() error {
	if err := checkAddr("-addr", c.addr); err != nil {
		return err
	}
	if c.tlsAddr != "" {
		if err := checkAddr("-tls-addr", c.tlsAddr); err != nil {
			return err
		}
	}
	if (c.certFile == "") != (c.keyFile == "") {
		return errors.New("-cert and -key go together")
	}
	if c.certFile != "" && c.tlsAddr == "" {
		return errors.New("-cert and -key are for -tls-addr, which is missing")
	}
	if c.loops < 0 || c.loops > 1024 {
		return fmt.Errorf("-loops %d is not between 0 and 1024", c.loops)
	}
	if c.drain < 0 {
		return fmt.Errorf("-drain %v is negative", c.drain)
	}
	return nil
}
