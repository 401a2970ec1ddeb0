// Command gobwas serves gobwas/ws for the measurements.
package main

import (
	"bufio"
	"io"
	"net"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"github.com/d74363f0/strand/bench/peer"
	"github.com/d74363f0/strand/bench/serve"
)

func main() {
	serve.Main(map[string]serve.Services{
		"gobwas": {
			peer.WS:          func(addr string) error { return serve.AcceptLoop(addr, gobwasEcho) },
			peer.WSDeflate:   func(addr string) error { return serve.AcceptLoop(addr, gobwasDeflate) },
			peer.WSBroadcast: serveGobwasBroadcast,
		},
	})
}

// gobwasReader reads whole data frames, unmasked.
type gobwasReader struct {
	br  *bufio.Reader
	buf []byte
}

func newGobwasReader(c net.Conn) *gobwasReader {
	return &gobwasReader{br: bufio.NewReaderSize(c, 4096)}
}

// next returns a frame whose payload is good until the next call.
func (g *gobwasReader) next() (ws.Frame, error) {
	h, err := ws.ReadHeader(g.br)
	if err != nil {
		return ws.Frame{}, err
	}
	if h.Length > 16<<20 || h.OpCode.IsControl() {
		return ws.Frame{}, io.EOF
	}
	if int64(cap(g.buf)) < h.Length {
		g.buf = make([]byte, h.Length)
	}
	p := g.buf[:h.Length]
	if _, err := io.ReadFull(g.br, p); err != nil {
		return ws.Frame{}, err
	}
	ws.Cipher(p, h.Mask, 0)
	h.Masked = false
	h.Mask = [4]byte{}
	return ws.Frame{Header: h, Payload: p}, nil
}

// writeFrame sends a frame in one call.
func writeFrame(c net.Conn, f ws.Frame) error {
	p, err := ws.CompileFrame(f)
	if err != nil {
		return err
	}
	_, err = c.Write(p)
	return err
}

func gobwasEcho(c net.Conn) {
	defer c.Close()
	if _, err := ws.Upgrade(c); err != nil {
		return
	}
	r := newGobwasReader(c)
	for {
		f, err := r.next()
		if err != nil {
			return
		}
		if err := writeFrame(c, f); err != nil {
			return
		}
	}
}

func gobwasDeflate(c net.Conn) {
	defer c.Close()
	e := wsflate.Extension{Parameters: wsflate.DefaultParameters}
	u := ws.Upgrader{Negotiate: e.Negotiate}
	if _, err := u.Upgrade(c); err != nil {
		return
	}
	if _, ok := e.Accepted(); !ok {
		return
	}
	r := newGobwasReader(c)
	for {
		f, err := r.next()
		if err != nil {
			return
		}
		text, err := wsflate.DecompressFrame(f)
		if err != nil {
			return
		}
		out, err := wsflate.CompressFrame(ws.NewFrame(f.Header.OpCode, true, text.Payload))
		if err != nil {
			return
		}
		if err := writeFrame(c, out); err != nil {
			return
		}
	}
}

func serveGobwasBroadcast(addr string) error {
	h := serve.NewChanHub[[]byte]()
	return serve.AcceptLoop(addr, func(c net.Conn) {
		defer c.Close()
		if _, err := ws.Upgrade(c); err != nil {
			return
		}
		s := h.Join(func(p []byte) error {
			_, err := c.Write(p)
			return err
		}, func() { c.Close() })
		defer h.Leave(s)
		r := newGobwasReader(c)
		for {
			f, err := r.next()
			if err != nil {
				return
			}
			p, err := ws.CompileFrame(f)
			if err != nil {
				return
			}
			h.Publish(p)
		}
	})
}
