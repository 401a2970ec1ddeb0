//go:build !strand_std

package websocket

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/d74363f0/strand/internal/steady"
)

// A peer that reads slowly, and answers the pings it finds on the way, has all of it: the connection is there until the
// kernel's buffer is empty, too. The portable transport does not know when that is.
func TestCloseAndAReaderWhoAnswers(t *testing.T) { // hazards 96, 97
	const limit, size = 400 * time.Millisecond, 512 << 10
	steady.Try(t, limit/4, func(t testing.TB) {
		c, r, h := stalled(t, "strand", &Options{CloseTimeout: limit, MaxQueued: 2 * size})
		_ = r.nc.(*net.TCPConn).SetReadBuffer(16 << 10)
		if err := c.Ping([]byte("there?")); err != nil {
			t.Fatal(err)
		}
		if err := c.WriteMessage(Binary, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		r.expect(0x89, "there?")
		head := make([]byte, 10)
		if _, err := io.ReadFull(r.br, head); err != nil {
			t.Fatal(err)
		}
		p := make([]byte, size/32)
		for i := range 32 {
			time.Sleep(limit / 8)
			if _, err := io.ReadFull(r.br, p); err != nil {
				t.Fatalf("part %d of 32: %v; OnClose received %v", i, err, h.wait(t))
			}
			if i%4 == 0 { // behind the first CloseTimeout, too
				r.send(frame(0x8a, "there?"))
			}
		}
		r.expect(0x88, "\x03\xe8")
		r.send(frame(0x88, "\x03\xe8"))
		if e := h.wait(t); e.Code != Normal || e.Cause != nil {
			t.Errorf("OnClose received %v", e)
		}
	})
}
