// Command broadcast sends the time to everyone who connects, ten times a second.
// Each message is framed and compressed once, whatever the number of clients;
// one that reads slowly gets the latest time, and not those it missed.
//
//	go run ./broadcast -addr 127.0.0.1:8080
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/d74363f0/strand/http1"
	"github.com/d74363f0/strand/websocket"
)

// clients is everyone who is connected, and the handler of each connection.
type clients struct {
	mu  sync.Mutex
	all map[*websocket.Conn]struct{}
}

func (s *clients) OnOpen(c *websocket.Conn) {
	s.mu.Lock()
	s.all[c] = struct{}{}
	s.mu.Unlock()
}

func (s *clients) OnMessage(*websocket.Conn, websocket.MessageType, []byte) {}

func (s *clients) OnClose(c *websocket.Conn, _ error) {
	s.mu.Lock()
	delete(s.all, c)
	s.mu.Unlock()
}

// send never waits, so it may hold the lock.
func (s *clients) send(p *websocket.Prepared) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.all {
		_ = c.WritePrepared(p) // the policy has dealt with slow ones, OnClose will with closed ones
	}
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	s := &clients{all: make(map[*websocket.Conn]struct{})}
	options := &websocket.Options{
		MaxQueued:   4 << 10,
		Queue:       websocket.DropOldest,
		Compression: &websocket.Compression{ServerNoTakeover: true, ClientNoTakeover: true},
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = websocket.Accept(w, r, s, options)
	})
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for now := range time.Tick(100 * time.Millisecond) {
			s.send(websocket.Prepare(websocket.Text, []byte(now.Format(time.RFC3339Nano))))
		}
	}()
	fmt.Println("listening on", l.Addr())
	log.Fatal(http1.Serve(l, nil))
}
