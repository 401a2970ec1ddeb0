//go:build linux && !strand_std

package sim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/d74363f0/strand/internal/sock"
)

// proto is the client's side of what is spoken on a connection.
type proto interface {
	more(c *client) []byte          // what to send next; nil if nothing for now
	take(c *client, p []byte) error // judges what was received
	satisfied(c *client) bool       // everything expected was received
	idle(c *client) bool            // the server has nothing half done
	sentAll() bool                  // everything was sent that ever will be
	endOK(c *client) bool           // the server may end the connection now
}

// client is a simulated peer: a state machine that the simulation steps.
// Guarded by world.mu.
type client struct {
	w  *world
	id int
	p  proto
	f  *file // nil until it connects

	queue    []byte // to be sent
	got      int
	resetAt  int  // bytes received after which the client resets; -1: never
	halfOpen bool // ends its direction as soon as everything was sent
	fin      bool // we ended our direction
	gone     bool // we left
	ended    bool // the server ended the connection
	spoiled  bool // a fault or a reset excuses what is missing
	opens    int
	closes   int
}

func newClient(w *world, id int) *client {
	c := &client{w: w, id: id, resetAt: -1, spoiled: w.hasty}
	switch w.rng.IntN(3) {
	case 0:
		c.p = newRaw(w, c)
	case 1:
		c.p = newWeb(w, c)
	default:
		c.p = newSocket(w, c)
	}
	if w.chance(w.f.reset) {
		c.resetAt = w.rng.IntN(2000)
	}
	return c
}

func (c *client) String() string { return fmt.Sprintf("client %d", c.id) }

func (c *client) state() string {
	return fmt.Sprintf("%v %T: to send %d, received %d, satisfied %v, quiet %v, in %d, out %d, full %v, edge %v, fin %v/%v, ended %v, gone %v, spoiled %v, %v",
		c, c.p, len(c.queue), c.got, c.p.satisfied(c), c.quiet(), len(c.f.in), len(c.f.out), c.f.full, c.f.edge, c.f.fin, c.f.shut, c.ended, c.gone, c.spoiled, c.p)
}

// addr names the client by its port.
func (c *client) addr() sock.Addr {
	return sock.Addr{IP: [16]byte{10, 0, 0, 1}, Port: uint16(c.id), Kind: sock.IPv4}
}

// acts returns what the client could do now.
func (c *client) acts() []func() {
	if c.gone || c.ended {
		return nil
	}
	if c.f == nil {
		return []func(){c.connect}
	}
	var out []func()
	if !c.fin && !c.f.rst && len(c.queue) == 0 {
		c.queue = c.p.more(c)
	}
	if !c.fin && len(c.queue) > 0 && len(c.f.in) < 64<<10 && !c.f.closed {
		out = append(out, c.send)
	}
	if len(c.f.out) > 0 || c.f.closed || c.f.shut && !c.f.rst {
		out = append(out, c.receive, c.receive)
	}
	if c.halfOpen && !c.fin && len(c.queue) == 0 && c.p.sentAll() && !c.f.closed {
		out = append(out, c.end)
	}
	if c.resetAt >= 0 && c.got >= c.resetAt && !c.w.calm {
		out = append(out, c.reset)
	}
	return out
}

func (c *client) active() bool { return len(c.acts()) > 0 }

func (c *client) act() {
	acts := c.acts()
	acts[c.w.rng.IntN(len(acts))]()
}

// connect reaches the listener of its protocol.
func (c *client) connect() {
	w := c.w
	c.f = &file{c: c, room: 1 << (7 + w.rng.IntN(11))}
	if w.rng.IntN(8) == 0 {
		c.f.room = 1 << w.rng.IntN(7)
	}
	w.log("%v connects, room %d, %T", c, c.f.room, c.p)
	if _, raw := c.p.(*raw); !raw {
		w.k.open(c.f)
		w.accepts <- c.f
		return
	}
	w.raw().backlog = append(w.raw().backlog, c.f)
	w.raw().news()
}

// piece is how many of n bytes move at once.
func (w *world) piece(n int) int {
	switch w.rng.IntN(4) {
	case 0:
		return 1
	case 1:
		return n
	}
	return 1 + w.rng.IntN(n)
}

func (c *client) send() {
	n := c.w.piece(len(c.queue))
	c.w.log("%v sends %d bytes", c, n)
	if c.f.rst {
		c.queue = nil
		return
	}
	c.f.in = append(c.f.in, c.queue[:n]...)
	c.queue = c.queue[n:]
	c.f.news()
}

func (c *client) receive() {
	f, w := c.f, c.w
	if f.closed && f.linger && len(f.out) > 0 && !w.calm && w.chance(0.5) {
		f.out = f.out[:w.rng.IntN(len(f.out))] // a reset overtakes what was sent
	}
	if len(f.out) == 0 {
		c.seeEnd()
		return
	}
	n := w.piece(len(f.out))
	p := f.out[:n:n]
	f.out = f.out[n:]
	w.log("%v receives %d bytes", c, n)
	c.got += n
	if err := c.p.take(c, p); err != nil {
		w.failLocked("%v (%T), after %d bytes: %v", c, c.p, c.got, err)
	}
	if f.full && (len(f.out) == 0 || f.room-len(f.out) >= (f.room+2)/3) {
		f.full = false
		f.news()
	}
}

