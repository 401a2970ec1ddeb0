package websocket

import (
	"testing"
	"unsafe"
)

// TestConnSize: a million idle connections are a million of these.
func TestConnSize(t *testing.T) {
	if n := unsafe.Sizeof(Conn{}); n > 96 {
		t.Errorf("a Conn is %d bytes", n)
	}
}
