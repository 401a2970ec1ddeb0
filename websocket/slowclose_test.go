package websocket

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/steady"
	"github.com/d74363f0/strand/internal/ws"
)

// What waits when a connection closes is more than the kernel can hold, and its reader is slow for three times
// slowLimit, in which it reads a third: so some still waits when every timeout of that length has passed.
const (
	slowSize  = 32 << 20
	slowLimit = 400 * time.Millisecond
)

// readSlowly reads all bytes, slowly at first, and calls mid when it has begun.
func readSlowly(t testing.TB, nc net.Conn, all int, mid func()) {
	t.Helper()
	_ = nc.SetDeadline(time.Now().Add(time.Minute))
	began := time.Now()
	for got, p := 0, make([]byte, slowSize/64); got < all; {
		n, err := nc.Read(p)
		if got += n; err != nil {
			t.Fatalf("after %v and %d bytes of %d: %v", time.Since(began), got, all, err)
		}
		if time.Since(began) > slowLimit/2 && mid != nil {
			mid()
			mid = nil
		}
		if time.Since(began) < 3*slowLimit {
			time.Sleep(slowLimit / 8)
		}
	}
}

// stuffed is a connection with a message that waits.
func stuffed(t testing.TB, transport string, o Options) (*Conn, *raw, *tester) {
	t.Helper()
	o.MaxQueued = 2 * slowSize
	c, r, h := stalled(t, transport, &o)
	if err := c.WriteMessage(Binary, make([]byte, slowSize)); err != nil {
		t.Fatal(err)
	}
	return c, r, h
}

const slowBytes = 10 + slowSize + 4 // with the header and the close frame

// Close gives a peer that reads slowly all of what is queued, however long that takes, and whatever it does
// meanwhile to end the connection itself.
func TestCloseAndASlowReader(t *testing.T) { // hazards 96, 97
	answer := func(r *raw) { r.send(frame(0x88, "\x03\xe8")) }
	each(t, func(t *testing.T, transport string) {
		closeSlowly(t, transport, Options{CloseTimeout: slowLimit}, nil, answer, nil)
	})
	for name, tt := range map[string]struct {
		o     Options
		mid   func(*raw)
		cause error
	}{
		"its close crosses ours":  {Options{CloseTimeout: slowLimit}, answer, nil},
		"closes its half":         {Options{CloseTimeout: slowLimit}, func(r *raw) { _ = r.nc.(*net.TCPConn).CloseWrite() }, io.EOF},
		"without a write timeout": {Options{CloseTimeout: 2 * slowLimit, WriteTimeout: -1}, answer, nil},
	} {
		t.Run(name, func(t *testing.T) { closeSlowly(t, "strand", tt.o, tt.mid, nil, tt.cause) })
	}
}

// closeSlowly closes a connection with much to send; its peer calls mid when it has begun to read and last at the end.
func closeSlowly(t *testing.T, transport string, o Options, mid, last func(*raw), cause error) {
	steady.Try(t, slowLimit/4, func(t testing.TB) {
		c, r, h := stuffed(t, transport, o)
		if o.WriteTimeout < 0 {
			time.Sleep(o.CloseTimeout * 5 / 4) // without reading, which is no reproach
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		readSlowly(t, r.nc, slowBytes, func() {
			if mid != nil {
				mid(r)
			}
		})
		if last != nil {
			last(r)
		}
		if e := h.wait(t); e.Code != Normal || e.Cause != cause {
			t.Errorf("OnClose received %v, want the cause %v", e, cause)
		}
	})
}

// A peer that does not read has the write timeout, or CloseTimeout if there is none.
func TestCloseAndNoReader(t *testing.T) { // hazard 97
	for _, o := range []Options{{WriteTimeout: slowLimit, CloseTimeout: time.Hour}, {WriteTimeout: -1, CloseTimeout: slowLimit}} {
		c, _, h := stuffed(t, "strand", o)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if e := h.wait(t); !errors.Is(e.Cause, strand.ErrWriteTimeout) {
			t.Errorf("OnClose received %v", e)
		}
	}
}

// A peer that pauses has the write timeout for what is queued, however short the close timeout is.
func TestCloseAndAPause(t *testing.T) { // hazard 97
	const limit = 100 * time.Millisecond
	each(t, func(t *testing.T, transport string) {
		c, r, h := stuffed(t, transport, Options{CloseTimeout: limit})
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * limit)
		if n, err := io.CopyN(io.Discard, r.br, slowBytes); err != nil {
			t.Fatalf("after %d bytes of %d: %v", n, slowBytes, err)
		}
		if e := h.wait(t); e.Code != Normal {
			t.Errorf("OnClose received %v", e)
		}
	})
}