// seeEnd is the end of the server's direction.
func (c *client) seeEnd() {
	f, w := c.f, c.w
	if !f.closed && !f.shut || c.ended {
		return
	}
	w.log("%v sees the end, reset: %v", c, f.linger)
	if f.closed && f.linger {
		c.spoiled = true
	}
	if !c.spoiled && !c.p.satisfied(c) && !c.p.endOK(c) {
		w.failLocked("%v (%T): the server ended the connection early, after %d bytes", c, c.p, c.got)
	}
	if f.closed {
		c.ended = true
		return
	}
	if !c.fin {
		c.end()
	}
}

// end ends our direction.
func (c *client) end() {
	c.fin = true
	c.w.log("%v ends its direction", c)
	c.f.fin = true
	c.f.news()
}

// reset ends everything at once.
func (c *client) reset() {
	c.w.log("%v resets", c)
	c.spoiled, c.gone, c.queue = true, true, nil
	c.drop()
}

// drop is what a reset does to the server's end.
func (c *client) drop() {
	f := c.f
	f.rst, f.out = true, nil
	if c.w.rng.IntN(2) == 0 {
		f.in = nil
	}
	f.news()
}

// over reports whether the client has got what it came for, or never will.
func (c *client) over() bool {
	return c.gone || c.ended || c.f != nil && c.p.satisfied(c)
}

// quiet reports whether the server holds nothing half done for the client.
func (c *client) quiet() bool {
	return len(c.f.in) == 0 && len(c.queue) == 0 && len(c.f.out) == 0 && !c.f.fin && !c.f.rst && c.p.idle(c) &&
		c.p.satisfied(c) && c.f.num != 0
}

// judge wants that nothing is missing.
func (c *client) judge() {
	if c.f == nil || c.over() || c.spoiled {
		return
	}
	c.w.failLocked("%v (%T) still waits, in a world at rest: lost bytes, or a lost wake-up", c, c.p)
}

// leave ends the connection, one way or another.
func (c *client) leave() {
	if c.f == nil || c.gone || c.ended {
		c.gone = true
		return
	}
	if c.w.rng.IntN(3) == 0 {
		c.reset()
		return
	}
	if !c.fin {
		c.end()
	}
}

// judgeEnd wants that the connection has ended on both sides.
func (c *client) judgeEnd() {
	if c.opens != c.closes || c.opens > 1 {
		c.w.failLocked("%v: OnOpen was called %d times, OnClose %d times", c, c.opens, c.closes)
	}
}

// fill fills p with the bytes that stream has from off on: each is a function of
// the stream and its place, so that no other may stand there.
func fill(p []byte, stream uint64, off int) {
	var word [8]byte
	for i := 0; i < len(p); {
		at := off + i
		x := stream*0x9e3779b97f4a7c15 + uint64(at/8)
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		binary.LittleEndian.PutUint64(word[:], x^x>>31)
		i += copy(p[i:], word[at%8:])
	}
}

func pattern(stream uint64, off, n int) []byte {
	p := make([]byte, n)
	fill(p, stream, off)
	return p
}

// compare says where p is not what stream has at off.
func compare(p []byte, stream uint64, off int) error {
	want := pattern(stream, off, len(p))
	if bytes.Equal(p, want) {
		return nil
	}
	for i := range p {
		if p[i] != want[i] {
			return fmt.Errorf("byte %d of stream %x is %#x and not %#x", off+i, stream, p[i], want[i])
		}
	}
	return errors.New("unreachable")
}

// listener is a net.Listener of the simulated kernel.
type listener struct {
	w   *world
	f   *file
	num int
}

func (w *world) listener() *listener {
	f := &file{listener: true}
	return &listener{w: w, f: f, num: w.k.open(f)}
}

// raw returns the listener's file.
func (w *world) raw() *file { return w.k.files[7] }

func (l *listener) Simulated() (*sock.System, int, sock.Addr) { return l.w.k.sys, l.num, sock.Addr{} }
func (l *listener) Accept() (net.Conn, error)                 { return nil, errors.New("sim: only by descriptor") }
func (l *listener) Close() error                              { return nil }
func (l *listener) Addr() net.Addr                            { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 1} }

// SyscallConn is asked only whether the listener was closed by its user.
func (l *listener) SyscallConn() (syscall.RawConn, error) { return rawConn{}, nil }

type rawConn struct{}

func (rawConn) Control(func(uintptr)) error    { return nil }
func (rawConn) Read(func(uintptr) bool) error  { return os.ErrInvalid }
func (rawConn) Write(func(uintptr) bool) error { return os.ErrInvalid }
