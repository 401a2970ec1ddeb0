package strand

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/d74363f0/strand/internal/buf"
)

// keeper is a handler that says which connection opened and how it ended.
type keeper struct {
	opened chan *Conn
	ended  chan error
}

func (k *keeper) OnOpen(c *Conn)           { k.opened <- c }
func (k *keeper) OnReadable(*Conn)         {}
func (k *keeper) OnDrained(*Conn)          {}
func (k *keeper) OnClose(_ *Conn, e error) { k.ended <- e }

// A Block of another connection is neither queued nor, which no code path brings about, sent from the queue: the
// belt to the braces.
func TestForeignBlockIsNeverSent(t *testing.T) { // invariant I1
	t.Run("pushed", func(t *testing.T) {
		neverSent(t, 20, func(c *Conn, foreign *buf.Block) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if err := c.out.Push(foreign.Owner(), foreign); err != nil { // as a bug would
				t.Fatal(err)
			}
			c.settle(foreign.Len())
		})
	})
	t.Run("written", func(t *testing.T) {
		neverSent(t, 0, func(c *Conn, foreign *buf.Block) {
			if err := buf.Send(c, foreign); !errors.Is(err, ErrIsolation) {
				t.Errorf("Send: %v", err)
			}
			foreign.Release() // it is still ours
		})
	})
}

// neverSent has write try to send another connection's Block, and wants the connection aborted with so many bytes
// dropped.
func neverSent(t *testing.T, dropped uint64, write func(*Conn, *buf.Block)) {
	seen := make(chan Violation, 1)
	e, err := New(Options{
		Logger:      slog.New(slog.NewTextHandler(io.Discard, nil)),
		OnViolation: func(v Violation) { seen <- v },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	k := &keeper{opened: make(chan *Conn, 1), ended: make(chan error, 1)}
	l, err := e.Listen("tcp", "127.0.0.1:0", func(*Conn) Handler { return k })
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	c := <-k.opened
	foreign := buf.Take(c.ID()+1000, 100)
	foreign.Append([]byte("another connection's"))
	write(c, foreign)
	if err := <-k.ended; !errors.Is(err, ErrIsolation) {
		t.Errorf("OnClose: %v", err)
	}
	if got, _ := io.ReadAll(nc); len(got) != 0 {
		t.Errorf("sent %q", got)
	}
	if v := <-seen; v.Conn != c.ID() || v.Where == "" {
		t.Errorf("%+v", v)
	}
	if s := e.Stats(); s.Violations != 1 || s.DroppedBytes["isolation"] != dropped || s.BytesDropped != dropped {
		t.Errorf("%d violations counted, dropped %v", s.Violations, s.DroppedBytes)
	}
}
