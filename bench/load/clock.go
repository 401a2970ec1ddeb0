package load

import (
	"time"

	"golang.org/x/sys/unix"
)

var base = time.Now()

// now is nanoseconds on the monotonic clock.
func now() int64 { return int64(time.Since(base)) }

// ProcessCPU is the processor time, user and system, that the process pid has
// used since it began, all threads together, those that ended included. It is
// the sum that /proc/PID/stat shows, in nanoseconds instead of ticks.
func ProcessCPU(pid int) (time.Duration, error) {
	const sched = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|sched), &ts); err != nil {
		return 0, err
	}
	return time.Duration(ts.Nano()), nil
}

// ownCPU is the processor time this process has used.
func ownCPU() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
