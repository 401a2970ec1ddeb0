package websocket

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/d74363f0/strand/internal/ws"
)

// raw is a client that sends whatever bytes it likes.
type raw struct {
	t    testing.TB
	nc   net.Conn
	br   *bufio.Reader
	resp *http.Response
}

const rawHandshake = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// rawDial connects and upgrades; extra is more header lines, and early what
// follows the head in the same segment.
func rawDial(t testing.TB, url, extra, early string) *raw {
	t.Helper()
	r := rawConnect(t, url)
	r.send(rawHandshake + extra + "\r\n" + early)
	if r.response(); r.resp.StatusCode != 101 {
		t.Fatalf("status %d", r.resp.StatusCode)
	}
	return r
}

func rawConnect(t testing.TB, url string) *raw {
	t.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(url, "ws://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(15 * time.Second))
	return &raw{t: t, nc: nc, br: bufio.NewReader(nc)}
}

func (r *raw) response() {
	r.t.Helper()
	resp, err := http.ReadResponse(r.br, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.resp = resp
}

func (r *raw) send(s string) {
	r.t.Helper()
	if _, err := io.WriteString(r.nc, s); err != nil {
		r.t.Log("send: ", err)
	}
}

// frame returns a masked frame.
func frame(first byte, payload string) string {
	h := ws.Header{Fin: first&0x80 != 0, RSV1: first&0x40 != 0, Op: ws.Opcode(first & 15), Length: int64(len(payload)), Masked: true, Key: 0x5a3c7e81}
	b := ws.AppendHeader(nil, h)
	b[0] = first
	n := len(b)
	b = append(b, payload...)
	ws.Mask(h.Key, b[n:], 0)
	return string(b)
}

// receive returns the next frame, or zeros at the end.
func (r *raw) receive() (first byte, payload string) {
	r.t.Helper()
	for n := 1; ; n++ {
		b, err := r.br.Peek(n)
		if err != nil {
			if err != io.EOF {
				r.t.Errorf("receive: %v", err)
			}
			return 0, ""
		}
		h, length, bad := ws.ParseHeader(b, ws.FromServer, true)
		if bad != nil {
			r.t.Fatalf("the server sent % x: %v", b, bad)
		}
		if length == 0 {
			continue
		}
		first = b[0]
		_, _ = r.br.Discard(length)
		p := make([]byte, h.Length)
		if _, err = io.ReadFull(r.br, p); err != nil {
			r.t.Fatal(err)
		}
		return first, string(p)
	}
}

func (r *raw) expect(first byte, payload string) {
	r.t.Helper()
	if f, p := r.receive(); f != first || p != payload {
		r.t.Fatalf("received %02x %.80q, want %02x %.80q", f, p, first, payload)
	}
}

// expectClose wants a close frame with the code and then the end of the stream.
func (r *raw) expectClose(code Code) {
	r.t.Helper()
	want := string([]byte{byte(code >> 8), byte(code)})
	if code == NoStatus {
		want = ""
	}
	f, p := r.receive()
	if f != 0x88 || !strings.HasPrefix(p, want) || code == NoStatus && p != "" {
		r.t.Fatalf("received %02x %q, want a close with %d", f, p, code)
	}
	if f, p = r.receive(); f != 0 {
		r.t.Fatalf("received %02x %q after the close", f, p)
	}
}

// echoServer is a server of its own for each test, which echoes.
func echoServer(t testing.TB, transport string, o *Options) (string, *tester) {
	h := echo()
	return serve(t, transport, o, func() Handler { return h }), h
}

// hazards 85-89, 91, 92, 94, 95, 101, 102
func TestProtocolErrors(t *testing.T) {
	short := func(code uint16) string { return string([]byte{byte(code >> 8), byte(code)}) }
	tests := []struct {
		name, in string
		deflate  bool
		code     Code
	}{
		{"unmasked", "\x81\x02hi", false, ProtocolError},
		{"rsv1", frame(0xc1, "hi"), false, ProtocolError},
		{"rsv2", frame(0xa1, "hi"), false, ProtocolError},
		{"rsv3", frame(0x91, "hi"), true, ProtocolError},
		{"opcode 3", frame(0x83, ""), false, ProtocolError},
		{"opcode 11", frame(0x8b, ""), false, ProtocolError},
		{"long ping", frame(0x89, strings.Repeat("x", 126)), false, ProtocolError},
		{"fragmented ping", frame(0x09, "x"), false, ProtocolError},
		{"continuation first", frame(0x80, "x"), false, ProtocolError},
		{"text inside text", frame(0x01, "x") + frame(0x81, "y"), false, ProtocolError},
		{"length not minimal", "\x82\xfe\x00\x05mask", false, ProtocolError},
		{"top bit", "\x82\xff\x80", false, ProtocolError},
		{"2^62", "\x82\xff\x40\x00\x00\x00\x00\x00\x00\x00mask", false, TooBig},
		{"over the limit", frame(0x82, strings.Repeat("x", 1001)), false, TooBig},
		{"over the limit, fragments", frame(0x02, strings.Repeat("x", 600)) + frame(0x80, strings.Repeat("x", 600)), false, TooBig},
		{"fragments", strings.Repeat(frame(0x02, ""), 1) + strings.Repeat(frame(0x00, ""), 20), false, TooBig},
		{"utf-8", frame(0x81, "a\xff"), false, InvalidPayload},
		{"utf-8 cut short", frame(0x81, "a\xe2\x82"), false, InvalidPayload},
		{"utf-8 fails fast", frame(0x01, "a\xf4\x90"), false, InvalidPayload},
		{"utf-8 over fragments", frame(0x01, "a\xe2\x82") + frame(0x80, "x"), false, InvalidPayload},
		{"utf-8 end of fragments", frame(0x01, "a\xe2\x82") + frame(0x80, ""), false, InvalidPayload},
		{"close of 1 byte", frame(0x88, "x"), false, ProtocolError},
		{"close 1005", frame(0x88, short(1005)), false, ProtocolError},
		{"close 5000", frame(0x88, short(5000)), false, ProtocolError},
		{"close reason", frame(0x88, short(1000)+"\xff"), false, InvalidPayload},
		{"rsv1 on ping", frame(0xc9, ""), true, ProtocolError},
		{"rsv1 on continuation", frame(0x41, "x") + frame(0xc0, ""), true, ProtocolError},
		{"continuation first, header cut short", "\x80\x81", false, ProtocolError},
		{"corrupt deflate", frame(0xc2, "\xff\xff\xff"), true, InvalidPayload},
		{"deflate cut short", frame(0xc2, "\xf2\x48"), true, InvalidPayload},
		{"behind the start", frame(0xc2, "\x02\x03\x00\x00"), true, InvalidPayload},
		{"compressed utf-8", frame(0xc1, "\x00\x02\x00\xfd\xff\x61\xff\x00"), true, InvalidPayload},
	}
	each(t, func(t *testing.T, transport string) {
		for _, tt := range tests {
			o := &Options{MaxMessage: 1000, MaxFragments: 20}
			extra := ""
			if tt.deflate {
				o.Compression = &Compression{}
				extra = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
			}
			url, h := echoServer(t, transport, o)
			r := rawDial(t, url, extra, "")
			// What stands before must come back, what stands behind must not.
			r.send(frame(0x81, "before") + tt.in + frame(0x81, "after"))
			r.expect(0x81, "before")
			r.expectClose(tt.code)
			_ = r.nc.Close()
			if e := h.wait(t); e.Code != tt.code || !e.Local || h.opened.Load() != 1 {
				t.Errorf("%s: OnClose received %+v", tt.name, e)
			}
		}
	})
}

// hazard 96
func TestPeerCloses(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		for _, tt := range []struct {
			payload string
			code    Code
		}{{"", NoStatus}, {"\x03\xe8", Normal}, {"\x03\xe9bye", GoingAway}, {"\x13\x87", 4999}, {"\x03\xf6", BadGateway}} {
			for _, behind := range []string{"", frame(0x81, "late"), frame(0x88, "\x03\xe9"), strings.Repeat(frame(0x89, "p"), 5000)} {
				url, h := echoServer(t, transport, nil)
				r := rawDial(t, url, "", "")
				r.send(frame(0x88, tt.payload) + behind)
				r.expectClose(tt.code)
				_ = r.nc.Close()
				e := h.wait(t)
				if e.Code != tt.code || e.Local || e.Reason != tt.payload[min(2, len(tt.payload)):] {
					t.Errorf("OnClose received %+v", e)
				}
			}
		}
	})
}

