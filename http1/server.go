package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/buf"
)

// Server serves HTTP/1 on an engine. The zero Server is useful. Fields that net/http.Server
// also has mean the same; what differs is said. No field may be changed once the server
// serves.
type Server struct {
	// Addr is the address ListenAndServe listens on, ":http" if empty.
	Addr string

	// Handler answers the requests, http.DefaultServeMux if nil.
	Handler http.Handler

	// DisableGeneralOptionsHandler passes "OPTIONS *" to Handler instead of answering it.
	DisableGeneralOptionsHandler bool

	// TLSConfig is used by ServeTLS and ListenAndServeTLS.
	TLSConfig *tls.Config

	// ReadTimeout is the longest time to read a whole request, from its first byte to the
	// end of its body. Zero or negative: no limit but ReadHeaderTimeout.
	ReadTimeout time.Duration

	// ReadHeaderTimeout is the longest time from a connection's beginning, or a request's
	// first byte, to the end of its head; single bytes do not extend it. Zero: ReadTimeout,
	// or DefaultReadHeaderTimeout if that is zero, too (net/http has no limit then).
	// Negative: no limit.
	ReadHeaderTimeout time.Duration

	// WriteTimeout is the longest time from the end of a request's head to the end of its
	// response. Zero or negative: no limit but WriteProgressTimeout.
	WriteTimeout time.Duration

	// IdleTimeout is the longest time a connection may be without a request. Zero:
	// ReadTimeout, or DefaultIdleTimeout if that is zero, too (net/http has no limit then).
	// Negative: no limit.
	IdleTimeout time.Duration

	// WriteProgressTimeout is the longest time a client may take nothing of a response that
	// waits for it. Zero: DefaultWriteProgressTimeout. Negative: no limit.
	WriteProgressTimeout time.Duration

	// MinBodyRate is the least rate, in bytes a second and after DefaultBodyGrace, at which
	// a request body must arrive while the handler waits for it; time for which the handler
	// does something else does not count. Zero: no limit.
	MinBodyRate int

	// MaxHeaderBytes limits the header lines of a request in bytes; http.DefaultMaxHeaderBytes
	// if zero. Beyond it a request is answered with 431.
	MaxHeaderBytes int

	// MaxHeaderLines limits the number of header lines of a request; DefaultMaxHeaderLines
	// if zero. Beyond it a request is answered with 431.
	MaxHeaderLines int

	// MaxRequestLine limits the request line in bytes; DefaultMaxRequestLine if zero. Beyond
	// it a request is answered with 414.
	MaxRequestLine int

	// MaxBodyBytes limits the body of a request in bytes. A longer one is answered with 413
	// if its length was declared; else reading it fails with *http.MaxBytesError. Zero: no
	// limit, as in net/http.
	MaxBodyBytes int64

	// MaxPipelined limits the requests of one connection that are answered in one turn of
	// the loop before other connections have theirs; DefaultMaxPipelined if zero.
	MaxPipelined int

	// MaxQueued limits the response bytes that wait for one client, beyond which Write
	// blocks; DefaultMaxQueued if zero.
	MaxQueued int

	// MaxConns limits the connections of this server, those in a TLS handshake included. A
	// connection beyond it is closed. Hijacked ones, WebSockets among them, are not counted;
	// limit them by Options.MaxConns of the engine. Zero: no limit.
	MaxConns int

	// MaxConnsPerIP limits the connections from one IPv4 address or one IPv6 /64. Behind a
	// proxy all connections come from one address. As with MaxConns, hijacked ones are not
	// counted, so a handler that hijacks has to count those of one address itself. Zero: no
	// limit.
	MaxConnsPerIP int

	// TLSNextProto holds what serves connections whose client chose another protocol
	// by ALPN. The function owns the net.Conn, which has a ConnectionState method as a
	// *tls.Conn has, and the handler has BaseContext() context.Context; the connection
	// is over when it closes the net.Conn. The key "unencrypted_http2" is for connections
	// without TLS that begin with the preface of HTTP/2. This package speaks HTTP/1
	// only; the module http2 fills the map in. "h2" in TLSConfig.NextProtos counts only
	// if it is in the map.
	TLSNextProto map[string]func(*Server, net.Conn, http.Handler)

	// InsecureAllowPlain has ServeTLS serve clients that do not speak TLS, too, in the
	// clear: one port for both. Without it they are told with 400.
	InsecureAllowPlain bool

	// ConnState is called when a connection changes its state. The net.Conn identifies the
	// connection; it can be closed and given deadlines, but not read or written.
	ConnState func(net.Conn, http.ConnState)

	// ErrorLog takes what goes wrong outside handlers and their panics; the log package's
	// standard logger if nil.
	ErrorLog *log.Logger

	// BaseContext returns the context that those of requests descend from.
	BaseContext func(net.Listener) context.Context

	// ConnContext changes the context of one connection's requests. The net.Conn is that of
	// ConnState.
	ConnContext func(ctx context.Context, c net.Conn) context.Context

	// Engine runs the connections, strand.Default() if nil.
	Engine *strand.Engine

	inShutdown        atomic.Bool
	disableKeepAlives atomic.Bool

	mu         sync.Mutex
	listeners  map[io.Closer]struct{}  // mu
	conns      map[*conn]struct{}      // mu
	shaking    map[*handshake]struct{} // mu; not in conns yet
	perIP      map[ipKey]int           // mu; of conns and shaking
	onShutdown []func()                // mu
	nconns     atomic.Int64            // of conns and shaking
	tlsLogged  atomic.Int64            // when a failed handshake was last logged, Unix seconds

	bodyGrace  time.Duration // DefaultBodyGrace if zero; tests cannot wait that long
	shadowOnce sync.Once
	shadowed   *http.Server // set by shadowOnce
}

