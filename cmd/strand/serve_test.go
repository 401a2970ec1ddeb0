package main

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The routes of one server, asked by net/http's client as any program would ask.
func TestServe(t *testing.T) {
	p := start(t)
	t.Run("plaintext", p.plaintext)
	t.Run("echo of 3 MB", p.echo)
	t.Run("echo streams", p.echoStreams)
	t.Run("echo that breaks off", p.echoBreaks)
	t.Run("slow", p.slow)
	t.Run("health", p.health)
	t.Run("stats", p.figures)
	t.Run("metrics", p.prometheus)
	t.Run("page", p.page)
	t.Run("foreign origin", p.origin)
	t.Run("unknown", func(t *testing.T) { p.get(t, "/nothing", http.StatusNotFound) })
}

func (p *program) do(t *testing.T, method, path string, body io.Reader, header ...string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+p.addr+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: after %d bytes: %v", method, path, len(got), err)
	}
	return resp, got
}

func (p *program) get(t *testing.T, path string, status int) (*http.Response, string) {
	t.Helper()
	r, body := p.do(t, "GET", path, nil)
	if r.StatusCode != status {
		t.Fatalf("GET %s: %s %q", path, r.Status, body)
	}
	return r, string(body)
}

func (p *program) plaintext(t *testing.T) {
	r, body := p.get(t, "/plaintext", http.StatusOK)
	if body != "Hello, World!" || r.Header.Get("Content-Type") != "text/plain" || r.ContentLength != 13 {
		t.Errorf("%q, %v", body, r.Header)
	}
	if r, _ := p.do(t, "POST", "/plaintext", nil); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", r.Status)
	}
}

func (p *program) echo(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	sent := make([]byte, 3<<20)
	for i := range sent {
		sent[i] = byte(random.Uint32())
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "BREW"} {
		for _, chunked := range []bool{false, true} {
			body := io.Reader(bytes.NewReader(sent))
			if chunked {
				body = io.MultiReader(body) // hides the length
			}
			r, got := p.do(t, method, "/echo", body, "Content-Type", "application/x-test; a=b")
			if r.StatusCode != 200 || !bytes.Equal(got, sent) {
				t.Errorf("%s, chunked %v: %s, sent %d bytes, %d came back or others (seed %d)", method, chunked, r.Status, len(sent), len(got), seed)
			}
			if ct := r.Header.Get("Content-Type"); ct != "application/x-test; a=b" {
				t.Errorf("%s: Content-Type %q", method, ct)
			}
			if !chunked && r.ContentLength != int64(len(sent)) {
				t.Errorf("%s: Content-Length %d", method, r.ContentLength)
			}
		}
	}
	if r, got := p.do(t, "GET", "/echo", nil); r.StatusCode != 200 || len(got) != 0 {
		t.Errorf("GET: %s, %q", r.Status, got)
	}
}

// echoStreams wants each piece back before it sends the next.
func (p *program) echoStreams(t *testing.T) {
	c, in := p.raw()
	p.send(c, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
	p.send(c, "5\r\nfirst\r\n")
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	for _, want := range []string{"first", "again", "other"} {
		got := make([]byte, 5)
		if _, err := io.ReadFull(r.Body, got); err != nil || string(got) != want {
			t.Fatalf("%q, %v; want %q", got, err, want)
		}
		switch want {
		case "first":
			p.send(c, "5\r\nagain\r\n")
		case "again":
			p.send(c, "5\r\nother\r\n0\r\n\r\n")
		}
	}
	if rest, err := io.ReadAll(r.Body); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

// echoBreaks sends half a body and then ends it: the answer must not look whole.
func (p *program) echoBreaks(t *testing.T) {
	for _, head := range []string{"Content-Length: 10", "Transfer-Encoding: chunked"} {
		c, in := p.raw()
		p.send(c, "POST /echo HTTP/1.1\r\nHost: x\r\n"+head+"\r\n\r\n5\r\nhi")
		c.(interface{ CloseWrite() error }).CloseWrite()
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			continue // nothing at all, or a reset: nobody takes that for an answer
		}
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err == nil && r.StatusCode == 200 {
			t.Errorf("%s: half a body came back as the whole answer %q", head, b)
		}
	}
}

func (p *program) slow(t *testing.T) {
	began := time.Now()
	if _, body := p.get(t, "/slow?ms=120", http.StatusOK); body != "slept 120 ms\n" {
		t.Errorf("%q", body)
	}
	if took := time.Since(began); took < 120*time.Millisecond {
		t.Errorf("slept %v only", took)
	}
	if _, body := p.get(t, "/slow", http.StatusOK); body != "slept 50 ms\n" {
		t.Errorf("%q", body)
	}
	for _, ms := range []string{"-1", "x", "60001", "9223372036854775807"} {
		p.get(t, "/slow?ms="+ms, http.StatusBadRequest)
	}
}

func (p *program) health(t *testing.T) {
	if _, body := p.get(t, "/healthz", http.StatusOK); body != "ok\n" {
		t.Errorf("%q", body)
	}
}

// look asks for /stats on a connection of its own.
func (p *program) look(t *testing.T) snapshot {
	t.Helper()
	r, body := p.get(t, "/stats", http.StatusOK)
	if ct := r.Header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("Content-Type %q", ct)
	}
	var n snapshot
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&n); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return n
}