// hazards 90, 99, 107: pings between fragments, the first frames in the segment
// of the handshake, and every byte in a segment of its own.
func TestSplits(t *testing.T) {
	stream := frame(0x81, "one") + frame(0x01, "tw") + frame(0x89, "ping") + frame(0x00, "") + frame(0x8a, "unasked") +
		frame(0x80, "o") + frame(0x82, strings.Repeat("x", 300)) + frame(0x82, "")
	expect := func(r *raw) {
		r.expect(0x81, "one")
		r.expect(0x8a, "ping")
		r.expect(0x81, "two")
		r.expect(0x82, strings.Repeat("x", 300))
		r.expect(0x82, "")
		r.send(frame(0x88, ""))
		r.expectClose(NoStatus)
	}
	each(t, func(t *testing.T, transport string) {
		t.Run("early", func(t *testing.T) {
			url, _ := echoServer(t, transport, nil)
			expect(rawDial(t, url, "", stream))
		})
		t.Run("bytes", func(t *testing.T) {
			url, _ := echoServer(t, transport, nil)
			r := rawDial(t, url, "", "")
			for i := range len(stream) {
				r.send(stream[i : i+1])
				if i%16 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
			expect(r)
		})
		t.Run("halves", func(t *testing.T) {
			for cut := 1; cut < len(stream); cut += 7 {
				url, _ := echoServer(t, transport, nil)
				r := rawDial(t, url, "", stream[:cut])
				time.Sleep(time.Millisecond)
				r.send(stream[cut:])
				expect(r)
			}
		})
	})
}

// hazard 97
func TestPeerNeverAnswersClose(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		h := newTester()
		h.open = func(c *Conn) { _ = c.WriteClose(GoingAway, "enough") }
		url := serve(t, transport, &Options{CloseTimeout: 200 * time.Millisecond}, func() Handler { return h })
		r := rawDial(t, url, "", "")
		r.expect(0x88, "\x03\xe9enough")
		if e := h.wait(t); e.Code != GoingAway || !e.Local || e.Cause != errCloseTimeout {
			t.Errorf("OnClose received %+v", e)
		}
	})
}

