package websocket

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/d74363f0/strand/internal/steady"
)

// A Send on the strand that waits for another goroutine's Writer must not wait for ever when
// the connection is closed in place of the Writer: nothing else would end it.
func TestSendBehindStreamEnds(t *testing.T) {
	ends := map[string]func(c *Conn, r *raw, w *Writer){
		"close": func(c *Conn, _ *raw, _ *Writer) { _ = c.Close() },
		"abort": func(c *Conn, _ *raw, _ *Writer) { _ = c.Abort() },
		"peer": func(_ *Conn, r *raw, w *Writer) {
			_ = r.nc.(*net.TCPConn).SetLinger(0)
			_ = r.nc.Close()
			for {
				if _, err := w.Write(make([]byte, 100)); err != nil {
					_ = w.Close()
					return
				}
				time.Sleep(time.Millisecond)
			}
		},
	}
	each(t, func(t *testing.T, transport string) {
		for name, end := range ends {
			h := newTester()
			conns := make(chan *Conn, 1)
			began := make(chan struct{})
			h.open = func(c *Conn) { conns <- c }
			sent := make(chan error, 1)
			h.message = func(c *Conn, mt MessageType, msg []byte) {
				close(began)
				sent <- c.Send(context.Background(), mt, msg)
			}
			o := &Options{MaxQueued: 1000, CloseTimeout: 300 * time.Millisecond}
			r := rawDial(t, serve(t, transport, o, func() Handler { return h }), "", "")
			c := <-conns
			w, err := c.Writer(context.Background(), Text)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range []string{"x", "y"} {
				if _, err := w.Write([]byte(p)); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.WriteMessage(Text, make([]byte, 600)); err != nil {
				t.Fatal(err)
			}
			r.send(frame(0x81, strings.Repeat("m", 200)))
			<-began
			time.Sleep(20 * time.Millisecond)
			end(c, r, w)
			select {
			case err := <-sent:
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s: Send: %v", name, err)
				}
			case <-time.After(5 * time.Second):
				t.Fatalf("%s: Send waits for ever", name)
			}
			h.wait(t)
		}
	})
}

// What replaces a waiting message of the same key counts against MaxQueued like any other.
func TestKeyedReplacementIsBounded(t *testing.T) {
	const limit = 256 << 10
	each(t, func(t *testing.T, transport string) {
		c, _, _ := stalled(t, transport, &Options{MaxQueued: limit, Queue: KeepLatest})
		if _, err := c.Writer(context.Background(), Text); err != nil { // so that nothing leaves the queue
			t.Fatal(err)
		}
		key := func(i int) string { return string(rune('a' + i)) }
		for i := range 16 {
			if err := c.WriteKeyed(key(i), Binary, []byte{1}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 16 {
			if err := c.WriteKeyed(key(i), Binary, make([]byte, limit/2)); err != nil {
				t.Fatal(err)
			}
		}
		c.mu.Lock()
		q := &c.x.pending
		total := 0
		for _, m := range q.list {
			total += m.size() + entryCost
		}
		if q.bytes > limit || q.bytes != total || len(q.list) == 0 || len(q.list[len(q.list)-1].p) != limit/2 ||
			c.x.drops.Superseded+c.x.drops.Oldest != 32-uint64(len(q.list)) {
			t.Errorf("%d messages wait, %d bytes, counted %d", len(q.list), total, q.bytes)
		}
		c.mu.Unlock()
		_ = c.Abort()
	})
}

// Close of a connection that is paused still makes the closing handshake.
func TestCloseWhilePaused(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		h := newTester()
		conns := make(chan *Conn, 1)
		h.open = func(c *Conn) { c.PauseRead(); conns <- c }
		r := rawDial(t, serve(t, transport, &Options{CloseTimeout: time.Second}, func() Handler { return h }), "", "")
		if err := (<-conns).Close(); err != nil {
			t.Fatal(err)
		}
		r.expect(0x88, "\x03\xe8")
		r.send(frame(0x88, "\x03\xe8"))
		if e := h.wait(t); e.Code != Normal || e.Cause != nil {
			t.Errorf("OnClose received %v", e)
		}
	})
}

