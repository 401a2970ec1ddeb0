package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"

	"github.com/d74363f0/strand/http1"
)

// late is how long after the handler its body is closed: about as long as the
// next request needs to be given that body.
const late = 50 * time.Microsecond

// echo answers with the request's body, and closes that late.
func echo(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	w.Write(b)
	body := r.Body
	go func() { // ends by itself, late
		time.Sleep(late)
		body.Close()
	}()
}

// libraries serve the handler; each returns when it accepts connections, or an
// error.
var libraries = map[string]func(net.Listener, http.Handler) error{
	"nbio":   serveNbio,
	"strand": serveStrand,
}

func serveNbio(l net.Listener, h http.Handler) error {
	logging.SetLevel(logging.LevelNone)
	addr := l.Addr().String()
	if err := l.Close(); err != nil { // it listens itself, and cannot say where
		return err
	}
	return nbhttp.NewServer(nbhttp.Config{Network: "tcp", Addrs: []string{addr}, Handler: h}).Start()
}

func serveStrand(l net.Listener, h http.Handler) error {
	s := &http1.Server{Handler: h}
	go func() { // ends with the process
		fmt.Fprintln(os.Stderr, s.Serve(l))
	}()
	return nil
}

// serve is the child: it serves with one library, writes its address to out and
// ends when in does, which is when its parent has ended.
func serve(library string, in io.Reader, out io.Writer) error {
	f := libraries[library]
	if f == nil {
		return fmt.Errorf("no library %q", library)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := l.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", echo)
	if err := f(l, mux); err != nil {
		return err
	}
	fmt.Fprintln(out, addr)
	_, err = io.Copy(io.Discard, in)
	return err
}

// start runs serve in a process of its own, because a server that frees memory
// twice may do anything. The server ends when stop is called or ctx ends.
func start(ctx context.Context, library string) (addr string, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, self, "serve", library)
	// More threads than cores, so that the kernel stops some in the middle of
	// what is wrong, as happens by itself on a larger machine.
	cmd.Env = append(os.Environ(), "GOMAXPROCS=16")
	if _, err = cmd.StdinPipe(); err != nil { // held until the child has ended
		cancel()
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return "", nil, err
	}
	stop = func() {
		cancel()
		cmd.Wait() // says that it was killed
	}
	line := make([]byte, 64)
	n, err := out.Read(line)
	addr, whole := strings.CutSuffix(string(line[:n]), "\n")
	if !whole {
		stop()
		return "", nil, errors.Join(errors.New(library+" does not serve"), err)
	}
	return addr, stop, nil
}
