package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const get = "GET %s HTTP/1.1\r\nHost: x\r\n\r\n"

const upgrade = "GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

func TestSignalsDrain(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		t.Run(sig.String(), func(t *testing.T) { drains(t, sig) })
	}
}

// drains sends sig to a server with an idle connection, a request under way and a WebSocket: the first is closed, the
// second answered, the third told 1001, and the server says so and exits with 0.
func drains(t *testing.T, sig os.Signal) {
	p := start(t)
	idle := p.watch()
	busy, busyIn := p.raw()
	socket, socketIn := p.raw()
	p.send(socket, strings.ReplaceAll(upgrade, "%s", "/ws"))
	switched(t, socketIn)
	p.send(busy, strings.ReplaceAll(get, "%s", "/slow?ms=700"))
	idle.inside(t, 3, 2)

	p.signal(sig)
	if b, err := io.ReadAll(idle.in); err != nil || len(b) > 0 {
		t.Errorf("the idle connection got %q, %v instead of a clean end", b, err)
	}
	if got := closeFrame(t, socketIn); got.code != 1001 {
		t.Errorf("the WebSocket was told %d %q instead of 1001", got.code, got.reason)
	}
	answerClose(t, p, socket)
	if body := answer(t, busyIn); body != "slept 700 ms\n" {
		t.Errorf("the request under way got %q", body)
	}
	if code := p.wait(); code != exitOK {
		t.Errorf("exit %d", code)
	}
	if p.stderr.String() != "" {
		t.Errorf("stderr %q", p.stderr)
	}
	said := regexp.MustCompile(`drained 3 connections in \S+; served (\d+) requests and 0 messages in \S+`)
	if !said.MatchString(p.stdout.String()) {
		t.Errorf("it says %q", p.stdout)
	}
	if _, err := net.DialTimeout("tcp", p.addr, time.Second); err == nil {
		t.Error("somebody still listens")
	}
}

func TestDrainHasAnEnd(t *testing.T) {
	p := start(t, "-drain", "200ms")
	idle := p.watch()
	busy, _ := p.raw()
	p.send(busy, strings.ReplaceAll(get, "%s", "/slow?ms=60000"))
	idle.inside(t, 2, 1)
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != exitFailed {
		t.Errorf("exit %d", code)
	}
	oneLine(t, "stderr", p.stderr.String(), "1 connection still open after 200ms")
}

func TestSecondSignalEndsTheDrain(t *testing.T) {
	p := start(t, "-drain", "1h")
	idle := p.watch()
	busy, _ := p.raw()
	p.send(busy, strings.ReplaceAll(get, "%s", "/slow?ms=60000"))
	idle.inside(t, 2, 1)
	p.signal(os.Interrupt)
	p.until(t, "it to drain", func() bool { return strings.Contains(p.stdout.String(), "draining 2 connections") })
	noSignalYet(t, p)
	p.signal(os.Interrupt)
	if code := p.wait(); code != exitFailed {
		t.Errorf("exit %d", code)
	}
	oneLine(t, "stderr", p.stderr.String(), "1 connection still open at the second signal")
}

// A watch is a connection that looks at /stats and lies idle in between.
type watch struct {
	p     *program
	c     net.Conn
	in    *bufio.Reader
	looks uint64
}

func (p *program) watch() *watch {
	c, in := p.raw()
	return &watch{p: p, c: c, in: in}
}

// inside waits until the server has conns connections, the watch's included, and as many requests beside the
// watch's own in the hands of its handlers, or behind it.
func (w *watch) inside(t *testing.T, conns int64, requests uint64) {
	t.Helper()
	w.p.until(t, "the server to see the connections", func() bool {
		w.p.send(w.c, strings.ReplaceAll(get, "%s", "/stats"))
		w.looks++
		var n snapshot
		if err := json.Unmarshal([]byte(answer(t, w.in)), &n); err != nil {
			t.Fatal(err)
		}
		return n.Connections == conns && n.Requests == w.looks+requests
	})
}

func (p *program) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 15 s for %s\n%s\n%s", what, p.stdout, p.stderr)
		}
	}
}

func answer(t *testing.T, in *bufio.Reader) string {
	t.Helper()
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("status %s, %v", r.Status, err)
	}
	return string(b)
}

func switched(t *testing.T, in *bufio.Reader) {
	t.Helper()
	r, err := http.ReadResponse(in, nil)
	if err != nil || r.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("no WebSocket: %v, %v", r, err)
	}
	if got := r.Header.Get("Sec-Websocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" { // RFC 6455 1.3
		t.Fatalf("Sec-WebSocket-Accept %q", got)
	}
}

type farewell struct {
	code   int
	reason string
}

// closeFrame reads one unmasked close frame (RFC 6455 5.5.1).
func closeFrame(t *testing.T, in *bufio.Reader) farewell {
	t.Helper()
	head := make([]byte, 2)
	if _, err := io.ReadFull(in, head); err != nil {
		t.Fatal(err)
	}
	if head[0] != 0x88 || head[1] < 2 || head[1] > 125 {
		t.Fatalf("not a close frame with a code: % x", head)
	}
	body := make([]byte, head[1])
	if _, err := io.ReadFull(in, body); err != nil {
		t.Fatal(err)
	}
	return farewell{int(body[0])<<8 | int(body[1]), string(body[2:])}
}

func answerClose(t *testing.T, p *program, c net.Conn) {
	t.Helper()
	frame := []byte{0x88, 0x82, 0, 0, 0, 0} // masked with zeros, as a client may
	p.send(c, string(bytes.Join([][]byte{frame, {1001 >> 8, 1001 & 0xff}}, nil)))
}

// A run that the first signal does not end, since it waits for answers, is ended by the next one.
func TestSecondSignalEndsSoak(t *testing.T) {
	var asked atomic.Int64
	stuck, release := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if asked.Add(1) == 20 { // the server has been found to echo
			close(stuck)
		}
		if asked.Load() >= 20 {
			<-release
		}
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		_, _ = w.Write(b)
	}))
	defer s.Close()
	defer close(release)
	p := launch(t, os.Args[0], "soak", "-kinds", "post", "-conns", "2", "-max", "100", "-time", "50s", "-timeout", "50s", s.URL)
	select {
	case <-stuck:
	case <-time.After(20 * time.Second):
		t.Fatalf("it does not soak: %s%s", p.stdout, p.stderr)
	}
	p.signal(os.Interrupt)
	time.Sleep(300 * time.Millisecond)
	noSignalYet(t, p)
	p.signal(os.Interrupt)
	p.wait()
	if ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v, not by the second signal", p.cmd.ProcessState)
	}
}
