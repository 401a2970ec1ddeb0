package http1

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"math/rand"
	"net/http"
	"strings"
	"testing"
	"time"
)

func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	if _, err := io.Copy(w, r.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func TestSmallResponse(t *testing.T) {
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "Hello, World!")
	}, nil)
	got := ts.exchangeRaw(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	head, body, _ := strings.Cut(got, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	if lines[0] != "HTTP/1.1 200 OK" || lines[1] != "Content-Type: text/plain" || !strings.HasPrefix(lines[2], "Date: ") ||
		lines[3] != "Content-Length: 13" || len(lines) != 4 || body != "Hello, World!" {
		t.Fatalf("got %q", got)
	}
}

func TestEcho(t *testing.T) {
	ts := serve(t, echo, nil)
	rnd := rand.New(rand.NewSource(1))
	for _, size := range []int{0, 1, 100, 2048, 2049, 5000, 70000, 3 << 20} {
		for _, chunked := range []bool{false, true} {
			want := make([]byte, size)
			rnd.Read(want)
			var body io.Reader = bytes.NewReader(want)
			if chunked {
				body = io.MultiReader(body)
			}
			res, err := http.Post(ts.url+"/echo", "application/x", body)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != 200 || sha256.Sum256(got) != sha256.Sum256(want) || res.Header.Get("Content-Type") != "application/x" {
				t.Fatalf("size %d chunked %v: status %d, %d bytes, %v", size, chunked, res.StatusCode, len(got), err)
			}
			_ = res.Body.Close()
		}
	}
}

func TestPipelined(t *testing.T) {
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/7" {
			time.Sleep(20 * time.Millisecond)
		}
		_, _ = io.WriteString(w, r.URL.Path+";")
	}, nil)
	var in, want strings.Builder
	for i := range 1000 {
		path := "/" + string(rune('0'+i%10))
		in.WriteString("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
		want.WriteString(path + ";")
	}
	got := ts.exchangeRaw(t, in.String())
	var bodies strings.Builder
	for _, part := range strings.Split(got, "\r\n\r\n")[1:] {
		body, _, _ := strings.Cut(part, "HTTP/1.1 ")
		bodies.WriteString(body)
	}
	if bodies.String() != want.String() {
		t.Fatalf("got %.200q", bodies.String())
	}
}

func TestShutdownWaits(t *testing.T) {
	entered := make(chan struct{})
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		time.Sleep(50 * time.Millisecond)
		_, _ = io.WriteString(w, "done")
	}, nil)
	result := make(chan string, 1)
	go func() {
		res, err := http.Get(ts.url)
		if err != nil {
			result <- err.Error()
			return
		}
		b, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		result <- string(b)
	}()
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := ts.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if got := <-result; got != "done" {
		t.Fatalf("got %q", got)
	}
}
