//go:build !strand_std

package http1_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStdSendfile tells sendfile from reading and writing without a look at the
// system calls: what sendfile gave to the socket are the pages of the file, so a
// client that has not read them yet sees them change.
func TestStdSendfile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "file")
	const size = 32 << 10
	if err := os.WriteFile(name, bytes.Repeat([]byte("a"), size), 0o600); err != nil {
		t.Fatal(err)
	}
	sent := make(chan struct{})
	url := stdHandle(t, func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, name)
		close(sent)
	})
	w := stdDial(t, url)
	w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	stdAwait(t, sent, "the handler")
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(bytes.Repeat([]byte("b"), size), 0); err != nil {
		t.Fatal(err)
	}
	got := w.next("GET")
	if len(got.body) != size || got.err != nil {
		t.Errorf("%d bytes, %v; want %d", len(got.body), got.err, size)
	}
	if !strings.Contains(got.body, "b") {
		t.Error("the file was copied: sendfile was not used")
	}
}
