package hub

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/websocket"
)

const (
	slowConns = 200
	slowTenth = slowConns / 10
	slowSize  = 2 << 10 // of a message
	slowQueue = 16 << 10
)

// slowMessage is message number seq: every byte of it depends on seq.
func slowMessage(seed uint64, seq int) []byte {
	p := make([]byte, slowSize)
	r := rand.New(rand.NewPCG(seed, uint64(seq)))
	for i := 8; i < len(p); i += 8 {
		binary.LittleEndian.PutUint64(p[i:], r.Uint64())
	}
	binary.LittleEndian.PutUint64(p, uint64(seq))
	return p
}

// smallBuffers makes the kernel hold little for the connections accepted from it.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(4 << 10)
	}
	return c, err
}

// subscriber is a client that reads when it is told to.
type subscriber struct {
	conn net.Conn
	br   *bufio.Reader
	sc   *websocket.Conn // the server's end
	got  []int           // the messages received
	at   atomic.Int64    // the last of them, plus one
}

// room is a server with a hub whose members have the options of the test.
type room struct {
	t    *testing.T
	seed uint64
	hub  *Hub
	e    *strand.Engine
	subs []*subscriber
}

// OnOpen, OnMessage and OnClose make a member of room's topic.
func (m *room) OnOpen(c *websocket.Conn)                                 { m.hub.Join(c, "x") }
func (m *room) OnMessage(*websocket.Conn, websocket.MessageType, []byte) {}
func (m *room) OnClose(*websocket.Conn, error)                           {}

func newRoom(t *testing.T, policy websocket.QueuePolicy) *room {
	h, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := strand.New(strand.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	m := &room{t: t, seed: uint64(time.Now().UnixNano()), hub: h, e: e}
	var mu sync.Mutex
	byAddr := map[string]*websocket.Conn{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, m, &websocket.Options{Queue: policy, MaxQueued: slowQueue, Engine: e})
		if err == nil {
			mu.Lock()
			byAddr[r.RemoteAddr] = c
			mu.Unlock()
		}
	}))
	s.Listener = smallBuffers{s.Listener}
	s.Start()
	t.Cleanup(s.Close)
	for range slowConns {
		m.subs = append(m.subs, m.subscribe(s.Listener.Addr().String()))
	}
	eventually(t, "not all joined", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return h.Count("x") == slowConns && len(byAddr) == slowConns
	})
	for _, sub := range m.subs {
		sub.sc = byAddr[sub.conn.LocalAddr().String()]
	}
	return m
}

func (m *room) subscribe(addr string) *subscriber {
	m.t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { c.Close() })
	if err := c.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		m.t.Fatal(err)
	}
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if err != nil {
		m.t.Fatal(err)
	}
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		m.t.Fatalf("%+v, %v", resp, err)
	}
	return &subscriber{conn: c, br: br}
}

// read receives messages, every byte of which must be right, until the close frame.
func (s *subscriber) read(seed uint64) error {
	_ = s.conn.SetReadDeadline(time.Now().Add(time.Minute))
	frame := make([]byte, 4+slowSize)
	for {
		if _, err := io.ReadFull(s.br, frame[:2]); err != nil {
			return err
		}
		if frame[0] == 0x88 {
			return nil
		}
		if _, err := io.ReadFull(s.br, frame[2:]); err != nil {
			return err
		}
		if !bytes.Equal(frame[:4], []byte{0x82, 126, slowSize >> 8, slowSize & 0xff}) {
			return fmt.Errorf("header % x", frame[:4])
		}
		seq := int(binary.LittleEndian.Uint64(frame[4:]))
		if seq < 0 || seq > 1<<20 || !bytes.Equal(frame[4:], slowMessage(seed, seq)) {
			return fmt.Errorf("a message that nobody sent, behind %v", s.got)
		}
		s.got = append(s.got, seq)
		s.at.Store(int64(seq) + 1)
	}
}

