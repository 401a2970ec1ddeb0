package websocket

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDialTLS: wss, alone and through a proxy.
func TestDialTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = Accept(w, r, echo(), nil)
	}))
	defer s.Close()
	tunnels := 0
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") != "Basic dTpw" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		tunnels++
		up, err := net.Dial("tcp", r.Host)
		if err != nil {
			t.Error(err)
			return
		}
		down, _, _ := w.(http.Hijacker).Hijack()
		_, _ = io.WriteString(down, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(up, down); _ = up.Close() }()
		_, _ = io.Copy(down, up)
		_ = down.Close()
	}))
	defer proxy.Close()
	pu, _ := url.Parse(proxy.URL)
	pu.User = url.UserPassword("u", "p")
	bad, _ := url.Parse(proxy.URL)
	config := s.Client().Transport.(*http.Transport).TLSClientConfig
	address := "wss" + strings.TrimPrefix(s.URL, "https")
	for _, p := range []*url.URL{nil, pu} {
		h, got := collector()
		o := &DialOptions{TLSConfig: config, Proxy: func(*http.Request) (*url.URL, error) { return p, nil }}
		c := dial(t, address, h, o)
		if err := c.Send(context.Background(), Text, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if s := receive(t, got); s != "hello" {
			t.Error(s)
		}
		if c.TLS() == nil {
			t.Error("no TLS state")
		}
		_ = c.Close()
		if e := h.wait(t); e.Code != Normal {
			t.Error(e)
		}
	}
	_, _, err := Dial(context.Background(), address, newTester(), &DialOptions{Proxy: func(*http.Request) (*url.URL, error) { return bad, nil }})
	var he *HandshakeError
	if !errors.As(err, &he) || he.Status != http.StatusForbidden || tunnels != 1 {
		t.Errorf("refused by the proxy: %v, %d tunnels", err, tunnels)
	}
}

func TestDialRefused(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/403":
			http.Error(w, "go away", http.StatusForbidden)
		case "/silent":
			<-r.Context().Done()
		case "/garbage":
			nc, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.WriteString(nc, strings.Repeat("garbage ", 100_000))
			_ = nc.Close()
		case "/lines":
			nc, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.WriteString(nc, "HTTP/1.1 101 x\r\n"+strings.Repeat("A: b\r\n", 200_000)) // fails if the client has gone
			_ = nc.Close()
		case "/extension":
			w.Header().Set("X", "y")
			nc, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.WriteString(nc, "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n")
			_ = nc.Close()
		}
	}))
	defer s.Close()
	address := "ws" + strings.TrimPrefix(s.URL, "http")
	dial := func(url string, o *DialOptions) (*http.Response, error) {
		h := newTester()
		_, resp, err := Dial(context.Background(), url, h, o)
		if err == nil || h.opened.Load() > 0 || h.closed.Load() > 0 {
			t.Errorf("%s: %v, opened %d, closed %d", url, err, h.opened.Load(), h.closed.Load())
		}
		return resp, err
	}
	resp, err := dial(address+"/403", nil)
	var he *HandshakeError
	if !errors.As(err, &he) || he.Status != http.StatusForbidden || resp == nil || resp.StatusCode != 403 {
		t.Errorf("403: %v", err)
	}
	if body, _ := io.ReadAll(resp.Body); string(body) != "go away\n" {
		t.Errorf("body %q", body)
	}
	if _, err = dial(address+"/silent", &DialOptions{HandshakeTimeout: 50 * time.Millisecond}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent: %v", err)
	}
	if _, err = dial(address+"/garbage", nil); !errors.Is(err, errResponse) {
		t.Errorf("garbage: %v", err)
	}
	if _, err = dial(address+"/lines", nil); !errors.Is(err, errResponse) { // hazard 109
		t.Errorf("many header lines: %v", err)
	}
	if _, err = dial(address+"/extension", nil); !errors.As(err, &he) || he.Status != 0 {
		t.Errorf("wrong accept: %v", err)
	}
	for _, bad := range []string{"http://x", "ws://", "ws://x/#f", "ws:x", "://", "ws://127.0.0.1:1/"} {
		dial(bad, nil)
	}
	dial(address, &DialOptions{Options: Options{Subprotocols: []string{"a b"}}})
	dial(address, &DialOptions{Header: http.Header{"X": {"a\r\nb"}}})
	dial(address, &DialOptions{Host: "a\r\nb"})
}

