// Command c serves the bare echo in C for the measurements.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"github.com/d74363f0/strand/bench/peer"
	"github.com/d74363f0/strand/bench/serve"
)

func main() {
	serve.Main(map[string]serve.Services{
		"c-epoll": {peer.TCP: execC},
	})
}

// execC becomes the C server, so that its process holds nothing of Go's.
func execC(addr string) error {
	bin := os.Getenv(peer.CServerEnv)
	if bin == "" {
		return fmt.Errorf("%s is not set", peer.CServerEnv)
	}
	return syscall.Exec(bin, []string{bin, addr, strconv.Itoa(runtime.GOMAXPROCS(0))}, os.Environ())
}
