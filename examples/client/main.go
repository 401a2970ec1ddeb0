// Command client connects to a WebSocket, sends the lines of its standard input
// and prints what it receives. It ends with its input, or with the connection.
//
//	go run ./client -url ws://127.0.0.1:8080/
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/d74363f0/strand/websocket"
)

// printer is the connection's handler.
type printer struct{ closed chan error }

func (printer) OnOpen(*websocket.Conn) {}

func (printer) OnMessage(_ *websocket.Conn, _ websocket.MessageType, msg []byte) {
	fmt.Printf("%s\n", msg)
}

func (p printer) OnClose(_ *websocket.Conn, err error) { p.closed <- err }

func main() {
	url := flag.String("url", "ws://127.0.0.1:8080/", "what to connect to")
	flag.Parse()
	p := printer{closed: make(chan error, 1)}
	c, _, err := websocket.Dial(context.Background(), *url, p, &websocket.DialOptions{
		Options: websocket.Options{Compression: &websocket.Compression{}},
	})
	if err != nil {
		log.Fatal(err)
	}
	input := make(chan error, 1) // how the input ended
	go func() {
		input <- send(c, os.Stdin)
		// Messages that the server still sends until its close frame are lost: an
		// application that waits for an answer closes when it has it.
		_ = c.Close()
	}()
	var ce *websocket.CloseError
	if err = <-p.closed; errors.As(err, &ce) && ce.Code != websocket.Normal {
		log.Fatal(err)
	}
	select {
	case err = <-input:
		if err != nil {
			log.Fatal("standard input: ", err)
		}
	default: // the connection ended first
	}
}

// send sends each line of r, of less than 64 KiB, until r or the connection ends. A longer
// line is an error.
func send(c *websocket.Conn, r io.Reader) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if c.Send(context.Background(), websocket.Text, lines.Bytes()) != nil {
			return nil // the handler is told why
		}
	}
	return lines.Err()
}
