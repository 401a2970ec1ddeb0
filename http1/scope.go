package http1

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/h1"
)

// scope is what the connections of one listener share. But for the date it never changes.
type scope struct {
	date dateCache
	srv  *Server
	ctx  context.Context // what the contexts of requests descend from
	tls  *tls.Config     // of ServeTLS, else nil
	lim  h1.Limits
}

// newScope prepares for the connections of l; BaseContext is called here.
func newScope(s *Server, l net.Listener) *scope {
	sc := &scope{srv: s, ctx: context.Background()}
	if s.BaseContext != nil {
		if sc.ctx = s.BaseContext(l); sc.ctx == nil {
			panic("http1: BaseContext returned a nil context")
		}
	}
	sc.lim = h1.Limits{
		RequestLine: orDefault(s.MaxRequestLine, DefaultMaxRequestLine),
		HeaderBytes: orDefault(s.MaxHeaderBytes, http.DefaultMaxHeaderBytes),
		HeaderLines: orDefault(s.MaxHeaderLines, DefaultMaxHeaderLines),
	}
	return sc
}

// accept makes the handler of a new connection.
func (sc *scope) accept(c *strand.Conn) strand.Handler { return &conn{scope: sc, c: c} }

// ipKey is an IPv4 address or an IPv6 /64.
type ipKey = netip.Prefix

// keyOf returns what connections from an address are counted under; false for addresses
// that are not IP.
func keyOf(addr net.Addr) (ipKey, bool) {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return ipKey{}, false
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	key, err := ip.Prefix(bits)
	return key, err == nil
}

// admit counts a new connection and reports whether it is within the limits.
func (s *Server) admit(hc *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.MaxConns > 0 && s.nconns.Load() >= int64(s.MaxConns) {
		return false
	}
	if s.MaxConnsPerIP > 0 {
		if key, ok := keyOf(hc.c.RemoteAddr()); ok {
			if s.perIP[key] >= s.MaxConnsPerIP {
				return false
			}
			if s.perIP == nil {
				s.perIP = make(map[ipKey]int)
			}
			s.perIP[key]++
		}
	}
	if s.conns == nil {
		s.conns = make(map[*conn]struct{})
	}
	s.conns[hc] = struct{}{}
	s.nconns.Add(1)
	return true
}

// leave forgets a connection. It may be called twice.
func (s *Server) leave(hc *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.conns[hc]; !ok {
		return
	}
	delete(s.conns, hc)
	s.nconns.Add(-1)
	if s.MaxConnsPerIP > 0 {
		if key, ok := keyOf(hc.c.RemoteAddr()); ok {
			if s.perIP[key]--; s.perIP[key] <= 0 {
				delete(s.perIP, key)
			}
		}
	}
}
