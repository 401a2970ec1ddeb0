//go:build strand_debug

package strand

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/d74363f0/strand/internal/buf"
)

// leaker takes a Block in its name and forgets it.
type leaker struct{ opened chan *buf.Block }

func (l leaker) OnOpen(c *Conn)     { l.opened <- buf.Take(c.ID(), 512) }
func (leaker) OnReadable(c *Conn)   { _ = c.Close() }
func (leaker) OnDrained(*Conn)      {}
func (leaker) OnClose(*Conn, error) {}

// TestBlocksComeHome wants the engine's end to name a Block that nobody
// released, and to be silent when all are home.
func TestBlocksComeHome(t *testing.T) {
	defer func(d time.Duration) { homeTime = d }(homeTime)
	homeTime = 50 * time.Millisecond
	e, err := New(Options{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	defer theirs.Close()
	l := leaker{make(chan *buf.Block, 1)}
	if _, err := e.Adopt(ours, l); err != nil {
		t.Fatal(err)
	}
	b := <-l.opened
	func() {
		defer func() {
			text := fmt.Sprint(recover())
			if !strings.Contains(text, "leaker") || !strings.Contains(text, fmt.Sprintf("%p", b)) {
				t.Errorf("the engine's end says %q", text)
			}
		}()
		_ = e.Close()
	}()
	b.Release()
	e.homing.check()
}