// TestMessagesAfterOurClose: what crosses our close frame is not delivered, and
// the handshake completes. hazard 96
func TestMessagesAfterOurClose(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		h := newTester()
		h.message = func(c *Conn, _ MessageType, msg []byte) {
			if string(msg) != "go" {
				t.Errorf("message %q after Close", msg)
			}
			if err := c.WriteClose(4000, "done"); err != nil {
				t.Error(err)
			}
			if c.Close() != nil || c.WriteClose(Normal, "") != ErrClosed || c.WriteMessage(Text, nil) != ErrClosed {
				t.Error("writes after the close frame")
			}
		}
		url := serve(t, transport, nil, func() Handler { return h })
		r := rawDial(t, url, "", "")
		r.send(frame(0x81, "go") + frame(0x81, "late") + frame(0x01, "la") + frame(0x89, "p") + frame(0x80, strings.Repeat("x", 200_000)))
		r.send(frame(0x88, "\x0f\xa0"))
		r.expectClose(4000)
		if e := h.wait(t); e.Code != 4000 || !e.Local || e.Reason != "done" {
			t.Errorf("OnClose received %+v", e)
		}
	})
}

// TestHangUp: without a close frame the end is abnormal.
func TestHangUp(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		for _, in := range []string{"", frame(0x01, "half"), "\x81", frame(0x81, "whole")[:8]} {
			url, h := echoServer(t, transport, nil)
			r := rawDial(t, url, "", "")
			r.send(in)
			_ = r.nc.Close()
			if e := h.wait(t); e.Code != Abnormal || e.Local || e.Cause != io.EOF {
				t.Errorf("after %q: %+v", in, e)
			}
		}
	})
}

