package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// A request's body that is cut short is not copied into a response that looks whole.
func TestCutBodyIsNotEchoed(t *testing.T) { // hazard 27
	ended := make(chan error, 1)
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(w, r.Body)
		ended <- err
		if err != nil {
			panic(http.ErrAbortHandler) // what a proxy does
		}
	}, nil)
	got := ts.exchangeRaw(t, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n0123456789")
	if err := <-ended; err != io.ErrUnexpectedEOF {
		t.Errorf("io.Copy returned %v", err)
	}
	if res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(got)), nil); err == nil {
		if _, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("a whole response: %q", got)
		}
	}
}

// The error of a source is the caller's, whatever it is and wherever it comes.
func TestFailingSource(t *testing.T) {
	for _, broken := range []error{io.ErrUnexpectedEOF, errors.New("broken")} {
		for _, n := range []int{0, 1, sniffMax - 1, sniffMax, sniffMax + 1, 100_000} {
			ts := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				src := io.MultiReader(bytes.NewReader(make([]byte, n)), iotest.ErrReader(broken))
				k, err := io.Copy(w, src)
				if k != int64(n) || err != broken {
					t.Errorf("after %d bytes: %d, %v; want %v", n, k, err, broken)
				}
				if n == 0 {
					http.Error(w, "upstream", http.StatusBadGateway)
				}
			}, nil)
			want := "200"
			if n == 0 {
				want = "502"
			}
			if got := statuses(t, ts.exchangeRaw(t, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")); got != want {
				t.Errorf("after %d bytes: status %s, want %s", n, got, want)
			}
			if log := ts.log.String(); log != "" {
				t.Errorf("after %d bytes: logged %q", n, log)
			}
		}
	}
}

// A file whose response is chunked all the same goes out in chunks: what it holds could be the next response.
func TestChunkedFile(t *testing.T) {
	content := strings.Repeat("x", sniffMax) + "\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + strings.Repeat("y", 10_000)
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, coding := range []string{"chunked", "Chunked"} {
		ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Transfer-Encoding", coding)
			w.Header().Set("Content-Length", "10592")
			f, err := os.Open(name)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			_, _ = w.(io.ReaderFrom).ReadFrom(f)
		}, nil)
		c := ts.dial(t)
		br := bufio.NewReader(c)
		for range 2 {
			if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(res.Body)
			if err != nil || string(b) != content || len(res.TransferEncoding) != 1 {
				t.Fatalf("%s: %d bytes of %d, %v, %v", coding, len(b), len(content), res.TransferEncoding, err)
			}
		}
	}
}

// The logger is code of the user's: it may write to the response that it is told of.
func TestLoggerWritesToTheResponse(t *testing.T) {
	var w http.ResponseWriter
	ts := serve(t, func(rw http.ResponseWriter, _ *http.Request) {
		w = rw
		rw.Header().Set("Content-Length", "many")
		rw.WriteHeader(200)
		rw.WriteHeader(201)
	}, nil)
	ts.Server.ErrorLog.SetOutput(writerFunc(func(p []byte) (int, error) { return w.Write(p) }))
	c := ts.dial(t)
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(b), `invalid Content-Length of "many"`) || !strings.Contains(string(b), "superfluous response.WriteHeader call from") {
		t.Errorf("%q, %v", b, err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