// PauseRead in OnMessage holds back what has not been read yet.
func TestPauseStopsReading(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		h := newTester()
		got := 0
		paused := make(chan struct{})
		h.message = func(c *Conn, _ MessageType, _ []byte) {
			if got++; got == 1 {
				time.Sleep(100 * time.Millisecond) // the rest arrives
				c.PauseRead()
				time.AfterFunc(100*time.Millisecond, func() { close(paused) })
			}
		}
		conns := make(chan *Conn, 1)
		h.open = func(c *Conn) { conns <- c }
		r := rawDial(t, serve(t, transport, nil, func() Handler { return h }), "", "")
		c := <-conns
		const n = 400
		go r.send(strings.Repeat(frame(0x82, strings.Repeat("x", 1000)), n))
		<-paused
		count := make(chan int)
		go func() { _ = c.Post(func(*Conn) { count <- got }) }()
		k := <-count
		if k*1000 > readSize+readMore {
			t.Errorf("%d messages of 1000 bytes behind PauseRead", k)
		}
		c.ResumeRead()
		for range 200 {
			go func() { _ = c.Post(func(*Conn) { count <- got }) }()
			if k = <-count; k == n {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if k != n {
			t.Errorf("%d of %d messages came", k, n)
		}
		_ = c.Abort()
		h.wait(t)
	})
}

// A ping that was not sent, because the peer is still taking a large message, needs no answer.
func TestUnsentPing(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		const size, interval = 24 << 20, 400 * time.Millisecond
		steady.Try(t, interval/4, func(t testing.TB) {
			c, r, h := stalled(t, transport, &Options{MaxQueued: 64 << 10, PingInterval: interval})
			if err := c.WriteMessage(Binary, make([]byte, size)); err != nil {
				t.Fatal(err) // a ping that came first is one, too
			}
			// A peer that takes it slowly and has nothing to say.
			p := make([]byte, 256<<10)
			began := time.Now()
			for n := 0; time.Since(began) < 3*interval; time.Sleep(50 * time.Millisecond) {
				k, err := r.nc.Read(p)
				if n += k; err != nil {
					t.Fatalf("after %d of %d bytes: %v", n, size, err)
				}
			}
			select {
			case err := <-h.end:
				t.Errorf("ended: %v", err)
			default:
			}
			_ = c.Abort()
		})
	})
}

// A proxy's refusal is the answer, whatever length of body it announces.
func TestProxyRefusesWithBody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		if _, err := http.ReadRequest(bufio.NewReader(nc)); err == nil {
			_, _ = io.WriteString(nc, "HTTP/1.1 407 No\r\nContent-Length: 1000\r\n\r\nfirst")
		}
		_, _ = io.Copy(io.Discard, nc)
	}()
	began := time.Now()
	_, _, err = Dial(context.Background(), "ws://far.example/", newTester(), &DialOptions{
		HandshakeTimeout: 3 * time.Second,
		Proxy:            func(*http.Request) (*url.URL, error) { return url.Parse("http://" + l.Addr().String()) },
	})
	var refused *HandshakeError
	if !errors.As(err, &refused) || refused.Status != 407 || time.Since(began) > 2*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

// What one function of OnClosed does is nothing to the others, and OnClose follows.
func TestPanicInOnClosed(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		h := newTester()
		second := make(chan struct{})
		h.open = func(c *Conn) {
			c.OnClosed(func() { panic("first") })
			c.OnClosed(func() { close(second) })
		}
		r := rawDial(t, serve(t, transport, &Options{Logger: quiet}, func() Handler { return h }), "", "")
		_ = r.nc.Close()
		h.wait(t)
		<-second
	})
}

// A client that is paused when the close frame comes still sees the server hang up.
func TestPeerClosesPausedClient(t *testing.T) {
	h := newTester()
	h.open = func(c *Conn) {
		_ = c.WriteMessage(Text, []byte("x"))
		_ = c.Close()
	}
	url := serve(t, "strand", nil, func() Handler { return h })
	client := newTester()
	client.message = func(c *Conn, _ MessageType, _ []byte) { c.PauseRead() }
	began := time.Now()
	if _, _, err := Dial(context.Background(), url, client, nil); err != nil {
		t.Fatal(err)
	}
	if e := client.wait(t); e.Code != Normal || time.Since(began) > 3*time.Second {
		t.Errorf("after %v: %v", time.Since(began), e)
	}
}