// hazard 111
func TestPanics(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		o := &Options{Logger: quiet}
		h := newTester()
		h.message = func(*Conn, MessageType, []byte) { panic("message") }
		url := serve(t, transport, o, func() Handler { return h })
		r := rawDial(t, url, "", frame(0x81, "x")+frame(0x81, "y"))
		r.expectClose(Internal)
		_ = r.nc.Close()
		if e := h.wait(t); e.Code != Internal || e.Cause != errPanic {
			t.Errorf("OnMessage: %+v", e)
		}
		h = newTester()
		h.open = func(*Conn) { panic("open") }
		r = rawDial(t, serve(t, transport, o, func() Handler { return h }), "", frame(0x81, "x"))
		r.expectClose(Internal)
		_ = r.nc.Close()
		if e := h.wait(t); e.Code != Internal {
			t.Errorf("OnOpen: %+v", e)
		}
	})
}

// TestGoexit: a callback that ends its goroutine ends its connection, and one that
// panics in OnClose nothing; the server goes on. hazards 111, 147
func TestGoexit(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		h := newTester()
		h.message = func(*Conn, MessageType, []byte) { runtime.Goexit() }
		h.close = func(*Conn, error) { h.end <- io.EOF; panic(http.ErrAbortHandler) }
		url := serve(t, transport, &Options{Logger: quiet}, func() Handler { return h })
		r := rawDial(t, url, "", "") // whole first: the end to come is a reset, and would destroy the 101
		r.send(frame(0x81, "x"))
		_, _ = io.Copy(io.Discard, r.br)
		_ = r.nc.Close()
		select {
		case <-h.end:
		case <-time.After(10 * time.Second):
			t.Fatal("no OnClose")
		}
		url, _ = echoServer(t, transport, nil)
		r = rawDial(t, url, "", frame(0x81, "alive"))
		r.expect(0x81, "alive")
	})
}

// TestNothingStays: when the connections have gone, so have their goroutines.
func TestNothingStays(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		var mu sync.Mutex
		var handlers []*tester
		url := serve(t, transport, nil, func() Handler {
			h := echo()
			mu.Lock()
			handlers = append(handlers, h)
			mu.Unlock()
			return h
		})
		before := runtime.NumGoroutine()
		var clients []*raw
		for i := range 60 {
			r := rawDial(t, url, "", frame(0x81, "hello")+frame(0x01, "half"))
			r.expect(0x81, "hello")
			clients = append(clients, r)
			if i%3 == 0 {
				r.send(frame(0x88, ""))
			}
			if i%3 == 1 {
				r.send("\xff\xff")
			}
		}
		for _, r := range clients {
			_ = r.nc.Close()
		}
		for _, h := range handlers {
			h.wait(t)
		}
		for range 300 {
			if runtime.NumGoroutine() <= before+5 {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
	})
}

// hazards 106, 108, 112
func TestRefusals(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		o := &Options{Origins: []string{"*.friend.example"}, Subprotocols: []string{"b", "a"}}
		url := serve(t, transport, o, func() Handler { return echo() })
		head := strings.Replace
		tests := []struct {
			name, head string
			status     int
		}{
			{"good", rawHandshake, 101},
			{"POST", head(rawHandshake, "GET", "POST", 1) + "Content-Length: 0\r\n", 405},
			{"version", head(rawHandshake, ": 13", ": 12", 1), 426},
			{"no key", head(rawHandshake, "Sec-WebSocket-Key", "X", 1), 400},
			{"body", rawHandshake + "Content-Length: 1\r\n", 400}, // the byte follows the head
			{"same origin", rawHandshake + "Origin: http://x\r\n", 101},
			{"friend", rawHandshake + "Origin: https://a.friend.example\r\n", 101},
			{"foreign", rawHandshake + "Origin: http://y\r\n", 403},
			{"null", rawHandshake + "Origin: null\r\n", 403},
		}
		for _, tt := range tests {
			r := rawConnect(t, url)
			r.send(tt.head + "\r\nz")
			r.response()
			if r.resp.StatusCode != tt.status {
				t.Errorf("%s: status %d", tt.name, r.resp.StatusCode)
			}
			if tt.status == 426 && r.resp.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Errorf("%s: no version", tt.name)
			}
			_ = r.nc.Close()
		}
		r := rawDial(t, url, "Sec-WebSocket-Protocol: a, c, b\r\n", "")
		if got := r.resp.Header.Get("Sec-WebSocket-Protocol"); got != "b" {
			t.Errorf("subprotocol %q", got)
		}
	})
}

