package http1

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"

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