// Nothing of that holds a connection whose peer errs, or of which nothing waits any more.
func TestCloseEnds(t *testing.T) { // hazard 97
	c, r, h := stuffed(t, "strand", Options{CloseTimeout: time.Hour})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	r.send("\xff\xff")
	if e := h.wait(t); e.Code != Normal || e.Cause == nil {
		t.Errorf("behind a peer's error OnClose received %v", e)
	}
	c, _, h = stalled(t, "strand", &Options{CloseTimeout: 100 * time.Millisecond})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.x.last = 1 << 62 // which is never sent
	c.mu.Unlock()
	if e := h.wait(t); e.Cause != errCloseTimeout {
		t.Errorf("with nothing to send OnClose received %v", e)
	}
}

// What the kernel has taken reaches a silent peer that looks only after CloseTimeout.
func TestReadBehindTheCloseTimeout(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		c, r, h := stalled(t, transport, &Options{CloseTimeout: 100 * time.Millisecond})
		if err := c.WriteMessage(Text, []byte("last words")); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if e := h.wait(t); e.Code != Normal || e.Cause != errCloseTimeout {
			t.Errorf("OnClose received %v", e)
		}
		r.expect(0x81, "last words")
		r.expect(0x88, "\x03\xe8")
		if n, err := r.nc.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("behind the close frame: %d, %v", n, err)
		}
	})
}

// A client's answer to the server's close goes behind what is queued, too.
func TestClientAnswersASlowReader(t *testing.T) {
	for name, closes := range map[string]bool{"answers": false, "closes as well": true} {
		t.Run(name, func(t *testing.T) {
			steady.Try(t, slowLimit/4, func(t testing.TB) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = l.Close() })
				server := make(chan net.Conn, 1)
				go func() { server <- upgraded(l) }()
				h := newTester()
				conns := make(chan *Conn, 1)
				h.open = func(c *Conn) { conns <- c }
				dial(t, "ws://"+l.Addr().String(), h, &DialOptions{Options: Options{MaxQueued: 2 * slowSize, CloseTimeout: slowLimit}})
				c, nc := <-conns, <-server
				if nc == nil {
					t.Fatal("no connection")
				}
				t.Cleanup(func() { _ = nc.Close() })
				if err := c.WriteMessage(Binary, make([]byte, slowSize)); err != nil {
					t.Fatal(err)
				}
				if closes {
					if err := c.Close(); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := io.WriteString(nc, "\x88\x02\x03\xe8"); err != nil {
					t.Fatal(err)
				}
				readSlowly(t, nc, slowBytes+8, nil) // two masks more
				_ = nc.Close()
				if e := h.wait(t); e.Code != Normal || e.Cause != nil {
					t.Errorf("OnClose received %v", e)
				}
			})
		})
	}
}

// upgraded accepts a connection and answers its opening handshake; nil if that fails.
func upgraded(l net.Listener) net.Conn {
	nc, err := l.Accept()
	if err != nil {
		return nil
	}
	req, err := http.ReadRequest(bufio.NewReader(nc))
	if err == nil {
		_, err = io.WriteString(nc, "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
			ws.AcceptKey(req.Header.Get("Sec-WebSocket-Key"))+"\r\n\r\n")
	}
	if err != nil {
		_ = nc.Close()
		return nil
	}
	return nc
}