// publish sends messages, at the pace of those that read, until each slow
// connection has dropped some, and returns how many.
func (m *room) publish(write func(seq int, p []byte)) int {
	m.t.Helper()
	for seq := range 5000 {
		write(seq, slowMessage(m.seed, seq))
		for _, s := range m.subs[slowTenth:] {
			for deadline := time.Now().Add(time.Minute); s.at.Load() != int64(seq)+1; time.Sleep(50 * time.Microsecond) {
				if time.Now().After(deadline) {
					m.t.Fatalf("seed %d: a reader waits for message %d", m.seed, seq)
				}
			}
		}
		all := true
		for _, s := range m.subs[:slowTenth] {
			all = all && dropped(s.sc) > 20
		}
		if all {
			return seq + 1
		}
	}
	m.t.Fatal("the queues never filled")
	return 0
}

func dropped(c *websocket.Conn) uint64 {
	d := c.Drops()
	return d.Refused + d.Newest + d.Oldest + d.Superseded
}

// TestSlowTenth stops a tenth of the readers, publishes until their queues
// overflow, lets them read what is left, and wants the sum: received and dropped
// make up what was published, for each connection. The others lose nothing.
//
// hazard 76
func TestSlowTenth(t *testing.T) {
	for name, policy := range map[string]websocket.QueuePolicy{
		"newest": websocket.DropNewest, "oldest": websocket.DropOldest, "latest": websocket.KeepLatest,
	} {
		t.Run(name, func(t *testing.T) { testSlowTenth(t, policy) })
	}
}

func testSlowTenth(t *testing.T, policy websocket.QueuePolicy) {
	m := newRoom(t, policy)
	ends := make(chan error, slowConns)
	start := func(s *subscriber) { go func() { ends <- s.read(m.seed) }() }
	for _, s := range m.subs[slowTenth:] {
		start(s)
	}
	published := m.publish(func(seq int, p []byte) {
		if policy != websocket.KeepLatest {
			if r, _ := m.hub.Publish("x", websocket.Binary, p); r.Sent != slowConns {
				t.Fatalf("seed %d: message %d: %+v", m.seed, seq, r)
			}
			return
		}
		for _, s := range m.subs { // by key there is no hub: each connection is written to
			if err := s.sc.WriteKeyed(fmt.Sprint(seq%4), websocket.Binary, p); err != nil {
				t.Fatalf("seed %d: message %d: %v", m.seed, seq, err)
			}
		}
	})
	for _, s := range m.subs[:slowTenth] {
		if n := s.sc.Buffered(); n > 2*slowQueue {
			t.Errorf("seed %d: %d bytes wait behind a limit of %d", m.seed, n, slowQueue)
		}
	}
	drops := make([]uint64, slowConns)
	for i, s := range m.subs {
		drops[i] = dropped(s.sc)
		_ = s.sc.Close() // sends what waits, and then the close frame
	}
	for _, s := range m.subs[:slowTenth] {
		start(s)
	}
	for range m.subs {
		if err := <-ends; err != nil {
			t.Fatalf("seed %d: %v", m.seed, err)
		}
	}
	var all uint64
	for i, s := range m.subs {
		all += drops[i]
		checkReceived(t, m.seed, policy, s.got)
		if uint64(len(s.got))+drops[i] != uint64(published) {
			t.Errorf("seed %d: connection %d received %d, dropped %d, of %d", m.seed, i, len(s.got), drops[i], published)
		}
		if i >= slowTenth && drops[i] > 0 {
			t.Errorf("seed %d: connection %d reads, and %d were dropped", m.seed, i, drops[i])
		}
	}
	var counted uint64
	for _, n := range m.e.Stats().Drops {
		counted += uint64(n)
	}
	if counted != all {
		t.Errorf("seed %d: the connections dropped %d, the engine counts %d", m.seed, all, counted)
	}
}

// checkReceived wants no message twice, and in order except where a message takes
// the place of an older one of its key.
func checkReceived(t *testing.T, seed uint64, policy websocket.QueuePolicy, got []int) {
	t.Helper()
	seen := make(map[int]bool, len(got))
	for i, seq := range got {
		if seen[seq] {
			t.Errorf("seed %d: message %d came twice", seed, seq)
		}
		seen[seq] = true
		if policy != websocket.KeepLatest && i > 0 && seq < got[i-1] {
			t.Errorf("seed %d: message %d after %d", seed, seq, got[i-1])
		}
	}
}
