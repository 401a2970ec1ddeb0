package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/d74363f0/strand/bench/peer"
)

// cores names the processors that a process may run on.
type cores []int

// Where the two sides run. With two cores there is no third arrangement.
var (
	serverCore = cores{0}
	loadCore   = cores{1}
	bothCores  = cores{0, 1}
)

// start starts cmd on the given cores. The child inherits the mask of the thread
// that forks it, so it is right before the child's first instruction, and Go in
// the child sizes itself by it.
func start(cmd *exec.Cmd, on cores) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, want unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	for _, c := range on {
		want.Set(c)
	}
	if err := unix.SchedSetaffinity(0, &want); err != nil {
		return fmt.Errorf("pin to cores %v: %w", on, err)
	}
	defer unix.SchedSetaffinity(0, &before)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd.Start()
}

// tail keeps the end of what a child prints on standard error.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - 2000; over > 0 {
		t.buf = t.buf[over:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}

// server is a server process under measurement.
type server struct {
	peer string // its name
	cmd  *exec.Cmd
	addr string
	errs tail
	done chan struct{}
	// term says that the process has something to write before it ends.
	term bool
}

// startServer starts one and waits until it accepts connections.
func (d *driver) startServer(ctx context.Context, peerName string, r *row) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	args := []string{"-peer", peerName, "-kind", string(r.kind), "-addr", addr}
	if r.gcEvery > 0 {
		args = append(args, "-gc", r.gcEvery.String())
	}
	if d.profile != "" {
		args = append(args, "-profile", filepath.Join(d.profile, profileName(r.name, peerName)), fmt.Sprintf("-fine=%t", r.unit == perConn))
	}
	program := filepath.Join(d.dir, peer.Find(peerName).Server)
	s := &server{peer: peerName, cmd: exec.Command(program, args...), addr: addr, done: make(chan struct{}), term: d.profile != ""}
	s.cmd.Stderr = &s.errs
	s.cmd.Env = d.env
	if err := start(s.cmd, r.serverCores()); err != nil {
		return nil, err
	}
	go func() {
		s.cmd.Wait()
		close(s.done)
	}()
	if err := s.accepting(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// accepting waits until a connection succeeds.
func (s *server) accepting(ctx context.Context) error {
	for range 500 {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-s.done:
			return fmt.Errorf("server ended: %s", s.errs.String())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("server at %s does not accept: %s", s.addr, s.errs.String())
}

// alive is nil while the process runs.
func (s *server) alive() error {
	select {
	case <-s.done:
		return fmt.Errorf("server ended: %s", s.errs.String())
	default:
		return nil
	}
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// stop ends the process and waits until it is gone.
func (s *server) stop() {
	if s.term {
		s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.done:
			return
		case <-time.After(5 * time.Second):
		}
	}
	s.cmd.Process.Kill()
	<-s.done
}

// collect makes the server return unused memory and gives it time to.
func (s *server) collect(wait time.Duration) error {
	if err := s.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	time.Sleep(wait)
	return s.alive()
}

// memory reads a line of /proc/PID/status, such as VmRSS or VmHWM, in bytes.
func (s *server) memory(field string) (float64, error) {
	p, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid()))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(p) {
		rest, ok := bytes.CutPrefix(line, []byte(field+":"))
		if !ok {
			continue
		}
		kib, err := strconv.ParseFloat(string(bytes.Fields(rest)[0]), 64)
		return kib * 1024, err
	}
	return 0, fmt.Errorf("no %s in /proc/%d/status", field, s.pid())
}

var lastPort = 20000 + os.Getpid()%5000

// freeAddr finds a port below the range that outgoing connections use, and not
// the one of the server before, whose connections may still be dying.
func freeAddr() (string, error) {
	for range 1000 {
		lastPort++
		if lastPort > 32000 {
			lastPort = 20000
		}
		addr := "127.0.0.1:" + strconv.Itoa(lastPort)
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		return addr, ln.Close()
	}
	return "", fmt.Errorf("no free port")
}
