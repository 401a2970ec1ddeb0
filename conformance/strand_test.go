package conformance

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/d74363f0/strand/http1"
	"github.com/d74363f0/strand/websocket"
)

// strandEcho sends every message back and tells a client under test when it is over.
type strandEcho struct{ closed chan error }

func (strandEcho) OnOpen(*websocket.Conn) {}

func (strandEcho) OnMessage(c *websocket.Conn, t websocket.MessageType, p []byte) {
	c.Send(context.Background(), t, p)
}

func (h strandEcho) OnClose(_ *websocket.Conn, err error) {
	if h.closed != nil {
		h.closed <- err
	}
}

func strandOptions() websocket.Options {
	return websocket.Options{MaxMessage: limit, Compression: &websocket.Compression{}}
}

var strandHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	o := strandOptions()
	websocket.Accept(w, r, strandEcho{}, &o)
})

func strandClient(ctx context.Context, url string, deflate bool) error {
	h := strandEcho{closed: make(chan error, 1)}
	o := &websocket.DialOptions{Options: strandOptions(), TLSConfig: testTLS()}
	if !deflate {
		o.Compression = nil
	}
	if _, _, err := websocket.Dial(ctx, url, h, o); err != nil {
		return err
	}
	return <-h.closed
}

// none fails on whatever is not a pass: strand has no exclusions.
func none(t *testing.T, rep Report) {
	t.Helper()
	for _, r := range rep.Results {
		t.Run(r.Case.ID, func(t *testing.T) {
			if r.Status != Pass {
				t.Errorf("%s (%v)\nwant: %s\ngot:  %v", r.Case.Says, r.Status, r.Case.Want, r.Err)
			}
		})
	}
}

func strandRunOptions() Options {
	o := options()
	o.Parallel, o.Timeout = 32, 20*time.Second
	return o
}

func TestStrandServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http1.Server{Handler: strandHandler, ErrorLog: quiet}
	go s.Serve(ln) // ends with Close below
	defer s.Close()
	none(t, RunServer(t.Context(), "ws://"+ln.Addr().String()+"/", strandRunOptions()))
}

func TestStrandServerTLS(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http1.Server{Handler: strandHandler, ErrorLog: quiet, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate(t)}}}
	go s.ServeTLS(ln, "", "") // ends with Close below
	defer s.Close()
	o := strandRunOptions()
	o.TLS = testTLS()
	none(t, RunServer(t.Context(), "wss://"+ln.Addr().String()+"/", o))
}

// TestStrandServerOverNetHTTP upgrades connections that net/http accepted.
func TestStrandServerOverNetHTTP(t *testing.T) {
	s := httptest.NewUnstartedServer(strandHandler)
	s.Config.ErrorLog = quiet
	s.Start()
	defer s.Close()
	none(t, RunServer(t.Context(), wsURL(s), strandRunOptions()))
}

func TestStrandClient(t *testing.T) {
	none(t, RunClient(t.Context(), "", strandClient, strandRunOptions()))
}

func TestStrandClientTLS(t *testing.T) {
	o := strandRunOptions()
	o.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	none(t, RunClient(t.Context(), "", strandClient, o))
}
