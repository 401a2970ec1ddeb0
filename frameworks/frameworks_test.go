package frameworks

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"math/rand"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"

	"github.com/d74363f0/strand/http1"
)

func sumJSON(w http.ResponseWriter, r *http.Request) {
	var in sums
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), 400)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]int{"sum": in.A + in.B})
}

// start serves h until the test ends and returns the server's URL.
func start(t *testing.T, h http.Handler) (*http1.Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http1.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-done; err != http.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
	})
	return srv, "http://" + l.Addr().String()
}

func client(t *testing.T) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

// do makes a request and returns its response and whole body.
func do(t *testing.T, c *http.Client, req *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestFrameworks(t *testing.T) {
	dir := t.TempDir()
	file := bytes.Repeat([]byte("0123456789"), 20000)
	if err := os.WriteFile(filepath.Join(dir, "f.txt"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, app := range apps(t, dir) {
		t.Run(name, func(t *testing.T) {
			srv, base := start(t, app)
			c := client(t)
			res, body := do(t, c, request(t, "GET", base+"/hello/w%C3%B6rld", nil))
			if body != "hello wörld" || res.Header.Get("X-App") != name {
				t.Errorf("routing: %q, %q", body, res.Header)
			}
			req := request(t, "POST", base+"/json", strings.NewReader(`{"a":1,"b":2}`))
			req.Header.Set("Content-Type", "application/json")
			if res, body := do(t, c, req); strings.TrimSpace(body) != `{"sum":3}` || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
				t.Errorf("JSON: %q", body)
			}
			if res, _ := do(t, c, request(t, "GET", base+"/nowhere", nil)); res.StatusCode != 404 {
				t.Errorf("nowhere: %d", res.StatusCode)
			}
			if res, _ := do(t, c, request(t, "GET", base+"/panic", nil)); res.StatusCode != 500 {
				t.Errorf("recovery: %d", res.StatusCode)
			}
			checkEcho(t, c, base)
			checkEvents(t, c, base)
			checkStatic(t, c, base, file)
			checkShutdown(t, srv, c, base)
		})
	}
}

func checkEcho(t *testing.T, c *http.Client, base string) {
	want := make([]byte, 2<<20)
	rand.New(rand.NewSource(1)).Read(want)
	for name, body := range map[string]io.Reader{"length": bytes.NewReader(want), "chunked": io.MultiReader(bytes.NewReader(want))} {
		if _, got := do(t, c, request(t, "POST", base+"/echo", body)); got != string(want) {
			t.Errorf("echo, %s: %d bytes of %d, or others", name, len(got), len(want))
		}
	}
}

// checkEvents fails unless each event arrives before the next one is sent.
func checkEvents(t *testing.T, c *http.Client, base string) {
	res, err := c.Do(request(t, "GET", base+"/events", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	br := bufio.NewReader(res.Body)
	var first time.Time
	for i, want := range []string{"data: 0\n", "data: 1\n", "data: 2\n"} {
		line, err := br.ReadString('\n')
		if err != nil || line != want {
			t.Fatalf("event %d: %q, %v", i, line, err)
		}
		if i == 0 {
			first = time.Now()
		}
		_, _ = br.ReadString('\n')
	}
	if d := time.Since(first); d < 20*time.Millisecond {
		t.Errorf("the events came together (%v)", d)
	}
}

func checkStatic(t *testing.T, c *http.Client, base string, file []byte) {
	res, body := do(t, c, request(t, "GET", base+"/static/f.txt", nil))
	if body != string(file) || res.ContentLength != int64(len(file)) {
		t.Errorf("static: %d of %d bytes, or others", len(body), len(file))
	}
	req := request(t, "GET", base+"/static/f.txt", nil)
	req.Header.Set("Range", "bytes=100005-100014")
	if res, body := do(t, c, req); res.StatusCode != 206 || body != "5678901234" {
		t.Errorf("range: %d %q", res.StatusCode, body)
	}
	req = request(t, "GET", base+"/static/f.txt", nil)
	req.Header.Set("If-Modified-Since", res.Header.Get("Last-Modified"))
	if res, body := do(t, c, req); res.StatusCode != 304 || body != "" {
		t.Errorf("not modified: %d %q", res.StatusCode, body)
	}
}

func checkShutdown(t *testing.T, srv *http1.Server, c *http.Client, base string) {
	type result struct {
		body string
		err  error
	}
	got := make(chan result, 1)
	go func() {
		res, err := c.Get(base + "/slow")
		if err != nil {
			got <- result{err: err}
			return
		}
		b, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		got <- result{string(b), err}
	}()
	time.Sleep(40 * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if r := <-got; r.err != nil || r.body != "slow" {
		t.Errorf("a request during Shutdown: %q, %v", r.body, r.err)
	}
}

// TestReverseProxy runs net/http's proxy on http1.Server, in front of another one: bodies
// both ways, a backend that fails in the middle, and a WebSocket through it.
func TestReverseProxy(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, _ *http.Request) { _ = events(w, w.(http.Flusher).Flush) })
	mux.HandleFunc("GET /broken", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 5000))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("GET /ws", gorillaEcho)
	_, backend := start(t, mux)
	target, err := url.Parse(backend)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	_, base := start(t, proxy)
	c := client(t)
	checkEcho(t, c, base)
	checkEvents(t, c, base)
	res, err := c.Get(base + "/broken")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("a backend that breaks off looks like a whole response")
	}
	_ = res.Body.Close()
	checkWebSocket(t, base)
}

func gorillaEcho(w http.ResponseWriter, r *http.Request) {
	up := gorilla.Upgrader{EnableCompression: true}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	for {
		kind, msg, err := c.ReadMessage()
		if err != nil || c.WriteMessage(kind, msg) != nil {
			return
		}
	}
}

func coderEcho(w http.ResponseWriter, r *http.Request) {
	c, err := coder.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(1 << 24)
	for {
		kind, msg, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, msg) != nil {
			return
		}
	}
}

// TestWebSocketServers runs other people's WebSocket servers through our Hijack.
func TestWebSocketServers(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{"gorilla": gorillaEcho, "coder": coderEcho} {
		t.Run(name, func(t *testing.T) {
			_, base := start(t, h)
			checkWebSocket(t, base)
		})
	}
}

func checkWebSocket(t *testing.T, base string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, _, err := coder.Dial(ctx, strings.Replace(base, "http", "ws", 1)+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	c.SetReadLimit(1 << 24)
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		want := bytes.Repeat([]byte{byte(size)}, size)
		if err := c.Write(ctx, coder.MessageBinary, want); err != nil {
			t.Fatal(err)
		}
		_, got, err := c.Read(ctx)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("size %d: %d bytes, %v", size, len(got), err)
		}
	}
	err = c.Close(coder.StatusNormalClosure, "")
	var closed coder.CloseError
	if err != nil && !errors.As(err, &closed) && !errors.Is(err, io.EOF) {
		t.Errorf("close: %v", err)
	}
}
