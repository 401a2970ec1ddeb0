package http1

import (
	"crypto/tls"
	"net"
	"net/netip"
	"time"
)

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

// keyFor returns what c is counted under, the zero key if under no address. A foreign
// connection's RemoteAddr is not ours, so mu must not be held.
func (s *Server) keyFor(c interface{ RemoteAddr() net.Addr }) ipKey {
	if s.MaxConnsPerIP <= 0 {
		return ipKey{}
	}
	key, _ := keyOf(c.RemoteAddr())
	return key
}

// handshake is a connection of a foreign TLS listener until the engine has it. It is counted
// as the connection is that comes of it, which takes its place over.
type handshake struct {
	tc    *tls.Conn
	key   ipKey  // what it is counted under
	began uint32 // when it was admitted, in seconds of the wall clock; mu
}

// countLocked counts a connection and reports whether it is within the limits.
func (s *Server) countLocked(key ipKey) bool {
	if s.MaxConns > 0 && s.nconns.Load() >= int64(s.MaxConns) {
		return false
	}
	if key.IsValid() {
		if s.perIP[key] >= s.MaxConnsPerIP {
			return false
		}
		if s.perIP == nil {
			s.perIP = make(map[ipKey]int)
		}
		s.perIP[key]++
	}
	s.nconns.Add(1)
	return true
}

func (s *Server) uncountLocked(key ipKey) {
	s.nconns.Add(-1)
	if key.IsValid() {
		if s.perIP[key]--; s.perIP[key] <= 0 {
			delete(s.perIP, key)
		}
	}
}

// admit takes a new connection in and reports whether it may stay. One with a handshake
// behind it has its place already, also while Shutdown lets requests finish, unless the
// handshake was dropped.
func (s *Server) admit(hc *conn, hs *handshake) bool {
	var key ipKey
	if hs == nil {
		key = s.keyFor(hc.c)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if hs != nil {
		if _, ok := s.shaking[hs]; !ok {
			return false
		}
		delete(s.shaking, hs)
		hc.opened = hs.began
	} else if s.inShutdown.Load() || !s.countLocked(key) {
		return false
	}
	if s.conns == nil {
		s.conns = make(map[*conn]struct{})
	}
	s.conns[hc] = struct{}{}
	return true
}

// leave forgets a connection. It may be called twice.
func (s *Server) leave(hc *conn) {
	key := s.keyFor(hc.c)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.conns[hc]; !ok {
		return
	}
	delete(s.conns, hc)
	s.uncountLocked(key)
}

// beginHandshake counts a connection before its handshake and reports whether it may begin.
func (s *Server) beginHandshake(hs *handshake) bool {
	hs.key = s.keyFor(hs.tc)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inShutdown.Load() || !s.countLocked(hs.key) {
		return false
	}
	if s.shaking == nil {
		s.shaking = make(map[*handshake]struct{})
	}
	hs.began = uint32(time.Now().Unix())
	s.shaking[hs] = struct{}{}
	return true
}

// endHandshake gives the place of hs up and reports whether it still had one: it has none
// once a connection took it over, or it was dropped.
func (s *Server) endHandshake(hs *handshake) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endHandshakeLocked(hs)
}

func (s *Server) endHandshakeLocked(hs *handshake) bool {
	if _, ok := s.shaking[hs]; !ok {
		return false
	}
	delete(s.shaking, hs)
	s.uncountLocked(hs.key)
	return true
}

// dropHandshakes closes the connections whose handshake began that long ago.
func (s *Server) dropHandshakes(age time.Duration) {
	var dropped []*handshake
	latest := time.Now().Add(-age).Unix()
	s.mu.Lock()
	for hs := range s.shaking {
		if int64(hs.began) <= latest {
			s.endHandshakeLocked(hs)
			dropped = append(dropped, hs)
		}
	}
	s.mu.Unlock()
	for _, hs := range dropped {
		_ = hs.tc.NetConn().Close() // ends the handshake, which may wait in a callback of the tls.Config
	}
}
