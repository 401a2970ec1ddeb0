package http2

//lint:file-ignore SA1019 What x/net/http2 deprecates net/http has only for connections that it accepted itself.

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"github.com/d74363f0/strand/http1"
	"golang.org/x/net/http2"
)

// Options are the parameters of Configure. The zero Options are useful.
type Options struct {
	// Config holds the limits of HTTP/2. Nil means the defaults of x/net/http2.
	Config *http.HTTP2Config

	// Unencrypted serves clients without TLS that begin with the preface of HTTP/2 ("prior knowledge"), too. The
	// upgrade from HTTP/1.1 (h2c, RFC 7540, 3.2) is not offered: RFC 9113 took it out.
	Unencrypted bool
}

// The keys of http1.Server.TLSNextProto.
const (
	overTLS     = "h2"
	unencrypted = "unencrypted_http2"
)

// Configure has s serve HTTP/2, with s's Handler and timeouts. It must be called after the fields of s are set and
// before s serves. s.TLSConfig is replaced by a copy that offers "h2" first; its cipher suites must include one that
// HTTP/2 permits, or Configure fails. o may be nil.
//
// Of the limits of s these hold for a request by HTTP/2 as for one by HTTP/1: MaxBodyBytes (413, or
// *http.MaxBytesError from the body), MaxRequestLine (414; the line is the one that it would have in HTTP/1),
// MaxHeaderLines (431; Host counts as one), MaxHeaderBytes (431), MaxConns, MaxConnsPerIP and IdleTimeout. ReadTimeout
// and WriteTimeout count for each stream. MinBodyRate and MaxPipelined do not apply, and ReadHeaderTimeout does so
// only until the connection is known to speak HTTP/2.
//
// WriteProgressTimeout is the longest time in which a connection may take nothing of what is written to it, unless
// Config.WriteByteTimeout is set. It does not see a stream whose flow control window the client keeps at 0, since
// nothing is written to it then: only WriteTimeout bounds that.
func Configure(s *http1.Server, o *Options) error {
	if o == nil {
		o = &Options{}
	}
	config := &tls.Config{}
	if s.TLSConfig != nil {
		config = s.TLSConfig.Clone()
	}
	config.NextProtos = protos(config.NextProtos)
	base := &http.Server{
		TLSConfig: config, HTTP2: o.Config, ErrorLog: s.ErrorLog, MaxHeaderBytes: s.MaxHeaderBytes,
		ReadTimeout: s.ReadTimeout, WriteTimeout: s.WriteTimeout, IdleTimeout: idleTimeout(s),
	}
	h2 := &http2.Server{WriteByteTimeout: writeProgressTimeout(s)} // base.HTTP2 goes first
	if err := http2.ConfigureServer(base, h2); err != nil {
		return err
	}
	s.TLSConfig = config
	if s.TLSNextProto == nil {
		s.TLSNextProto = make(map[string]func(*http1.Server, net.Conn, http.Handler))
	}
	serve := func(_ *http1.Server, nc net.Conn, h http.Handler) {
		defer nc.Close()
		opts := &http2.ServeConnOpts{BaseConfig: base, Handler: h}
		if b, ok := h.(interface{ BaseContext() context.Context }); ok {
			opts.Context = b.BaseContext()
		}
		h2.ServeConn(nc, opts)
	}
	s.TLSNextProto[overTLS] = serve
	if o.Unencrypted {
		s.TLSNextProto[unencrypted] = serve
	}
	s.RegisterOnShutdown(func() {
		_ = base.Shutdown(context.Background()) // says GOAWAY; s itself waits for the connections
	})
	return nil
}

// protos puts h2 in front of what the caller offers.
func protos(offered []string) []string {
	all := []string{overTLS}
	for _, p := range offered {
		if p != overTLS {
			all = append(all, p)
		}
	}
	return all
}

// writeProgressTimeout is that of the HTTP/1 connections of s; 0 means none.
func writeProgressTimeout(s *http1.Server) time.Duration {
	if s.WriteProgressTimeout == 0 {
		return http1.DefaultWriteProgressTimeout
	}
	return max(s.WriteProgressTimeout, 0)
}

// idleTimeout is that of the HTTP/1 connections of s.
func idleTimeout(s *http1.Server) time.Duration {
	for _, d := range []time.Duration{s.IdleTimeout, s.ReadTimeout, http1.DefaultIdleTimeout} {
		if d != 0 {
			return d // a negative one is none, where 0 would have x/net ask for ReadTimeout
		}
	}
	return 0
}
