//go:build linux && !strand_std

package sim

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/d74363f0/strand/websocket"
)

// A message begins with 8 bytes: whose it is, and its place in their order. A
// note is a message that another connection's handler sent; its top bit is set.
const (
	stamp = 8
	note  = 1 << 31
)

// socket is a WebSocket client.
type socket struct {
	id       int
	sizes    []int // of the messages to be sent
	pings    bool
	closes   bool // ends with the closing handshake
	asked    bool // the handshake was sent
	upgraded bool
	sent     int
	echoed   int
	notes    uint32
	closing  bool // our Close was sent
	closed   bool // the server's has come
	refused  bool // the handshake was too slow for a hasty server

	buf []byte
}

func newSocket(w *world, c *client) *socket {
	s := &socket{id: c.id, pings: w.rng.IntN(3) == 0, closes: w.rng.IntN(2) == 0}
	for range w.rng.IntN(5) {
		s.sizes = append(s.sizes, stamp+w.rng.IntN(1<<(1+w.rng.IntN(12))))
	}
	return s
}

func (s *socket) more(c *client) []byte {
	switch {
	case !s.asked:
		s.asked = true
		return fmt.Appendf(nil, "GET /ws/%d HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n", s.id)
	case !s.upgraded && c.w.rng.IntN(4) > 0:
		return nil // most clients wait
	case s.sent < len(s.sizes):
		return s.message(c)
	case s.closes && !s.closing && s.echoed == len(s.sizes):
		s.closing = true
		return frame(c, 0x88, []byte{3, 232})
	}
	return nil
}

// message is the next message, in one frame or several.
func (s *socket) message(c *client) []byte {
	p := body(uint32(s.id), uint32(s.sent), s.sizes[s.sent])
	s.sent++
	var out []byte
	first := byte(2)
	for c.w.rng.IntN(3) == 0 {
		n := c.w.rng.IntN(len(p) + 1)
		out = append(out, frame(c, first, p[:n])...)
		first, p = 0, p[n:]
		if s.pings {
			out = append(out, frame(c, 0x89, binary.BigEndian.AppendUint32(nil, uint32(s.id)))...)
		}
	}
	return append(out, frame(c, 0x80|first, p)...)
}

// body is the message of a place in somebody's order.
func body(id, seq uint32, n int) []byte {
	p := binary.BigEndian.AppendUint32(nil, id)
	p = binary.BigEndian.AppendUint32(p, seq)
	return append(p, pattern(uint64(id)<<33|uint64(seq), 0, max(n-stamp, 0))...)
}

// frame is a client's frame.
func frame(c *client, first byte, p []byte) []byte {
	out := []byte{first}
	switch {
	case len(p) < 126:
		out = append(out, 0x80|byte(len(p)))
	case len(p) < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, 0x80|126), uint16(len(p)))
	default:
		out = binary.BigEndian.AppendUint64(append(out, 0x80|127), uint64(len(p)))
	}
	var mask [4]byte
	binary.BigEndian.PutUint32(mask[:], c.w.rng.Uint32())
	out = append(out, mask[:]...)
	for i, b := range p {
		out = append(out, b^mask[i%4])
	}
	return out
}

func (s *socket) satisfied(*client) bool {
	return s.upgraded && s.echoed == len(s.sizes) && (!s.closes || s.closed)
}

func (s *socket) idle(*client) bool  { return s.satisfied(nil) && len(s.buf) == 0 }
func (s *socket) sentAll() bool      { return false }
func (s *socket) endOK(*client) bool { return false }

func (s *socket) take(c *client, p []byte) error {
	s.buf = append(s.buf, p...)
	if s.refused = s.refused || c.w.hasty && bytes.HasPrefix(s.buf, []byte("HTTP/1.1 408 ")); s.refused {
		return nil
	}
	if !s.upgraded {
		n := bytes.Index(s.buf, []byte("\r\n\r\n"))
		if n < 0 {
			return nil
		}
		if head := string(s.buf[:n]); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
			return fmt.Errorf("the handshake is answered with %q", head)
		}
		s.upgraded = true
		s.buf = s.buf[n+4:]
	}
	for {
		first, p, n := parse(s.buf)
		if n == 0 {
			return nil
		}
		if err := s.judge(c, first, p); err != nil {
			return err
		}
		s.buf = s.buf[n:]
	}
}

// parse returns the first frame of buf and its length, 0 if it is not whole.
func parse(buf []byte) (first byte, p []byte, n int) {
	if len(buf) < 2 {
		return 0, nil, 0
	}
	head, size := 2, int(buf[1])
	switch {
	case size == 126 && len(buf) >= 4:
		head, size = 4, int(binary.BigEndian.Uint16(buf[2:]))
	case size == 127 && len(buf) >= 10:
		head, size = 10, int(binary.BigEndian.Uint64(buf[2:]))
	case size >= 126:
		return 0, nil, 0
	}
	if len(buf) < head+size {
		return 0, nil, 0
	}
	return buf[0], buf[head : head+size], head + size
}