// A silent peer has CloseTimeout and not twice that, wherever Close is called.
func TestCloseTimeoutIsOne(t *testing.T) { // hazard 97
	const limit = time.Second
	each(t, func(t *testing.T, transport string) {
		steady.Try(t, limit/8, func(t testing.TB) {
			h := newTester()
			var began time.Time
			h.message = func(c *Conn, _ MessageType, _ []byte) {
				began = time.Now()
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}
			r := rawDial(t, serve(t, transport, &Options{CloseTimeout: limit}, func() Handler { return h }), "", "")
			r.send(frame(0x81, "go"))
			e := h.wait(t)
			if d := time.Since(began); e.Cause != errCloseTimeout || d < limit*7/8 || d > limit*3/2 {
				t.Errorf("after %v OnClose received %v", d, e)
			}
		})
	})
}

// Who answers the peer's close waits for it as long as the options say, whatever the engine's say.
func TestAnswerAndNoReader(t *testing.T) { // hazard 97
	c, r, h := stuffed(t, "strand", Options{WriteTimeout: -1, CloseTimeout: 200 * time.Millisecond})
	r.send(frame(0x88, "\x03\xe8"))
	began := time.Now()
	h.wait(t)
	if d := time.Since(began); d > 4*time.Second { // the engine's is 5 s
		t.Errorf("it took %v", d)
	}
	_ = c
}

// Nobody waits for room in a connection that closes: nothing will be accepted.
func TestCloseReleasesWriters(t *testing.T) {
	for name, write := range map[string]func(*Conn) error{
		"Send":      func(c *Conn) error { return c.Send(t.Context(), Binary, make([]byte, slowSize)) },
		"WaitWrite": func(c *Conn) error { return c.WaitWrite(t.Context()) },
		"Writer": func(c *Conn) error {
			w, err := c.Writer(t.Context(), Binary)
			if err == nil {
				_, err = w.Write(make([]byte, slowSize))
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, _, _ := stalled(t, "strand", &Options{MaxQueued: 1 << 20, WriteTimeout: time.Hour, CloseTimeout: time.Hour})
			if err := c.WriteMessage(Binary, make([]byte, slowSize)); err != nil {
				t.Fatal(err)
			}
			result := make(chan error, 1)
			go func() { result <- write(c) }()
			time.Sleep(50 * time.Millisecond)
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-result:
				if err != ErrClosed {
					t.Error(err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it still waits")
			}
		})
	}
}

// An engine that ends is not the peer's hanging up.
func TestEndOfTheEngine(t *testing.T) {
	e, err := strand.New(strand.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	url := serve(t, "strand", nil, func() Handler { return echo() })
	h := newTester()
	c, _, err := Dial(t.Context(), url, h, &DialOptions{Options: Options{Engine: e}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Abort()
	if err := e.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if end := h.wait(t); !end.Local || end.Code != Abnormal || end.Cause == io.EOF {
		t.Errorf("OnClose received %v, local: %v", end, end.Local)
	}
}

// Dial returns an error only if OnOpen was not, and will not be, called.
func TestDialAndTheEndOfItsContext(t *testing.T) {
	url := serve(t, "strand", nil, func() Handler { return echo() })
	ctx, cancel := context.WithCancel(t.Context())
	h := newTester()
	h.open = func(*Conn) {
		cancel()
		time.Sleep(20 * time.Millisecond)
	}
	c, _, err := Dial(ctx, url, h, nil)
	if err != nil {
		t.Fatalf("OnOpen was called, and Dial returned %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	h.wait(t)

	for range 200 { // the end comes somewhere in the handshake
		ctx, cancel := context.WithCancel(t.Context())
		h := newTester()
		go cancel()
		c, _, err := Dial(ctx, url, h, nil)
		switch opened := h.opened.Load(); {
		case err == nil && opened == 1:
			_ = c.Abort()
		case err == nil || opened != 0:
			t.Fatalf("OnOpen was called %d times, and Dial returned %v", opened, err)
		}
	}
}