// TestDialInterim: responses of status 1xx may come before the answer, but not for ever.
func TestDialInterim(t *testing.T) {
	for n, ok := range map[int]bool{1: true, 5: true, 6: false} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for range n {
				w.WriteHeader(http.StatusEarlyHints)
			}
			_, _ = Accept(w, r, echo(), nil)
		}))
		h, got := collector()
		c, _, err := Dial(context.Background(), "ws"+strings.TrimPrefix(s.URL, "http"), h, nil)
		if (err == nil) != ok {
			t.Errorf("%d interim responses: %v", n, err)
		}
		if err == nil {
			_ = c.Send(context.Background(), Text, []byte("x"))
			receive(t, got)
			_ = c.Abort()
		}
		s.Close()
	}
}

// hazard 112
func TestAcceptBadAnswer(t *testing.T) {
	for _, o := range []*Options{{Subprotocols: []string{"a\r\nX: y"}}, {}} {
		var err error
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if o.Subprotocols == nil {
				w.Header()["X-Bad"] = []string{"a\r\nX: y"}
			} else {
				w.Header().Set("Set-Cookie", "a=b")
			}
			_, err = Accept(w, r, newTester(), o)
			w.Header().Del("X-Bad")
		}))
		r := rawConnect(t, "ws"+strings.TrimPrefix(s.URL, "http"))
		r.send(rawHandshake + "\r\n")
		r.response()
		if r.resp.StatusCode != 500 || err == nil {
			t.Errorf("status %d, %v", r.resp.StatusCode, err)
		}
		s.Close()
	}
}

// TestAcceptFields: the application's fields go out with the answer.
func TestAcceptFields(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		w.Header().Set("Upgrade", "other")
		_, _ = Accept(w, r, echo(), nil)
	}))
	defer s.Close()
	r := rawDial(t, "ws"+strings.TrimPrefix(s.URL, "http"), "", "")
	if r.resp.Header.Get("Set-Cookie") != "a=b" || len(r.resp.Header["Upgrade"]) != 1 || r.resp.Header.Get("Upgrade") != "websocket" {
		t.Errorf("fields: %v", r.resp.Header)
	}
}

// TestProxyEndlessHead: a proxy's response head is bounded, as a server's is.
func TestProxyEndlessHead(t *testing.T) {
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
		_, _ = io.WriteString(nc, "HTTP/1.1 200 OK\r\n"+strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 200)+"\r\n")
		_, _ = io.Copy(io.Discard, nc)
	}()
	_, _, err = Dial(context.Background(), "ws://far.example/", newTester(), &DialOptions{
		HandshakeTimeout: 5 * time.Second,
		Proxy:            func(*http.Request) (*url.URL, error) { return url.Parse("http://" + l.Addr().String()) },
	})
	if !errors.Is(err, errProxyHead) {
		t.Error(err)
	}
}

// TestDialSilentProxy: what ends a Dial through a proxy that does not answer is its context, or its timeout.
func TestDialSilentProxy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, tt := range []struct {
		cancel  bool
		timeout time.Duration
		want    error
	}{
		{false, 50 * time.Millisecond, context.DeadlineExceeded},
		{true, 0, context.Canceled},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if tt.cancel {
			time.AfterFunc(50*time.Millisecond, cancel)
		}
		_, _, err = Dial(ctx, "ws://far.example/", newTester(), &DialOptions{
			HandshakeTimeout: tt.timeout,
			Proxy:            func(*http.Request) (*url.URL, error) { return url.Parse("http://" + l.Addr().String()) },
		})
		if !errors.Is(err, tt.want) {
			t.Errorf("%v, want %v", err, tt.want)
		}
	}
}

