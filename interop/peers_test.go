package interop

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
)

// peer is another implementation of both sides.
type peer struct {
	dial  func(t *testing.T, addr string, compressed bool) client
	serve func(t *testing.T, compressed bool) http.HandlerFunc
}

var peers = map[string]peer{
	"coder":   {dialCoder, serveCoder},
	"gorilla": {dialGorilla, serveGorilla},
	"gws":     {dialGWS, serveGWS},
}

func each(t *testing.T, f func(t *testing.T, p peer, compressed bool)) {
	for name, p := range peers {
		t.Run(name, func(t *testing.T) { f(t, p, false) })
		t.Run(name+"-deflate", func(t *testing.T) { f(t, p, true) })
	}
}

func TestTheirClients(t *testing.T) {
	each(t, func(t *testing.T, p peer, compressed bool) {
		addr, closed := strandServer(t, compressed)
		converse(t, p.dial(t, addr, compressed))
		expectEnd(t, closed)
	})
}

func TestTheirServers(t *testing.T) {
	each(t, func(t *testing.T, p peer, compressed bool) {
		converse(t, dialStrand(t, serveNetHTTP(t, p.serve(t, compressed)), compressed))
	})
}

type coderClient struct{ c *coder.Conn }

func coderMode(compressed bool) coder.CompressionMode {
	if compressed {
		return coder.CompressionContextTakeover
	}
	return coder.CompressionDisabled
}

func dialCoder(t *testing.T, addr string, compressed bool) client {
	c, _, err := coder.Dial(t.Context(), "ws://"+addr+"/", &coder.DialOptions{CompressionMode: coderMode(compressed), CompressionThreshold: 1})
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(maxMessage)
	return coderClient{c}
}

func (c coderClient) exchange(text bool, msg []byte) (bool, []byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	kind := coder.MessageBinary
	if text {
		kind = coder.MessageText
	}
	if err := c.c.Write(ctx, kind, msg); err != nil {
		return false, nil, err
	}
	kind, got, err := c.c.Read(ctx)
	return kind == coder.MessageText, got, err
}

func (c coderClient) close() (int, error) {
	// Close fails unless the peer repeats the code.
	return 4321, c.c.Close(4321, "enough")
}

func serveCoder(t *testing.T, compressed bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, &coder.AcceptOptions{CompressionMode: coderMode(compressed), CompressionThreshold: 1})
		if err != nil {
			t.Error(err)
			return
		}
		c.SetReadLimit(maxMessage)
		for {
			kind, msg, err := c.Read(context.Background())
			if err != nil {
				return
			}
			if err = c.Write(context.Background(), kind, msg); err != nil {
				t.Error(err)
			}
		}
	}
}

type gorillaClient struct{ c *gorilla.Conn }

func dialGorilla(t *testing.T, addr string, compressed bool) client {
	d := gorilla.Dialer{EnableCompression: compressed}
	c, _, err := d.Dial("ws://"+addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return gorillaClient{c}
}

func (c gorillaClient) exchange(text bool, msg []byte) (bool, []byte, error) {
	_ = c.c.SetReadDeadline(time.Now().Add(10 * time.Second))
	kind := gorilla.BinaryMessage
	if text {
		kind = gorilla.TextMessage
	}
	if err := c.c.WriteMessage(kind, msg); err != nil {
		return false, nil, err
	}
	kind, got, err := c.c.ReadMessage()
	return kind == gorilla.TextMessage, got, err
}

func (c gorillaClient) close() (int, error) {
	if err := c.c.WriteMessage(gorilla.CloseMessage, gorilla.FormatCloseMessage(4321, "enough")); err != nil {
		return 0, err
	}
	_, _, err := c.c.ReadMessage()
	if ce, ok := errors.AsType[*gorilla.CloseError](err); ok {
		return ce.Code, nil
	}
	return 0, err
}

func serveGorilla(t *testing.T, compressed bool) http.HandlerFunc {
	up := gorilla.Upgrader{EnableCompression: compressed}
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = c.Close() }()
		for {
			kind, msg, err := c.ReadMessage()
			if err != nil {
				return
			}
			if err = c.WriteMessage(kind, msg); err != nil {
				t.Error(err)
			}
		}
	}
}

// gwsClient hands its messages over.
type gwsClient struct {
	gws.BuiltinEventHandler
	c   *gws.Conn
	got chan *gws.Message
	end chan error
}

func gwsDeflate(compressed bool) gws.PermessageDeflate {
	return gws.PermessageDeflate{
		Enabled: compressed, ServerContextTakeover: true, ClientContextTakeover: true,
		ServerMaxWindowBits: 12, ClientMaxWindowBits: 13, Threshold: 1,
	}
}

func (h *gwsClient) OnMessage(_ *gws.Conn, m *gws.Message) { h.got <- m }
func (h *gwsClient) OnClose(_ *gws.Conn, err error)        { h.end <- err }

func dialGWS(t *testing.T, addr string, compressed bool) client {
	h := &gwsClient{got: make(chan *gws.Message, 1), end: make(chan error, 1)}
	c, _, err := gws.NewClient(h, &gws.ClientOption{Addr: "ws://" + addr + "/", PermessageDeflate: gwsDeflate(compressed), ReadMaxPayloadSize: maxMessage})
	if err != nil {
		t.Fatal(err)
	}
	h.c = c
	go c.ReadLoop()
	return h
}

func (h *gwsClient) exchange(text bool, msg []byte) (bool, []byte, error) {
	kind := gws.OpcodeBinary
	if text {
		kind = gws.OpcodeText
	}
	if err := h.c.WriteMessage(kind, msg); err != nil {
		return false, nil, err
	}
	select {
	case m := <-h.got:
		return m.Opcode == gws.OpcodeText, m.Bytes(), nil
	case err := <-h.end:
		return false, nil, err
	case <-time.After(10 * time.Second):
		return false, nil, errors.New("no answer")
	}
}

// close cannot see the code that comes back: gws ends the connection when it has
// sent its own close frame.
func (h *gwsClient) close() (int, error) {
	return 4321, h.c.WriteClose(4321, []byte("enough"))
}

// gwsEcho is the handler of gws's server.
type gwsEcho struct {
	gws.BuiltinEventHandler
	t *testing.T
}

func (h gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	if err := c.WriteMessage(m.Opcode, m.Bytes()); err != nil {
		h.t.Error(err)
	}
	_ = m.Close()
}

func (h gwsEcho) OnPing(c *gws.Conn, payload []byte) { _ = c.WritePong(payload) }

func serveGWS(t *testing.T, compressed bool) http.HandlerFunc {
	up := gws.NewUpgrader(gwsEcho{t: t}, &gws.ServerOption{PermessageDeflate: gwsDeflate(compressed), ReadMaxPayloadSize: maxMessage})
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		c.ReadLoop()
	}
}
