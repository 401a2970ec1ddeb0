package peer

import (
	"bufio"
	"io"
	"net"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

var gobwasPeer = &Peer{
	Name:   "gobwas",
	Module: "github.com/gobwas/ws",
	Note:   "zero-copy upgrade; a goroutine and a 4 KiB reader a connection",
	serve: map[Kind]func(string) error{
		WS:          func(addr string) error { return acceptLoop(addr, gobwasEcho) },
		WSDeflate:   func(addr string) error { return acceptLoop(addr, gobwasDeflate) },
		WSBroadcast: serveGobwasBroadcast,
	},
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
	h := newChanHub[[]byte]()
	return acceptLoop(addr, func(c net.Conn) {
		defer c.Close()
		if _, err := ws.Upgrade(c); err != nil {
			return
		}
		s := h.join(func(p []byte) error {
			_, err := c.Write(p)
			return err
		}, func() { c.Close() })
		defer h.leave(s)
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
			h.publish(p)
		}
	})
}
