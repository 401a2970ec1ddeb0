package http1

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/steady"
)

// A client that sent more than it should and is slow to read gets its response whole: what ends the lingering is no reset.
func TestLingerAndASlowReader(t *testing.T) { // hazard 84
	for _, foreign := range []bool{false, true} {
		t.Run(fmt.Sprint("foreign ", foreign), func(t *testing.T) {
			t.Parallel()
			lingers(t, foreign, false)
		})
	}
}

// lingers has a client read a response slowly that has sent too much, and goes on sending or not.
func lingers(t *testing.T, foreign, sends bool) {
	t.Helper()
	const size, parts = 256 << 10, 16
	ts := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", size)) }, nil)
	addr := ts.addr
	if foreign {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr = l.Addr().String()
		go func() { _ = ts.Serve(wrapping{l}) }() // until the server is closed
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_ = c.(*net.TCPConn).SetReadBuffer(32 << 10) // the rest stays on the server's side
	// More than one read of a net.Conn takes.
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"+strings.Repeat("X", 64<<10)); err != nil {
		t.Fatal(err)
	}
	if !sends {
		time.Sleep(lingerTime + lingerTime/2)
		_ = c.(*net.TCPConn).SetReadBuffer(1 << 20)
		if sizes := answers(t, c, 1); sizes[0] != size {
			t.Errorf("%d bytes of %d", sizes[0], size)
		}
		return
	}
	p := make([]byte, size/parts)
	for i := range parts {
		time.Sleep(2 * lingerTime / parts)
		if _, err := io.ReadFull(c, p); err != nil {
			t.Fatalf("part %d of %d: %v", i, parts, err)
		}
		_, _ = io.WriteString(c, "X") // an error shows in the read
	}
}

// wrapping is a listener whose connections are not the kernel's to the engine.
type wrapping struct{ net.Listener }

type wrapped struct{ *net.TCPConn }

func (l wrapping) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return wrapped{c.(*net.TCPConn)}, nil
}

// What a handler left of a body is waited for only so long, and the response read all the same.
func TestDrainTimeoutLingers(t *testing.T) { // hazard 84
	conns := make(chan *conn, 1)
	ts := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conns <- w.(*response).hc
		_, _ = io.WriteString(w, "done")
	}, nil)
	c := ts.dial(t)
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx"); err != nil {
		t.Fatal(err)
	}
	hc := <-conns
	lingers := make(chan bool)
	if err := hc.c.Post(func(c *strand.Conn) { // behind the handler
		lingers <- hc.mode == modeDrain && hc.OnTimeout(c, strand.TimeoutRead) && hc.mode == modeLinger
	}); err != nil {
		t.Fatal(err)
	}
	if !<-lingers {
		t.Error("closed at once")
	}
	if sizes := answers(t, c, 1); sizes[0] != 4 {
		t.Errorf("%d bytes of 4", sizes[0])
	}
}

// However a connection ends on this side, the context of its request does, too: who waits for that would wait for ever.
func TestLocalCloseEndsTheContext(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	requests := map[string]string{
		"pipelined":         get + get, // which hides the end of the input, not this one
		"of an unread body": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n",
	}
	for name, end := range map[string]func(ts *testServer, hc *conn){
		"the net.Conn of ConnState": func(_ *testServer, hc *conn) { _ = hc.view().Close() },
		"Abort":                     func(_ *testServer, hc *conn) { _ = hc.c.Abort() },
		"Close":                     func(_ *testServer, hc *conn) { _ = hc.c.Close() },
		"Server.Close":              func(ts *testServer, _ *conn) { _ = ts.Server.Close() },
	} {
		for kind, request := range requests {
			t.Run(name+", "+kind, func(t *testing.T) { endsLocally(t, request, end) })
		}
	}
}

// endsLocally ends a connection on this side while the handler of its request waits.
func endsLocally(t *testing.T, request string, end func(ts *testServer, hc *conn)) {
	conns, ended, free := make(chan *conn, 1), make(chan error, 1), make(chan struct{})
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		conns <- w.(*response).hc
		select {
		case <-r.Context().Done():
			ended <- r.Context().Err()
		case <-free:
		}
	}, nil)
	c := ts.dial(t)
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	go end(ts, <-conns)
	select {
	case err := <-ended:
		if err != context.Canceled {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		close(free)
		t.Fatal("the handler still waits")
	}
}

