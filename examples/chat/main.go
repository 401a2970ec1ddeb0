// Command chat is a room for each path: what one says, all in it hear.
//
//	go run ./chat -addr 127.0.0.1:8080
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/d74363f0/strand/http1"
	"github.com/d74363f0/strand/websocket"
	"github.com/d74363f0/strand/websocket/hub"
)

// member is the handler of one connection.
type member struct {
	rooms *hub.Hub
	room  string
}

func (m *member) OnOpen(c *websocket.Conn) {
	m.rooms.Join(c, m.room)
	m.tell(fmt.Sprintf("somebody joins, %d are here", m.rooms.Count(m.room)))
}

// OnMessage passes a message on with the type it came with: as text, a binary one that is no UTF-8 would end everybody's
// connection.
func (m *member) OnMessage(_ *websocket.Conn, t websocket.MessageType, msg []byte) {
	m.say(t, msg)
}

// OnClose finds that the hub has forgotten the connection already.
func (m *member) OnClose(*websocket.Conn, error) {
	m.tell(fmt.Sprintf("somebody leaves, %d are here", m.rooms.Count(m.room)))
}

func (m *member) tell(text string) { m.say(websocket.Text, []byte(text)) }

func (m *member) say(t websocket.MessageType, msg []byte) {
	_, _ = m.rooms.Publish(m.room, t, msg) // without a Relay no error
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	rooms, err := hub.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	// Who reads too slowly misses the oldest messages, and holds nobody up.
	options := &websocket.Options{MaxMessage: 4 << 10, MaxQueued: 64 << 10, Queue: websocket.DropOldest}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = websocket.Accept(w, r, &member{rooms: rooms, room: r.URL.Path}, options)
	})
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", l.Addr())
	log.Fatal(http1.Serve(l, nil))
}