// shadow returns the value of http.ServerContextKey: an http.Server with the same settings,
// because net/http itself and others assert that type. It serves nothing.
func (s *Server) shadow() *http.Server {
	s.shadowOnce.Do(func() {
		s.shadowed = &http.Server{
			Addr: s.Addr, Handler: s.Handler, DisableGeneralOptionsHandler: s.DisableGeneralOptionsHandler,
			TLSConfig: s.TLSConfig, ReadTimeout: s.ReadTimeout, ReadHeaderTimeout: s.ReadHeaderTimeout,
			WriteTimeout: s.WriteTimeout, IdleTimeout: s.IdleTimeout, MaxHeaderBytes: s.MaxHeaderBytes,
			ConnState: s.ConnState, ErrorLog: s.ErrorLog, BaseContext: s.BaseContext, ConnContext: s.ConnContext,
		}
	})
	return s.shadowed
}

// Defaults of the Server's limits.
const (
	DefaultReadHeaderTimeout    = 30 * time.Second
	DefaultIdleTimeout          = 3 * time.Minute
	DefaultWriteProgressTimeout = 1 * time.Minute
	DefaultBodyGrace            = 10 * time.Second
	DefaultMaxHeaderLines       = 1000
	DefaultMaxRequestLine       = 16 << 10
	DefaultMaxPipelined         = 32
	DefaultMaxQueued            = 256 << 10
)

// ListenAndServe serves h on the TCP address addr, as net/http.ListenAndServe.
func ListenAndServe(addr string, h http.Handler) error {
	return (&Server{Addr: addr, Handler: h}).ListenAndServe()
}

// Serve serves h on the listener, as net/http.Serve.
func Serve(l net.Listener, h http.Handler) error {
	return (&Server{Handler: h}).Serve(l)
}

