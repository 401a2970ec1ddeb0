// Package hub sends messages to the connections that joined a topic, in one
// process; a [Relay] joins the hubs of several.
package hub

import (
	"sync"

	"github.com/d74363f0/strand/websocket"
)

// Hub is a set of topics, which exist while somebody has joined them. Its
// methods may be called from any goroutine. The zero Hub is not ready: see New.
type Hub struct {
	relay Relay // or nil

	mu     sync.Mutex
	topics map[string]*topic
	conns  map[*websocket.Conn]map[string]struct{} // the topics of each
}

// topic is the members of one name. Its own lock keeps a busy topic from
// holding the others up. The hub's mu, if both are held, is taken first.
type topic struct {
	mu      sync.Mutex
	index   map[*websocket.Conn]int // where each is in members
	members []*websocket.Conn
	// snapshot is a copy of members that is never modified, or nil since members
	// changed.
	snapshot []*websocket.Conn
}

// Relay joins hubs: what one publishes, the others deliver too. It may be a
// message broker, a mesh, or a test.
type Relay interface {
	// Publish hands a message to the other hubs, and must not wait for them. It
	// may keep msg.
	Publish(topic string, t websocket.MessageType, msg string) error
	// Subscribe is called once, by New, with the function to call with each
	// message of another hub, from any goroutine.
	Subscribe(deliver func(topic string, t websocket.MessageType, msg string)) error
}

// New returns a hub. relay may be nil; an error is that of its Subscribe.
func New(relay Relay) (*Hub, error) {
	h := &Hub{
		relay:  relay,
		topics: make(map[string]*topic),
		conns:  make(map[*websocket.Conn]map[string]struct{}),
	}
	if relay == nil {
		return h, nil
	}
	return h, relay.Subscribe(func(name string, t websocket.MessageType, msg string) {
		h.deliver(name, websocket.Prepare(t, []byte(msg)))
	})
}

// Join adds a connection to a topic. It leaves by Leave, by LeaveAll, or by
// closing. Joining twice is joining once.
func (h *Hub) Join(c *websocket.Conn, name string) {
	if h.join(c, name) {
		// Outside the lock: if the connection has closed already, this calls back.
		c.OnClosed(func() { h.forget(c) })
	}
}

// join reports whether the connection is new to the hub.
func (h *Hub) join(c *websocket.Conn, name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[name]
	if t == nil {
		t = &topic{index: make(map[*websocket.Conn]int)}
		h.topics[name] = t
	}
	t.add(c)
	names := h.conns[c]
	if names == nil {
		h.conns[c] = map[string]struct{}{name: {}}
		return true
	}
	names[name] = struct{}{}
	return false
}

// Leave removes a connection from a topic.
func (h *Hub) Leave(c *websocket.Conn, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	// The connection stays known without topics, so that its close is only
	// watched once.
	delete(h.conns[c], name)
	h.leaveLocked(c, name)
}

// LeaveAll removes a connection from all its topics.
func (h *Hub) LeaveAll(c *websocket.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leaveAllLocked(c) // it stays known, as in Leave
}

// forget removes a connection that has closed.
func (h *Hub) forget(c *websocket.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leaveAllLocked(c)
	delete(h.conns, c)
}

func (h *Hub) leaveAllLocked(c *websocket.Conn) {
	names := h.conns[c]
	for name := range names {
		h.leaveLocked(c, name)
	}
	clear(names)
}

func (h *Hub) leaveLocked(c *websocket.Conn, name string) {
	if t := h.topics[name]; t != nil && t.remove(c) == 0 {
		delete(h.topics, name)
	}
}

// Count returns how many connections of this hub have joined a topic.
func (h *Hub) Count(name string) int {
	t := h.find(name)
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.members)
}

// Topics returns the names of the topics that somebody has joined, in no order.
func (h *Hub) Topics() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	names := make([]string, 0, len(h.topics))
	for name := range h.topics {
		names = append(names, name)
	}
	return names
}

// Result says what became of a published message in this hub.
type Result struct {
	Sent   int // connections that accepted it, to send it, queue it or drop it by their policy
	Failed int // connections that were closed, or whose queue was full
}

// Publish sends a message to the connections that have joined a topic, here and
// through the relay. It does not wait for slow ones: the queue policy of each
// decides (websocket.Options). The error is the relay's.
func (h *Hub) Publish(name string, t websocket.MessageType, msg []byte) (Result, error) {
	r := h.deliver(name, websocket.Prepare(t, msg))
	if h.relay == nil {
		return r, nil
	}
	return r, h.relay.Publish(name, t, string(msg))
}

// PublishPrepared is Publish without the relay, of a message already prepared.
func (h *Hub) PublishPrepared(name string, p *websocket.Prepared) Result {
	return h.deliver(name, p)
}

func (h *Hub) deliver(name string, p *websocket.Prepared) (r Result) {
	t := h.find(name)
	if t == nil {
		return r
	}
	for _, c := range t.current() {
		if err := c.WritePrepared(p); err != nil {
			// A closed one leaves by its OnClosed.
			r.Failed++
			continue
		}
		r.Sent++
	}
	return r
}

func (h *Hub) find(name string) *topic {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.topics[name]
}

func (t *topic) add(c *websocket.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.index[c]; ok {
		return
	}
	t.index[c] = len(t.members)
	t.members = append(t.members, c)
	t.snapshot = nil
}

// remove returns how many members are left.
func (t *topic) remove(c *websocket.Conn) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.index[c]
	if ok {
		last := len(t.members) - 1
		t.members[i] = t.members[last]
		t.index[t.members[i]] = i
		t.members[last] = nil
		t.members = t.members[:last]
		delete(t.index, c)
		t.snapshot = nil
	}
	return len(t.members)
}

// current returns the members at this moment. The slice is never modified, so
// that messages are written without the lock.
func (t *topic) current() []*websocket.Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.snapshot == nil {
		t.snapshot = append([]*websocket.Conn(nil), t.members...)
	}
	return t.snapshot
}
