//go:build unix

package main

import (
	"fmt"
	"math"
	"syscall"
)

// fileLimit is how many file descriptors this process may have. The Go runtime has raised the soft
// limit to the hard one by now, so a low figure is one that only the administrator can raise.
func fileLimit() (uint64, error) {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0, fmt.Errorf("asking for the limit of file descriptors: %w", err)
	}
	return min(uint64(r.Cur), math.MaxInt32), nil
}
