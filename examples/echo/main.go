// Command echo sends every WebSocket message back.
//
//	go run ./echo -addr 127.0.0.1:8080
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/d74363f0/strand/http1"
	"github.com/d74363f0/strand/websocket"
)

// echo is the handler of one connection. It has no state, so all share one.
type echo struct{}

func (echo) OnOpen(*websocket.Conn) {}

// OnMessage waits, with Send, while the peer does not read its answers.
func (echo) OnMessage(c *websocket.Conn, t websocket.MessageType, msg []byte) {
	_ = c.Send(context.Background(), t, msg)
}

func (echo) OnClose(*websocket.Conn, error) {}

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	options := &websocket.Options{Compression: &websocket.Compression{}}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if _, err := websocket.Accept(w, r, echo{}, options); err != nil {
			log.Print(err) // the client has its answer already
		}
	})
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", l.Addr())
	log.Fatal(http1.Serve(l, nil))
}
