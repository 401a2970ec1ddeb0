package conformance

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// hub is the raw server's listener: it reads each client's request and gives the
// connection to the case whose path it asks for.
type hub struct {
	ln     net.Listener
	scheme string

	mu      sync.Mutex
	waiting map[string]chan *hello
}

// hello is a client's opening handshake.
type hello struct {
	c    net.Conn
	br   *bufio.Reader
	line string
	h    http.Header
}

func listenHub(addr string, cfg *tls.Config) (*hub, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	h := &hub{ln: ln, scheme: "ws", waiting: map[string]chan *hello{}}
	if cfg != nil {
		h.ln, h.scheme = tls.NewListener(ln, cfg), "wss"
	}
	go h.serve() // ends with the listener
	return h, nil
}

func (h *hub) close() { h.ln.Close() }

func (h *hub) serve() {
	for {
		c, err := h.ln.Accept()
		if err != nil {
			return
		}
		go h.greet(c) // ends when the head is read or its deadline passes
	}
}

func (h *hub) greet(c net.Conn) {
	c.SetReadDeadline(time.Now().Add(15 * time.Second))
	br := bufio.NewReader(c)
	line, head, err := readHead(br)
	c.SetReadDeadline(time.Time{})
	f := strings.Fields(line)
	if err != nil || len(f) != 3 {
		c.Close()
		return
	}
	path, _, _ := strings.Cut(f[1], "?")
	h.mu.Lock()
	ch := h.waiting[path]
	h.mu.Unlock()
	select {
	case ch <- &hello{c: c, br: br, line: line, h: head}:
	default: // nobody waits for it, or it came twice
		c.Close()
	}
}

func (h *hub) wait(path string) chan *hello {
	ch := make(chan *hello, 1)
	h.mu.Lock()
	h.waiting[path] = ch
	h.mu.Unlock()
	return ch
}

func (h *hub) forget(path string) {
	h.mu.Lock()
	delete(h.waiting, path)
	h.mu.Unlock()
}

// accept calls the client under test and returns its opening handshake.
func (e *env) accept() (*hello, error) {
	path := "/run/" + url.PathEscape(e.c.ID)
	ch := e.hub.wait(path)
	defer e.hub.forget(path)
	ctx, stop := context.WithCancel(e.ctx)
	k := &call{stop: stop, done: make(chan struct{})}
	e.calls = append(e.calls, k)
	target := e.hub.scheme + "://" + e.hub.ln.Addr().String() + path + "?q=1"
	go func() { // ends when the client returns, which env.done awaits
		defer close(k.done)
		k.err = e.client(ctx, target, e.c.Deflate)
	}()
	t := time.NewTimer(e.opt.Timeout)
	defer t.Stop()
	select {
	case h := <-ch:
		e.conns = append(e.conns, h.c)
		return h, nil
	case <-k.done:
		select {
		case h := <-ch:
			e.conns = append(e.conns, h.c)
			return h, nil
		default:
		}
		return nil, fmt.Errorf("the client ended without a connection: %w", errOr(k.err))
	case <-t.C:
		return nil, errors.New("the client did not connect")
	}
}

func errOr(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

// offers returns the elements of the client's Sec-WebSocket-Extensions.
func (h *hello) offers() []string {
	var out []string
	for _, o := range strings.Split(strings.Join(h.h.Values("Sec-WebSocket-Extensions"), ","), ",") {
		if o = strings.TrimSpace(o); o != "" {
			out = append(out, o)
		}
	}
	return out
}

// reply is the lines of a 101, so that any of them can be wrong.
func (h *hello) reply() *request {
	return &request{
		line: "HTTP/1.1 101 Switching Protocols",
		lines: []string{
			"Upgrade: websocket",
			"Connection: Upgrade",
			"Sec-WebSocket-Accept: " + acceptFor(h.h.Get("Sec-WebSocket-Key")),
		},
	}
}

// openAsServer answers the client's handshake; then, if not nil, may change the answer or
// add to it what shall follow in the same write.
func (e *env) openAsServer(p *params, tail func(*link) []byte) (*link, error) {
	h, err := e.accept()
	if err != nil {
		return nil, err
	}
	r := h.reply()
	var agreed params
	if p != nil {
		if agreed, err = respond(*p, h.offers()); err != nil {
			return nil, err
		}
		r.add("Sec-WebSocket-Extensions", agreed.String())
	}
	l := newLink(h.c, h.br, false, e.opt, e.rng)
	if p != nil {
		l.codecs(agreed)
	}
	b := r.bytes()
	if tail != nil {
		b = append(b, tail(l)...)
	}
	if _, err := h.c.Write(b); err != nil {
		return nil, err
	}
	return l, nil
}
