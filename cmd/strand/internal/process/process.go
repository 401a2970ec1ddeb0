// Package process says what this process holds: memory and descriptors, as the
// plots of strand soak and the figures of strand serve show them.
package process

import (
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
)

// Heap returns the bytes of the objects on the heap, those that are garbage and
// not collected yet among them.
func Heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// Resident returns the bytes of memory that the system has given this process;
// 0 where that cannot be seen.
func Resident() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(f[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}

// Descriptors counts the open ones; -1 where that cannot be seen.
func Descriptors() int {
	const list = "/proc/self/fd"
	// Linux 6.2 and later tell the number as the directory's size; to list a
	// hundred thousand takes milliseconds.
	if about, err := os.Stat(list); err == nil && about.Size() > 0 {
		return int(about.Size())
	}
	d, err := os.Open(list)
	if err != nil {
		return -1
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return -1
	}
	return len(names) - 1 // without the one that looked
}
