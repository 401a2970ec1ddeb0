package strand_test

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// A read of a Unix socket ends behind descriptors that were passed, and there is more all the same.
func TestReadBehindPassedDescriptors(t *testing.T) {
	got := make(chan byte, 8)
	arrived := make(chan struct{})
	l, err := newEngine(t, strand.Options{}).Listen("unix", filepath.Join(t.TempDir(), "s"), func(*strand.Conn) strand.Handler {
		return &hooks{
			open: func(*strand.Conn) { <-arrived },
			readable: func(c *strand.Conn) {
				for p := make([]byte, 4096); ; {
					n, err := c.Read(p)
					for _, b := range p[:n] {
						got <- b
					}
					if err != nil {
						return
					}
				}
			},
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	nc := dial(t, l.Addr()).(*net.UnixConn)
	if _, _, err := nc.WriteMsgUnix([]byte("AA"), syscall.UnixRights(1), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write([]byte("BB")); err != nil {
		t.Fatal(err)
	}
	close(arrived)
	for _, want := range []byte("AABB") {
		select {
		case b := <-got:
			if b != want {
				t.Errorf("%q where %q was sent", b, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%q does not arrive", want)
		}
	}
}