// ListenAndServe listens on Addr and serves until Shutdown or Close, after which it returns
// http.ErrServerClosed.
func (s *Server) ListenAndServe() error {
	if s.inShutdown.Load() {
		return http.ErrServerClosed
	}
	addr := s.Addr
	if addr == "" {
		addr = ":http"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return s.Serve(l)
}

// Serve accepts connections from l and serves them until l fails, or until Shutdown or
// Close, after which it returns http.ErrServerClosed. It closes l.
func (s *Server) Serve(l net.Listener) error {
	if s.inShutdown.Load() {
		_ = l.Close()
		return http.ErrServerClosed
	}
	return s.serve(l, newScope(s, l))
}

func (s *Server) serve(l net.Listener, sc *scope) error {
	switch l.(type) {
	case *net.TCPListener, *net.UnixListener:
		return s.serveNative(l, sc)
	}
	f := &foreign{Listener: l, sc: sc, quit: make(chan struct{})}
	defer f.Close()
	if !s.track(f) {
		return http.ErrServerClosed
	}
	defer s.untrack(f)
	return f.run()
}

// serveNative serves a listener that the engine's poller watches.
func (s *Server) serveNative(l net.Listener, sc *scope) error {
	sl, err := s.engine().AdoptListener(l, sc.accept)
	if err != nil {
		return err // AdoptListener has closed it
	}
	defer sl.Close()
	if !s.track(sl) {
		return http.ErrServerClosed
	}
	defer s.untrack(sl)
	<-sl.Done()
	if s.inShutdown.Load() {
		return http.ErrServerClosed
	}
	if err := sl.Err(); err != nil {
		return err
	}
	return net.ErrClosed
}

func (s *Server) engine() *strand.Engine {
	if s.Engine != nil {
		return s.Engine
	}
	return strand.Default()
}

func (s *Server) track(l io.Closer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inShutdown.Load() {
		return false
	}
	if s.listeners == nil {
		s.listeners = make(map[io.Closer]struct{})
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) untrack(l io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

// RegisterOnShutdown has f called, in a goroutine of its own, when Shutdown begins.
func (s *Server) RegisterOnShutdown(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onShutdown = append(s.onShutdown, f)
}

// SetKeepAlivesEnabled says whether connections serve more than one request; they do unless
// told otherwise. Switching it off closes idle connections.
func (s *Server) SetKeepAlivesEnabled(v bool) {
	s.disableKeepAlives.Store(!v)
	if !v {
		s.closeIdle()
	}
}

func (s *Server) keepAlives() bool {
	return !s.disableKeepAlives.Load() && !s.inShutdown.Load()
}

// closeListeners closes what accepts and returns the first error of it.
func (s *Server) closeListeners() error {
	s.mu.Lock()
	listeners := make([]io.Closer, 0, len(s.listeners))
	for l := range s.listeners {
		listeners = append(listeners, l)
	}
	s.mu.Unlock()
	var first error
	for _, l := range listeners {
		if err := l.Close(); err != nil && first == nil && !errors.Is(err, net.ErrClosed) {
			first = err
		}
	}
	return first
}

// snapshot returns the connections open now.
func (s *Server) snapshot() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	conns := make([]*conn, 0, len(s.conns))
	for hc := range s.conns {
		conns = append(conns, hc)
	}
	return conns
}

// closeIdle asks every connection that is between requests to close, and closes those that
// have been in their handshake for as long as one may be without a request.
func (s *Server) closeIdle() {
	s.dropHandshakes(newConnIdle)
	for _, hc := range s.snapshot() {
		hc.closeIfIdle()
	}
}

// Close closes the listeners and all connections at once, hijacked ones apart. The contexts
// of running requests are cancelled.
func (s *Server) Close() error {
	s.inShutdown.Store(true)
	err := s.closeListeners()
	s.dropHandshakes(0) // before the snapshot: what became a connection just now is in that
	for _, hc := range s.snapshot() {
		_ = hc.c.Abort()
		hc.cancelRequest() // one that begins behind this finds the connection closed: see peerGone
	}
	return err
}

// Shutdown closes the listeners, lets running requests finish, closes idle connections, and
// returns when no connection is left or with ctx's error. It does not touch hijacked
// connections; RegisterOnShutdown is for them.
func (s *Server) Shutdown(ctx context.Context) error {
	s.inShutdown.Store(true)
	err := s.closeListeners()
	s.mu.Lock()
	for _, f := range s.onShutdown {
		go f()
	}
	s.mu.Unlock()
	wait := time.Millisecond
	for {
		s.closeIdle()
		if s.nconns.Load() == 0 {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		wait = min(2*wait, 100*time.Millisecond)
	}
}

func (s *Server) logf(format string, args ...any) {
	if s.ErrorLog != nil {
		s.ErrorLog.Printf(format, args...)
		return
	}
	log.Printf(format, args...)
}

// logPanic says that user code panicked with v, serving remote, a net.Addr or its text;
// http.ErrAbortHandler, and the nil of a goroutine that only ended, are not worth it.
func (s *Server) logPanic(remote, v any) {
	if v == nil || v == http.ErrAbortHandler {
		return
	}
	buf.Fault(v)
	s.logf("http: panic serving %v: %v\n%s", remote, v, debug.Stack())
}

func (s *Server) readHeaderTimeout() time.Duration {
	return firstSet(s.ReadHeaderTimeout, s.ReadTimeout, DefaultReadHeaderTimeout)
}

func (s *Server) idleTimeout() time.Duration {
	return firstSet(s.IdleTimeout, s.ReadTimeout, DefaultIdleTimeout)
}

func (s *Server) writeProgressTimeout() time.Duration {
	return firstSet(s.WriteProgressTimeout, DefaultWriteProgressTimeout)
}

// firstSet returns the first duration that is not zero, or zero if that is negative.
func firstSet(ds ...time.Duration) time.Duration {
	for _, d := range ds {
		if d != 0 {
			return max(d, 0)
		}
	}
	return 0
}

func orDefault(v, def int) int {
	if v <= 0 {
		return def
	}
	return v
}
