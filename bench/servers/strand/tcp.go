package main

import (
	"context"

	"github.com/d74363f0/strand"
)

// strandEcho has no state, so one serves every connection.
type strandEcho struct{}

func (strandEcho) OnOpen(*strand.Conn)         {}
func (strandEcho) OnDrained(*strand.Conn)      {}
func (strandEcho) OnClose(*strand.Conn, error) {}

func (strandEcho) OnReadable(c *strand.Conn) {
	var buf [2048]byte                  // room for a message and for the read to come back short; each byte is cleared for each callback
	for n := len(buf); n == len(buf); { // what is left behind a short read is offered again
		var err error
		n, err = c.Read(buf[:])
		if err == strand.ErrWouldBlock {
			return
		}
		if err != nil {
			c.Close()
			return
		}
		if _, err := c.Write(buf[:n]); err == nil {
			continue
		}
		if c.WaitWrite(context.Background()) != nil {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			c.Abort()
			return
		}
	}
}

func serveStrandTCP(addr string) error {
	e, err := strand.New(strand.Options{})
	if err != nil {
		return err
	}
	ln, err := e.Listen("tcp", addr, func(*strand.Conn) strand.Handler { return strandEcho{} })
	if err != nil {
		return err
	}
	<-ln.Done()
	return ln.Err()
}