// A request that begins behind the connection's end finds that out by itself, whatever is pipelined behind it.
func TestPipelinedRequestsAndTheEnd(t *testing.T) {
	before, behind := make(chan bool, 1), make(chan bool, 1)
	ts := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		hc := w.(*response).hc
		before <- hc.peerGone()
		_ = hc.c.Abort()
		behind <- hc.peerGone()
	}, nil)
	c := ts.dial(t)
	if _, err := io.WriteString(c, strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400)); err != nil { // more than one read takes
		t.Fatal(err)
	}
	if <-before || !<-behind {
		t.Error("the end was found before, or not behind")
	}
}

// A hook that panics when it is told that a connection was hijacked does not keep the server from ending.
func TestPanicInConnStateOfHijack(t *testing.T) {
	ts := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		nc, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = nc.Close()
		}
	}, func(s *Server) {
		s.ConnState = func(_ net.Conn, st http.ConnState) {
			if st == http.StateHijacked {
				panic("the hook")
			}
		}
	})
	c := ts.dial(t)
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ts.nconns.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections are counted", ts.nconns.Load())
		}
	}
}

// The time for which a handler works is not the client's.
func TestMinBodyRateAndASlowHandler(t *testing.T) {
	const grace = 400 * time.Millisecond
	steady.Try(t, grace/4, func(t testing.TB) {
		read := make(chan error, 2)
		ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
			p := make([]byte, 1)
			_, err := r.Body.Read(p)
			read <- err
			time.Sleep(2 * grace)
			_, err = io.ReadFull(r.Body, p) // which waits
			read <- err
		}, func(s *Server) { s.MinBodyRate, s.bodyGrace = 1<<20, grace })
		c := ts.dial(t)
		send := func(s string) {
			t.Helper()
			if _, err := io.WriteString(c, s); err != nil {
				t.Fatal(err)
			}
		}
		send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n")
		time.Sleep(grace / 4) // the first read waits, too
		send("x")
		if err := <-read; err != nil {
			t.Fatal(err)
		}
		time.Sleep(2*grace + grace/4)
		send("x")
		if err := <-read; err != nil && err != io.EOF {
			t.Errorf("the second read: %v", err)
		}
	})
}

// What was agreed by ALPN is what is spoken, over a listener of crypto/tls, too; what nobody here speaks is not answered.
func TestNextProtoOverAnyListener(t *testing.T) {
	for name, foreign := range map[string]bool{"ours": false, "of crypto/tls": true} {
		t.Run(name, func(t *testing.T) {
			config := &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}, NextProtos: []string{"spoken", "unspoken", "http/1.1"}}
			e, err := strand.New(strand.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			s := &Server{Engine: e, TLSConfig: config, Handler: http.NotFoundHandler()}
			s.TLSNextProto = map[string]func(*Server, net.Conn, http.Handler){
				"spoken": func(_ *Server, nc net.Conn, _ http.Handler) {
					state, ok := nc.(interface{ ConnectionState() tls.ConnectionState }) // by which x/net/http2 knows TLS
					if !ok || state.ConnectionState().NegotiatedProtocol != "spoken" {
						t.Errorf("a %T without the session's state", nc)
					}
					_, _ = io.WriteString(nc, "spoken\n")
					_ = nc.Close()
				},
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				if foreign {
					done <- s.Serve(tls.NewListener(l, config))
				} else {
					done <- s.ServeTLS(l, "", "")
				}
			}()
			defer func() {
				_ = s.Close()
				<-done
			}()
			for proto, want := range map[string]string{"spoken": "spoken\n", "unspoken": "", "http/1.1": "HTTP/1.1 404 Not Found\r\n", "": "HTTP/1.1 404 Not Found\r\n"} {
				cc := &tls.Config{InsecureSkipVerify: true}
				if proto != "" {
					cc.NextProtos = []string{proto}
				}
				c, err := tls.Dial("tcp", l.Addr().String(), cc)
				if err != nil {
					t.Fatal(err)
				}
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") // an error shows in the read
				if line, err := bufio.NewReader(c).ReadString('\n'); line != want || (err == nil) != (want != "") {
					t.Errorf("%q: %q, %v; want %q", proto, line, err, want)
				}
				_ = c.Close()
			}
		})
	}
}

// A lingering connection whose client reads slowly does not keep Shutdown waiting.
func TestShutdownEndsLingering(t *testing.T) {
	t.Parallel()
	ts := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 1<<20)) }, nil)
	c := ts.dial(t)
	_ = c.(*net.TCPConn).SetReadBuffer(32 << 10)
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nX"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for p := make([]byte, 48<<10); ; time.Sleep(lingerTime / 4) {
			if _, err := io.ReadFull(c, p); err != nil {
				return
			}
		}
	}()
	time.Sleep(lingerTime / 4)
	ctx, cancel := context.WithTimeout(t.Context(), 4*lingerTime)
	defer cancel()
	if err := ts.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	_ = c.Close()
	<-ended
}