// TestDialZone: the zone of an IPv6 address is dialed, and sent neither to the server nor to a proxy.
func TestDialZone(t *testing.T) {
	for _, tt := range []struct {
		url, host, want string
		proxied         bool
	}{
		{"ws://[fe80::1%25eth0]:8080/", "", "[fe80::1]:8080", false},
		{"ws://[fe80::1%25eth0]/", "", "[fe80::1]", false},
		{"ws://[fe80::1]:8080/", "", "[fe80::1]:8080", false},
		{"ws://other.example/", "[fe80::2%eth0]", "[fe80::2]", false},
		{"ws://[fe80::1%25eth0]/", "", "[fe80::1]:80", true},
	} {
		got := make(chan *http.Request, 1)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got <- r
			http.Error(w, "no", http.StatusForbidden)
		}))
		o := &DialOptions{Host: tt.host, NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if !tt.proxied && tt.host == "" && strings.Contains(tt.url, "%") != strings.Contains(addr, "%eth0]") {
				t.Errorf("%s: dialed %s", tt.url, addr)
			}
			return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
		}}
		o.Proxy = func(*http.Request) (*url.URL, error) {
			if tt.proxied {
				return url.Parse(s.URL)
			}
			return nil, nil
		}
		_, _, err := Dial(context.Background(), tt.url, newTester(), o)
		var he *HandshakeError
		if !errors.As(err, &he) || he.Status != http.StatusForbidden {
			t.Fatalf("%s: %v", tt.url, err)
		}
		r := <-got
		if r.Host != tt.want || tt.proxied && r.RequestURI != tt.want {
			t.Errorf("%s: Host %q of %q, want %q", tt.url, r.Host, r.RequestURI, tt.want)
		}
		s.Close()
	}
}

// TestAcceptBadPattern: a malformed pattern is the application's mistake, of which it learns even when nobody needs the pattern.
func TestAcceptBadPattern(t *testing.T) {
	for _, extra := range []string{"", "Origin: http://x\r\n", "Origin: http://a.example\r\n"} {
		var err error
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err = Accept(w, r, newTester(), &Options{Origins: []string{"*", "http://[a.example"}})
		}))
		r := rawConnect(t, "ws"+strings.TrimPrefix(s.URL, "http"))
		r.send(rawHandshake + extra + "\r\n")
		r.response()
		s.Close()
		if r.resp.StatusCode != 500 || err == nil || !strings.Contains(err.Error(), `"http://[a.example"`) {
			t.Errorf("%q: status %d, %v", extra, r.resp.StatusCode, err)
		}
	}
}

// TestRefuseHTTP2: what is refused over HTTP/2, whose requests have no Upgrade, is refused without fields that only
// HTTP/1 has.
func TestRefuseHTTP2(t *testing.T) {
	for major, upgrade := range map[int]string{1: "websocket", 2: "", 3: ""} {
		r := httptest.NewRequest("GET", "https://x/", nil)
		r.ProtoMajor = major
		w := httptest.NewRecorder()
		_, err := Accept(w, r, newTester(), nil)
		h := w.Header()
		if err == nil || w.Code != http.StatusUpgradeRequired || h.Get("Upgrade") != upgrade ||
			(h.Get("Connection") == "") != (upgrade == "") || h.Get("Sec-WebSocket-Version") != "13" {
			t.Errorf("HTTP/%d: %d, %v, %v", major, w.Code, h, err)
		}
	}
}

// TestDialNoResponse: a server that says nothing is told from one that says what is no response.
func TestDialNoResponse(t *testing.T) {
	for said, want := range map[string]error{
		"":                           io.ErrUnexpectedEOF,
		"HTTP/1.1 103 x\r\n\r\n":     io.ErrUnexpectedEOF,
		"HTTP/1.1 101 Swi":           errResponse,
		"220 smtp.example ESMTP\r\n": errResponse,
		"reset":                      syscall.ECONNRESET,
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			nc, _, _ := w.(http.Hijacker).Hijack()
			if said == "reset" {
				_ = nc.(*net.TCPConn).SetLinger(0)
			} else {
				_, _ = io.WriteString(nc, said)
			}
			_ = nc.Close()
		}))
		_, resp, err := Dial(context.Background(), "ws"+strings.TrimPrefix(s.URL, "http"), newTester(), nil)
		if !errors.Is(err, want) || resp != nil {
			t.Errorf("%q: %v, want %v", said, err, want)
		}
		if want != errResponse && (err == nil || !strings.HasPrefix(err.Error(), "websocket: no response to the handshake: ")) {
			t.Errorf("%q: %v", said, err)
		}
		s.Close()
	}
}