// hazard 98
func TestPingFlood(t *testing.T) {
	url, h := echoServer(t, "strand", nil)
	r := rawDial(t, url, "", "")
	done := make(chan struct{})
	go func() {
		defer close(done)
		flood := []byte(strings.Repeat(frame(0x89, strings.Repeat("p", 100)), 1000))
		for range 500 {
			if _, err := r.nc.Write(flood); err != nil {
				return
			}
		}
		_, _ = io.WriteString(r.nc, frame(0x89, "last"))
	}()
	<-done
	n := 0
	for {
		f, p := r.receive()
		if n++; f != 0x8a {
			t.Fatalf("received %02x", f)
		}
		if p == "last" {
			break
		}
	}
	if n > 499_000 {
		t.Errorf("%d pongs, none coalesced", n)
	}
	r.send(frame(0x88, ""))
	r.expectClose(NoStatus)
	h.wait(t)
}

// hazard 100
func TestDeflateBomb(t *testing.T) {
	z := takeDeflater(15, 1)
	bomb := string(bytes.Clone(z.compress(make([]byte, 64<<20), nil)))
	z.release()
	url, h := echoServer(t, "strand", &Options{MaxMessage: 1 << 20, Compression: &Compression{}})
	r := rawDial(t, url, "Sec-WebSocket-Extensions: permessage-deflate\r\n", "")
	half := len(bomb) / 2
	r.send(frame(0x42, bomb[:half]) + frame(0x80, bomb[half:]))
	r.expectClose(TooBig)
	_ = r.nc.Close()
	h.wait(t)
}

// TestHugeLength: without a bound a peer may announce the longest message there is.
func TestHugeLength(t *testing.T) {
	for _, limit := range []int64{-1, math.MaxInt64} {
		url, h := echoServer(t, "strand", &Options{MaxMessage: limit, Logger: quiet})
		r := rawDial(t, url, "", "")
		r.send("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00")
		time.Sleep(20 * time.Millisecond) // so that all of the payload is still to come
		r.send(strings.Repeat("x", 300_000))
		_ = r.nc.Close()
		if e := h.wait(t); e.Code != Abnormal || e.Cause != io.EOF {
			t.Errorf("MaxMessage %d: OnClose received %+v", limit, e)
		}
	}
}

// TestNoAnswerToClose: what came in place of the peer's close frame is the cause, and the code is still that of
// ours.
func TestNoAnswerToClose(t *testing.T) {
	ways := map[string]struct {
		end   func(c *Conn, r *raw)
		cause func(err error) bool
	}{
		"peer hangs up": {
			func(_ *Conn, r *raw) { _ = r.nc.Close() },
			func(err error) bool { return err == io.EOF },
		},
		"peer errs": {
			func(_ *Conn, r *raw) { r.send("\xff\xff") },
			func(err error) bool { var e *ws.Error; return errors.As(err, &e) },
		},
		"abort": {
			func(c *Conn, _ *raw) { _ = c.Abort() },
			func(err error) bool { return err == ErrClosed },
		},
		"transport ends": {
			func(c *Conn, _ *raw) { _ = c.sc.Abort() },
			func(err error) bool { return err != nil },
		},
	}
	each(t, func(t *testing.T, transport string) {
		for name, way := range ways {
			c, r, h := stalled(t, transport, nil)
			_ = c.WriteClose(4000, "")
			r.expect(0x88, "\x0f\xa0")
			way.end(c, r)
			_ = r.nc.(*net.TCPConn).CloseWrite()
			if e := h.wait(t); e.Code != 4000 || !e.Local || !way.cause(e.Cause) {
				t.Errorf("%s: OnClose received %+v", name, e)
			}
		}
	})
}