func (p *program) figures(t *testing.T) {
	a := p.look(t)
	p.get(t, "/plaintext", http.StatusOK)
	b := p.look(t)
	if b.Requests != a.Requests+2 {
		t.Errorf("requests went from %d to %d", a.Requests, b.Requests)
	}
	if b.Accepted != a.Accepted+2 {
		t.Errorf("connections accepted went from %d to %d", a.Accepted, b.Accepted)
	}
	if b.Connections < 1 || b.Loops < 1 || b.Files < minFiles || b.Uptime <= a.Uptime || b.Violations != 0 ||
		b.Heap == 0 || runtime.GOOS == "linux" && (b.Descriptors < 3 || b.Resident == 0) {
		t.Errorf("%+v", b)
	}
	// The look itself is a request of some 90 bytes and its answer one of some 500.
	if b.BytesIn < a.BytesIn+100 || b.BytesOut < a.BytesOut+500 {
		t.Errorf("bytes in went from %d to %d, out from %d to %d", a.BytesIn, b.BytesIn, a.BytesOut, b.BytesOut)
	}
}

var metricLine = regexp.MustCompile(`^(strand_[a-z_]+)(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+$`)

// prometheus reads /metrics as a scraper does: every sample has its HELP and TYPE before it and a name of ours.
func (p *program) prometheus(t *testing.T) {
	r, body := p.get(t, "/metrics", http.StatusOK)
	if ct := r.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/plain; version=0.0.4") {
		t.Errorf("Content-Type %q", ct)
	}
	kinds, seen := map[string]string{}, map[string]bool{}
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			kinds[name] = kind
			continue
		}
		if strings.HasPrefix(line, "# HELP strand_") {
			continue
		}
		m := metricLine.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("not a sample: %q", line)
			continue
		}
		kind := kinds[m[1]]
		if kind != "gauge" && kind != "counter" || seen[line] || (kind == "counter") != strings.HasSuffix(m[1], "_total") {
			t.Errorf("%q is a %q", line, kind)
		}
		seen[m[1]] = true
	}
	for _, name := range []string{"strand_requests_total", "strand_heap_bytes", "strand_websockets"} {
		if !seen[name] {
			t.Errorf("no %s", name)
		}
	}
	described, err := os.ReadFile("../../docs/counters.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range kinds {
		if !regexp.MustCompile("`" + name + "[{`]").Match(described) {
			t.Errorf("docs/counters.md does not say what %s is", name)
		}
	}
	collector, err := os.ReadFile("../../metrics/prom/prom.go")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`"(strand_[a-z_]+)"`).FindAllSubmatch(collector, -1)
	if len(names) < 15 {
		t.Errorf("only %d names found in metrics/prom", len(names))
	}
	for _, name := range names {
		if !seen[string(name[1])] {
			t.Errorf("no %s, which metrics/prom has", name[1])
		}
	}
}

func (p *program) page(t *testing.T) {
	r, body := p.get(t, "/", http.StatusOK)
	if !strings.HasPrefix(body, "<!doctype html>") || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%q, %v", body[:min(len(body), 40)], r.Header)
	}
	for _, part := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(body, -1) {
		path := strings.ReplaceAll(part[1], "&amp;", "&")
		if !strings.HasPrefix(path, "/") {
			t.Errorf("the page names %q, which is not its own", path)
			continue
		}
		p.get(t, path, http.StatusOK)
	}
	tag := r.Header.Get("ETag")
	if r, _ := p.do(t, "GET", "/", nil, "If-None-Match", tag); tag == "" || r.StatusCode != http.StatusNotModified {
		t.Errorf("asked again with %s: %s", tag, r.Status)
	}
}

// A page of another origin may not open a WebSocket here unless the person said so.
func (p *program) origin(t *testing.T) {
	header := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
		"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Origin", "http://elsewhere.example"}
	for _, path := range []string{"/ws", "/chat"} {
		if r, _ := p.do(t, "GET", path, nil, header...); r.StatusCode != http.StatusForbidden {
			t.Errorf("%s from elsewhere: %s", path, r.Status)
		}
	}
	q := start(t, "-any-origin")
	c, in := q.raw()
	q.send(c, strings.Replace(strings.ReplaceAll(upgrade, "%s", "/ws"), "Upgrade: websocket", "Upgrade: websocket\r\nOrigin: http://elsewhere.example", 1))
	switched(t, in)
}
