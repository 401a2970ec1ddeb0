package http1

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/d74363f0/strand"
)

// foreign accepts from a listener that the engine's poller cannot: one that wraps another,
// a TLS one for example. Its connections go to the engine one by one.
type foreign struct {
	net.Listener
	sc   *scope
	quit chan struct{} // closed by Close
	once sync.Once
	err  error // set by once
}

// Close closes the listener, once.
func (f *foreign) Close() error {
	f.once.Do(func() {
		f.err = f.Listener.Close()
		close(f.quit)
	})
	return f.err
}

// Bounds of the pause after an accept that failed for want of a resource.
const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// run accepts until the listener fails for good.
func (f *foreign) run() error {
	s := f.sc.srv
	pause := time.Duration(0)
	for {
		nc, err := f.Accept()
		if err == nil {
			pause = 0
			f.sc.adopt(nc)
			continue
		}
		if s.inShutdown.Load() {
			return http.ErrServerClosed
		}
		if !temporary(err) {
			return err
		}
		pause = min(max(2*pause, acceptPauseMin), acceptPauseMax)
		s.logf("http: Accept error: %v; retrying in %v", err, pause)
		select {
		case <-time.After(pause):
		case <-f.quit:
			if s.inShutdown.Load() {
				return http.ErrServerClosed
			}
			return net.ErrClosed
		}
	}
}

func temporary(err error) bool {
	var ne interface{ Temporary() bool }
	return errors.As(err, &ne) && ne.Temporary()
}

// adopt hands a connection to the engine, a TLS one after its handshake.
func (sc *scope) adopt(nc net.Conn) {
	if tc, ok := nc.(*tls.Conn); ok {
		go sc.secure(tc) // ends with the handshake, whose time is bounded
		return
	}
	sc.open(nc, nil)
}

// open hands a connection to the engine, with its handshake if there was one, and, if
// somebody watches, waits until it has been reported as new.
func (sc *scope) open(nc net.Conn, hs *handshake) {
	h := &opening{sc: sc, hs: hs}
	if sc.srv.ConnState != nil {
		h.done = make(chan struct{})
	}
	if _, err := sc.srv.engine().Adopt(nc, h); err != nil {
		sc.srv.endHandshake(hs)
		return // Adopt has closed it: nothing more can be said to the client
	}
	if h.done != nil {
		<-h.done
	}
}

// opening is the handler of a connection until it is open.
type opening struct {
	sc   *scope
	hs   *handshake // what it was before; nil if nothing
	done chan struct{}
}

// OnOpen gives the connection its handler.
func (o *opening) OnOpen(c *strand.Conn) {
	hc := &conn{scope: o.sc, c: c}
	c.SetHandler(hc)
	if o.done != nil {
		defer close(o.done)
	}
	hc.open(o.hs)
}

// OnReadable is not called before OnOpen.
func (o *opening) OnReadable(*strand.Conn) {}

// OnDrained is not called before OnOpen.
func (o *opening) OnDrained(*strand.Conn) {}

// OnClose is not called before OnOpen.
func (o *opening) OnClose(*strand.Conn, error) {}

// secure takes a TLS connection through its handshake to the engine. It counts from now on.
// Callbacks of the tls.Config run here: their panic, and runtime.Goexit, end this connection.
func (sc *scope) secure(tc *tls.Conn) {
	s := sc.srv
	hs := &handshake{tc: tc}
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		s.endHandshake(hs)
		s.logPanic(tc.RemoteAddr(), v)
		_ = tc.NetConn().Close()
	}()
	switch {
	case !s.beginHandshake(hs):
		_ = tc.NetConn().Close()
	case sc.handshake(hs):
		sc.open(tc, hs)
	}
	returned = true
}

// handshake runs the TLS handshake within the server's timeouts and reports whether it
// succeeded.
func (sc *scope) handshake(hs *handshake) bool {
	s, tc := sc.srv, hs.tc
	if d := s.handshakeTimeout(); d > 0 {
		_ = tc.SetDeadline(time.Now().Add(d)) // fails on a closed connection, as the handshake then does
	}
	err := tc.HandshakeContext(sc.ctx)
	if err == nil {
		_ = tc.SetDeadline(time.Time{})
		return true
	}
	reason := err.Error()
	var re tls.RecordHeaderError
	if errors.As(err, &re) && re.Conn != nil && looksLikeHTTP(re.RecordHeader) {
		reason = "client sent an HTTP request to an HTTPS server"
		_, _ = io.WriteString(re.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
	}
	ours := !s.endHandshake(hs)
	_ = tc.NetConn().Close()
	// One line a second at the most: who connects must not fill the disk.
	if now := time.Now().Unix(); !ours && s.tlsLogged.Swap(now) != now {
		s.logf("http: TLS handshake error from %s: %q", tc.RemoteAddr(), reason)
	}
	return false
}

// handshakeTimeout is the shortest of the timeouts that are set, as in net/http, else the
// default for a head.
func (s *Server) handshakeTimeout() time.Duration {
	shortest := time.Duration(0)
	for _, d := range []time.Duration{s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout} {
		if d > 0 && (shortest == 0 || d < shortest) {
			shortest = d
		}
	}
	if shortest == 0 {
		return s.readHeaderTimeout()
	}
	return shortest
}

// looksLikeHTTP reports whether a TLS record header is the beginning of a plain request.
func looksLikeHTTP(head [5]byte) bool {
	switch string(head[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		return true
	}
	return false
}