func (s *socket) judge(c *client, first byte, p []byte) error {
	if s.closed {
		return errors.New("a frame behind Close")
	}
	switch first {
	case 0x88:
		if s.closed = true; !s.closing && !c.w.hasty {
			return fmt.Errorf("the server closes: %q", p)
		}
		return nil
	case 0x8a:
		if len(p) != 4 || binary.BigEndian.Uint32(p) != uint32(s.id) {
			return fmt.Errorf("the pong to another's ping: %x", p)
		}
		return nil
	case 0x82:
	default:
		return fmt.Errorf("a frame that begins with %#x", first)
	}
	if len(p) < stamp {
		return fmt.Errorf("a message of %d bytes", len(p))
	}
	if binary.BigEndian.Uint32(p)&note != 0 {
		s.notes++
		return sameMessage(p, note|uint32(s.id), s.notes-1, len(p))
	}
	if s.echoed == s.sent {
		return errors.New("an echo too many")
	}
	s.echoed++
	return sameMessage(p, uint32(s.id), uint32(s.echoed-1), s.sizes[s.echoed-1])
}

func sameMessage(p []byte, id, seq uint32, n int) error {
	if bytes.Equal(p, body(id, seq, n)) {
		return nil
	}
	return fmt.Errorf("message %d of %x and not %d of %x, %d bytes and not %d", binary.BigEndian.Uint32(p[4:]),
		binary.BigEndian.Uint32(p), seq, id, len(p), n)
}

// hub holds the open WebSockets of the server.
type hub struct {
	w       *world
	options *websocket.Options

	mu   sync.Mutex
	open map[int]*peer
}

func newHub(w *world) *hub {
	return &hub{w: w, open: make(map[int]*peer), options: &websocket.Options{
		PingInterval: -1, MaxQueued: 1 << (10 + w.rng.IntN(8)), Engine: w.eng,
		Logger: slog.New(slog.NewTextHandler(w, nil)),
	}}
}

func (h *hub) accept(w http.ResponseWriter, r *http.Request) {
	var id int
	if _, err := fmt.Sscanf(r.URL.Path, "/ws/%d", &id); err != nil {
		h.w.fail("the server was asked for %q", r.URL.Path)
		return
	}
	_, err := websocket.Accept(w, r, &peer{h: h, id: id}, h.options)
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	if err != nil && !h.w.clients[id-1].spoiled {
		h.w.failLocked("Accept: %v", err)
	}
}

// peer is the server's side of a WebSocket.
type peer struct {
	h  *hub
	id int
	c  *websocket.Conn

	mu     sync.Mutex
	busy   bool // mu
	opened int  // mu
	closed int  // mu
	seq    uint32
	notes  uint32 // hub.mu: notes written to it
	kept   []byte // the last message, ours for ever
	sum    []byte // what it was
}

// enter notes the beginning of a callback; the result ends it.
func (p *peer) enter(what string) (leave func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy || p.closed > 0 || p.opened != 1 {
		p.h.w.fail("WebSocket %d: %s, busy %v, opened %d, closed %d", p.id, what, p.busy, p.opened, p.closed)
	}
	p.busy = true
	return func() {
		p.mu.Lock()
		p.busy = false
		p.mu.Unlock()
	}
}

func (p *peer) OnOpen(c *websocket.Conn) {
	p.mu.Lock()
	p.opened++
	p.mu.Unlock()
	defer p.enter("OnOpen")()
	p.c = c
	p.h.mu.Lock()
	p.h.open[p.id] = p
	p.h.mu.Unlock()
}

func (p *peer) OnMessage(c *websocket.Conn, t websocket.MessageType, msg []byte) {
	defer p.enter("OnMessage")()
	if err := sameMessage(msg, uint32(p.id), p.seq, len(msg)); t != websocket.Binary || err != nil {
		p.h.w.fail("WebSocket %d: %v", p.id, err)
	}
	p.seq++
	if !bytes.Equal(p.kept, p.sum) {
		p.h.w.fail("WebSocket %d: a message changed after it was delivered", p.id)
	}
	p.kept, p.sum = msg, bytes.Clone(msg)
	p.h.pass(p)
	_ = c.Send(context.Background(), t, msg) // an error says that the client has gone
}

// pass writes a note to another connection.
func (h *hub) pass(from *peer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range 3 {
		id := 1 + (from.id+i)%len(h.w.clients)
		to := h.open[id]
		if to == nil || to == from {
			continue
		}
		if to.c.WriteMessage(websocket.Binary, body(note|uint32(id), to.notes, stamp+id%100)) == nil {
			to.notes++
		}
	}
}

func (p *peer) OnClose(c *websocket.Conn, err error) {
	p.enter("OnClose")()
	p.mu.Lock()
	p.closed++
	p.mu.Unlock()
	p.h.mu.Lock()
	delete(p.h.open, p.id)
	p.h.mu.Unlock()
	if c.WriteMessage(websocket.Binary, []byte("late")) == nil {
		p.h.w.fail("WebSocket %d: a write after OnClose", p.id)
	}
	var ce *websocket.CloseError
	if !errors.As(err, &ce) {
		p.h.w.fail("WebSocket %d: OnClose(%v)", p.id, err)
	}
}

func (s *socket) String() string {
	return fmt.Sprintf("sizes %d, upgraded %v, sent %d, echoed %d, notes %d, closes %v, closing %v, closed %v", s.sizes, s.upgraded, s.sent, s.echoed,
		s.notes, s.closes, s.closing, s.closed)
}
