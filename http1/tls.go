package http1

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/h1"
)

// protoH2C is the key of Server.TLSNextProto for HTTP/2 without TLS, as in net/http.
const protoH2C = "unencrypted_http2"

// prefaceH2 is how a client begins that speaks HTTP/2 without asking first (RFC 9113, 3.4).
const prefaceH2 = "PRI * HTTP/2.0\r\n"

// ListenAndServeTLS is ListenAndServe with TLS.
func (s *Server) ListenAndServeTLS(certFile, keyFile string) error {
	if s.inShutdown.Load() {
		return http.ErrServerClosed
	}
	addr := s.Addr
	if addr == "" {
		addr = ":https"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return s.ServeTLS(l, certFile, keyFile)
}

// ListenAndServeTLS serves h on the TCP address addr with TLS, as
// net/http.ListenAndServeTLS.
func ListenAndServeTLS(addr, certFile, keyFile string, h http.Handler) error {
	return (&Server{Addr: addr, Handler: h}).ListenAndServeTLS(certFile, keyFile)
}

// ServeTLS is Serve with TLS. The files may be empty if TLSConfig has a certificate.
func (s *Server) ServeTLS(l net.Listener, certFile, keyFile string) error {
	if s.inShutdown.Load() {
		_ = l.Close()
		return http.ErrServerClosed
	}
	config, err := s.tlsConfig(certFile, keyFile)
	if err != nil {
		_ = l.Close()
		return err
	}
	sc := newScope(s, l)
	sc.tls = config
	return s.serve(l, sc)
}

// ServeTLS serves h on the listener with TLS, as net/http.ServeTLS.
func ServeTLS(l net.Listener, h http.Handler, certFile, keyFile string) error {
	return (&Server{Handler: h}).ServeTLS(l, certFile, keyFile)
}

// tlsConfig returns the config that all connections of a listener share; session tickets
// depend on its being one.
func (s *Server) tlsConfig(certFile, keyFile string) (*tls.Config, error) {
	config := &tls.Config{}
	if s.TLSConfig != nil {
		config = s.TLSConfig.Clone()
	}
	config.NextProtos = s.nextProtos(config.NextProtos)
	has := len(config.Certificates) > 0 || config.GetCertificate != nil || config.GetConfigForClient != nil
	if has && certFile == "" && keyFile == "" {
		return config, nil
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	config.Certificates = []tls.Certificate{cert}
	return config, nil
}

// nextProtos returns the protocols to offer: h2 only if somebody here speaks it.
func (s *Server) nextProtos(protos []string) []string {
	out := make([]string, 0, len(protos)+1)
	seen := false
	for _, p := range protos {
		if p != "h2" || s.TLSNextProto["h2"] != nil {
			out = append(out, p)
		}
		seen = seen || p == "http/1.1"
	}
	if !seen {
		out = append(out, "http/1.1")
	}
	return out
}

// startTLS begins the handshake; the first request's clock starts behind it.
func (hc *conn) startTLS() {
	err := hc.c.StartTLS(hc.scope.tls, &strand.TLSOptions{
		HandshakeTimeout: hc.scope.srv.handshakeTimeout(),
		Done:             hc.secured,
		Plain:            hc.unsecured,
	})
	if err != nil {
		hc.close()
	}
}

// secured begins to serve behind the handshake.
func (hc *conn) secured(c *strand.Conn) {
	if hc.mode != modeHead {
		return
	}
	if state := hc.tlsState(); state != nil {
		proto := state.NegotiatedProtocol
		if hc.handOver(proto) {
			return
		}
		if !isHTTP1(proto) { // what was agreed is not what would be spoken (ALPACA; net/http)
			hc.close()
			return
		}
	}
	hc.begin()
}

// unsecured sees to a client that does not speak TLS. The answer is net/http's.
func (hc *conn) unsecured(c *strand.Conn) {
	if hc.mode != modeHead {
		return
	}
	if hc.scope.srv.InsecureAllowPlain {
		hc.begin()
		return
	}
	var first [1]byte
	if n, _ := c.Read(first[:]); n == 0 || first[0] < 'A' || first[0] > 'Z' {
		hc.logHandshake(errNoTLS)
		hc.mode = modeClosed
		_ = c.Abort()
		return
	}
	hc.logHandshake(errHTTPOnTLS)
	_, _ = c.WriteString("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n") // an error means that nobody listens
	hc.linger()
}

var (
	errNoTLS     = &strand.HandshakeError{Err: errors.New("first record does not look like a TLS handshake")}
	errHTTPOnTLS = &strand.HandshakeError{Err: errors.New("client sent an HTTP request to an HTTPS server")}
)

// logHandshake says why a handshake failed, if err says that one did: once a second at the
// most, since who connects must not fill the disk.
func (hc *conn) logHandshake(err error) {
	var failed *strand.HandshakeError
	if err == nil || hc.scope.tls == nil || !errors.As(err, &failed) {
		return
	}
	if now := time.Now().Unix(); hc.scope.srv.tlsLogged.Swap(now) != now {
		hc.scope.srv.logf("http: TLS handshake error from %s: %q", hc.c.RemoteAddr(), failed.Err.Error())
	}
}

// isPreface reports whether the client began with the preface of HTTP/2.
func (hc *conn) isPreface() bool {
	return hc.remote == "" && hc.in != nil && hc.scope.srv.TLSNextProto[protoH2C] != nil && hc.c.TLS() == nil &&
		bytes.HasPrefix(hc.in.Data(), []byte(prefaceH2))
}

// isHTTP1 reports whether a protocol of ALPN, none among them, is the one of this package.
func isHTTP1(proto string) bool { return proto == "" || proto == "http/1.1" || proto == "http/1.0" }

// handOver gives the connection to what serves another protocol, if there is something.
func (hc *conn) handOver(proto string) bool {
	s := hc.scope.srv
	next := s.TLSNextProto[proto]
	if next == nil || isHTTP1(proto) {
		return false
	}
	hc.mode = modeNext
	hc.part = nil
	hc.clearDeadline()
	if hc.in != nil {
		hc.c.Unread(hc.in.Data())
		hc.release()
	}
	hc.setState(http.StateActive)
	go hc.serveNext(next, hc.c.NetConn()) // next owns it, and ends it by closing nc
	return true
}

// serveNext runs another protocol. A panic, and runtime.Goexit, end this connection.
func (hc *conn) serveNext(next func(*Server, net.Conn, http.Handler), nc net.Conn) {
	returned := false
	defer func() {
		if returned {
			return
		}
		hc.scope.srv.logPanic(hc.c.RemoteAddr(), recover())
		_ = hc.c.Abort()
	}()
	next(hc.scope.srv, nc, nextHandler{hc})
	returned = true
}

// nextHandler is the server's handler as another protocol sees it.
type nextHandler struct{ hc *conn }

// BaseContext returns what the contexts of the connection's requests descend from.
func (h nextHandler) BaseContext() context.Context { return h.hc.baseContext() }

// ServeHTTP holds the request to the limits that the grammar of HTTP/1 holds its own to; what the other protocol
// parsed never came by there.
func (h nextHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e := h.hc.scope.beyond(r); e != nil {
		text := strconv.Itoa(e.Status) + " " + http.StatusText(e.Status) + ": " + e.Reason
		http.Error(w, text, e.Status)
		return
	}
	if limit := h.hc.scope.srv.MaxBodyBytes; limit > 0 && r.Body != nil && r.ContentLength != 0 {
		r.Body = http.MaxBytesReader(w, r.Body, limit) // its length may not have been declared
	}
	h.hc.handler(r).ServeHTTP(w, r)
}

// beyond returns the error of the limit that the head of r is beyond, or nil. The line and the number of lines are
// those that the request would have in HTTP/1, so that one limit means the same in both.
func (sc *scope) beyond(r *http.Request) *h1.Error {
	if len(r.Method)+len(" ")+len(r.RequestURI)+len(" HTTP/1.1") > sc.lim.RequestLine {
		return h1.ErrLineTooLong
	}
	lines := 1 // Host
	for _, values := range r.Header {
		lines += len(values)
	}
	if lines > sc.lim.HeaderLines {
		return h1.ErrTooManyFields
	}
	if limit := sc.srv.MaxBodyBytes; limit > 0 && r.ContentLength > limit {
		return errBodyTooLarge
	}
	return nil
}

var errBodyTooLarge = &h1.Error{Status: http.StatusRequestEntityTooLarge, Reason: "the request body is too large"}
