package strand

import "github.com/d74363f0/strand/internal/sock"

// peerAddr is a sock.Addr without its zone, which every connection would have
// room for and few need: those keep their address in the rare part.
type peerAddr struct {
	ip   [16]byte
	port uint16
	kind sock.Family
}

func (p *peerAddr) addr() sock.Addr { return sock.Addr{IP: p.ip, Port: p.port, Kind: p.kind} }
