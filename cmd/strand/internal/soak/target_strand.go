package soak

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/http1"
	"github.com/d74363f0/strand/websocket"
)

// Strand is this project's server as a Target.
type Strand struct{}

func (Strand) String() string { return "strand" }

// Start implements Target.
func (Strand) Start(handler http.Handler, tc *tls.Config) (string, func(), func() map[string]float64, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	engine, err := strand.New(strand.Options{Logger: quiet})
	if err != nil {
		ln.Close()
		return "", nil, nil, err
	}
	srv := &http1.Server{Engine: engine, Handler: handler, TLSConfig: tc, ErrorLog: log.New(io.Discard, "", 0)}
	url, serve := "http://"+ln.Addr().String(), func() error { return srv.Serve(ln) }
	if tc != nil {
		url, serve = "https://"+ln.Addr().String(), func() error { return srv.ServeTLS(ln, "", "") }
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve() // returns when stop closes it
	}()
	stop := func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if srv.Shutdown(ctx) != nil {
			srv.Close()
		}
		engine.Close()
		<-done
	}
	stats := func() map[string]float64 {
		s := engine.Stats()
		return map[string]float64{
			"blocks": float64(s.BlocksInUse), "connections": float64(s.Conns), "handoffs": float64(s.HandOffs),
			"noticed": float64(s.Noticed), "isolation_violations": float64(s.Violations),
			"max_batch_ms": ms(s.MaxBatch), "bytes_dropped": float64(s.BytesDropped),
		}
	}
	return url, stop, stats, nil
}

// A webSocketer is a Target with a WebSocket of its own.
type webSocketer interface{ webSocket(q *request) }

func (Strand) webSocket(q *request) {
	// Accept has answered when it fails; the client sees that.
	websocket.Accept(q.w, q.r, &wsEcho{q: q}, &websocket.Options{
		MaxMessage: 64 << 20, Compression: &websocket.Compression{}, Logger: slog.New(slog.DiscardHandler),
	})
}

// wsEcho checks and returns each message.
type wsEcho struct{ q *request }

func (e *wsEcho) OnOpen(*websocket.Conn) {}

func (e *wsEcho) OnMessage(c *websocket.Conn, t websocket.MessageType, msg []byte) {
	e.q.seen(msg)
	c.Send(context.Background(), t, msg) // fails only if the client has gone
}

func (e *wsEcho) OnClose(*websocket.Conn, error) {}
