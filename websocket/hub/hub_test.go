package hub

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/d74363f0/strand/websocket"
)

// joiner joins the topics that its path names.
type joiner struct {
	hub    *Hub
	topics []string
	opened chan<- *websocket.Conn
}

func (j joiner) OnOpen(c *websocket.Conn) {
	for _, name := range j.topics {
		j.hub.Join(c, name)
		j.hub.Join(c, name)
	}
	j.opened <- c
}
func (j joiner) OnMessage(*websocket.Conn, websocket.MessageType, []byte) {}
func (j joiner) OnClose(*websocket.Conn, error)                           {}

// listener collects what it receives.
type listener struct{ got chan string }

func (l listener) OnOpen(*websocket.Conn) {}
func (l listener) OnMessage(_ *websocket.Conn, _ websocket.MessageType, msg []byte) {
	l.got <- string(msg)
}
func (l listener) OnClose(*websocket.Conn, error) {}

// fixture is a hub behind a server.
type fixture struct {
	t      *testing.T
	hub    *Hub
	url    string
	opened chan *websocket.Conn
}

func newFixture(t *testing.T, relay Relay) *fixture {
	hub, err := New(relay)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, hub: hub, opened: make(chan *websocket.Conn, 1)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = websocket.Accept(w, r, joiner{hub, strings.Split(r.URL.Path[1:], ","), f.opened}, nil)
	}))
	t.Cleanup(s.Close)
	f.url = "ws" + strings.TrimPrefix(s.URL, "http")
	return f
}

// join returns both ends of a connection that joined topics.
func (f *fixture) join(topics string) (client, server *websocket.Conn, got chan string) {
	f.t.Helper()
	got = make(chan string, 1000)
	client, _, err := websocket.Dial(context.Background(), f.url+"/"+topics, listener{got}, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = client.Abort() })
	return client, <-f.opened, got
}

func expect(t *testing.T, got chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case s := <-got:
			if s != w {
				t.Fatalf("received %q, want %q", s, w)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("did not receive %q", w)
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal(what)
}

func TestTopics(t *testing.T) {
	f := newFixture(t, nil)
	a, _, gotA := f.join("x")
	_, serverB, gotB := f.join("x,y")
	if f.hub.Count("x") != 2 || f.hub.Count("y") != 1 || f.hub.Count("z") != 0 || len(f.hub.Topics()) != 2 {
		t.Fatalf("counts %d %d, topics %v", f.hub.Count("x"), f.hub.Count("y"), f.hub.Topics())
	}
	publish := func(topic, msg string, sent int) {
		t.Helper()
		r, err := f.hub.Publish(topic, websocket.Text, []byte(msg))
		if err != nil || r.Sent != sent || r.Failed != 0 {
			t.Errorf("%s to %s: %+v %v", msg, topic, r, err)
		}
	}
	publish("x", "1", 2)
	publish("y", "2", 1)
	publish("z", "3", 0)
	f.hub.Leave(serverB, "x")
	publish("x", "4", 1)
	f.hub.Join(serverB, "x")
	publish("x", "5", 2)
	expect(t, gotA, "1", "4", "5")
	expect(t, gotB, "1", "2", "5")
	_ = a.Close()
	eventually(t, "a closed connection stays", func() bool { return f.hub.Count("x") == 1 })
	f.hub.LeaveAll(serverB)
	if len(f.hub.Topics()) != 0 {
		t.Errorf("topics %v", f.hub.Topics())
	}
	// One that has closed cannot join for good.
	_ = serverB.Abort()
	eventually(t, "a closed connection joins", func() bool {
		f.hub.Join(serverB, "late")
		return f.hub.Count("late") == 0
	})
}

// bus is a Relay that joins hubs in one process.
type bus struct {
	mu   *sync.Mutex
	subs *[]func(string, websocket.MessageType, string)
	self int
}

func (b *bus) Subscribe(deliver func(string, websocket.MessageType, string)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.self = len(*b.subs)
	*b.subs = append(*b.subs, deliver)
	return nil
}

func (b *bus) Publish(topic string, t websocket.MessageType, msg string) error {
	b.mu.Lock()
	subs := *b.subs
	b.mu.Unlock()
	for i, deliver := range subs {
		if i != b.self {
			deliver(topic, t, msg)
		}
	}
	return nil
}

func TestRelay(t *testing.T) {
	var mu sync.Mutex
	var subs []func(string, websocket.MessageType, string)
	f1 := newFixture(t, &bus{mu: &mu, subs: &subs})
	f2 := newFixture(t, &bus{mu: &mu, subs: &subs})
	_, _, got1 := f1.join("x")
	_, _, got2 := f2.join("x")
	if _, err := f1.hub.Publish("x", websocket.Text, []byte("from one")); err != nil {
		t.Fatal(err)
	}
	if _, err := f2.hub.Publish("x", websocket.Text, []byte("from two")); err != nil {
		t.Fatal(err)
	}
	expect(t, got1, "from one", "from two")
	expect(t, got2, "from one", "from two")
}

// TestChurn joins, leaves, publishes and closes from many goroutines; each
// member that stays receives everything, in the order of each publisher.
func TestChurn(t *testing.T) {
	f := newFixture(t, nil)
	var stay []chan string
	for range 5 {
		_, _, got := f.join("x")
		stay = append(stay, got)
	}
	var others []*websocket.Conn
	for range 20 {
		_, server, _ := f.join("y")
		others = append(others, server)
	}
	var wg sync.WaitGroup
	for _, c := range others {
		wg.Go(func() {
			for i := range 50 {
				f.hub.Join(c, "x")
				if i == 40 {
					_ = c.Close()
				}
				f.hub.Leave(c, "x")
			}
		})
	}
	for p := range 4 {
		wg.Go(func() {
			for i := range 50 {
				_, _ = f.hub.Publish("x", websocket.Text, fmt.Appendf(nil, "%d %d", p, i))
			}
		})
	}
	wg.Wait()
	for _, got := range stay {
		var next [4]int
		for range 200 {
			var p, i int
			if _, err := fmt.Sscanf(<-got, "%d %d", &p, &i); err != nil || i != next[p] {
				t.Fatalf("publisher %d: message %d, want %d", p, i, next[p])
			}
			next[p]++
		}
	}
	eventually(t, "members left behind", func() bool { return f.hub.Count("x") == 5 && f.hub.Count("y") == 0 })
}
