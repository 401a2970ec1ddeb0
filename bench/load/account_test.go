package load

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// lossy is a broadcast server in this process that treats its last subscriber
// wrongly in some way.
type lossy struct {
	how  string
	mu   sync.Mutex
	subs []net.Conn
	n    int // messages published
}

// publish sends a message to all, and does to the last subscriber what how says.
func (l *lossy) publish(p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	frame := serverFrame(0x80|opBinary, p)
	for i, c := range l.subs {
		mine := frame
		if i == len(l.subs)-1 && l.n == 3 {
			switch l.how {
			case "drops", "drops uncounted", "counts the wrong one":
				continue
			case "twice":
				mine = append(bytes.Clone(frame), frame...)
			case "flips":
				mine = bytes.Clone(frame)
				mine[len(mine)-1] ^= 1
			}
		}
		_, _ = c.Write(mine) // whoever has gone is the load's affair
	}
}

func (l *lossy) drops() map[int]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	port := func(i int) int { return l.subs[i].RemoteAddr().(*net.TCPAddr).Port }
	switch l.how {
	case "drops":
		return map[int]uint64{port(len(l.subs) - 1): 1}
	case "counts the wrong one":
		return map[int]uint64{port(1): 1}
	case "counts too many":
		return map[int]uint64{port(len(l.subs) - 1): 1}
	}
	return nil
}

func (l *lossy) serve(c net.Conn) {
	defer c.Close()
	br := bufio.NewReader(c)
	r, err := http.ReadRequest(br)
	if err != nil {
		return
	}
	if r.URL.Path == "/drops" {
		body, _ := json.Marshal(l.drops())
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		return
	}
	l.mu.Lock()
	l.subs = append(l.subs, c)
	l.mu.Unlock()
	fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", wsAccept)
	for {
		p, err := nextWS(br)
		if err != nil {
			return
		}
		l.publish(p)
	}
}

// TestSlowSubscribersAreAccountedFor wants a result voided by whatever a server
// does to a subscriber that stopped reading, unless it is a drop that it counts.
func TestSlowSubscribersAreAccountedFor(t *testing.T) {
	for how, right := range map[string]bool{
		"nothing": true, "drops": true,
		"drops uncounted": false, "counts the wrong one": false, "counts too many": false,
		"twice": false, "flips": false,
	} {
		t.Run(how, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			l := &lossy{how: how}
			go func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					go l.serve(c)
				}
			}()
			r, err := Run(Config{Addr: ln.Addr().String(), Proto: "ws-broadcast", Conns: 10, Slow: 1, Size: 200, Fill: 5,
				Pace: time.Millisecond, Duration: 20 * time.Millisecond, Drops: "/drops", Seed: 7})
			if err != nil {
				t.Fatal(err)
			}
			if right && (r.Wrong != "" || r.Published < 6 || r.SlowRead+r.SlowDropped != r.Published) {
				t.Errorf("an honest server: %+v", r)
			}
			if !right && r.Wrong == "" {
				t.Errorf("it went unseen: %+v", r)
			}
		})
	}
}
