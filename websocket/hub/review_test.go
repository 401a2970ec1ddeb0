package hub

import (
	"runtime"
	"testing"
)

// A connection that goes from topic to topic by LeaveAll must not collect something each time.
func TestLeaveAllLeavesNothing(t *testing.T) {
	f := newFixture(t, nil)
	_, c, _ := f.join("lobby")
	const n = 100_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range n {
		f.hub.LeaveAll(c)
		f.hub.Join(c, "room")
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > n {
		t.Errorf("%d bytes more after %d moves", grown, n)
	}
	runtime.KeepAlive(c)
}
