package peer

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

//go:embed cserver/epoll.c
var epollSource []byte

var cPeer = &Peer{
	Name:        "c-epoll",
	Note:        "the limit: read and write in C, no library at all",
	MayNotBlock: true,
	serve:       map[Kind]func(string) error{TCP: execC},
}

// BuildC compiles the C server with gcc into dir and returns its path.
func BuildC(dir string) (string, error) {
	src, bin := filepath.Join(dir, "epoll.c"), filepath.Join(dir, "epoll")
	if err := os.WriteFile(src, epollSource, 0o600); err != nil {
		return "", err
	}
	out, err := exec.Command("gcc", "-O2", "-Wall", "-pthread", "-o", bin, src).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("gcc: %w: %s", err, out)
	}
	return bin, nil
}

// CServerEnv names the environment variable with the path that BuildC returned.
const CServerEnv = "BENCH_C_SERVER"

// execC becomes the C server, so that its process holds nothing of Go's.
func execC(addr string) error {
	bin := os.Getenv(CServerEnv)
	if bin == "" {
		return fmt.Errorf("%s is not set", CServerEnv)
	}
	return syscall.Exec(bin, []string{bin, addr, strconv.Itoa(runtime.GOMAXPROCS(0))}, os.Environ())
}
