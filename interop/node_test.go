package interop

import (
	"bufio"
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// serveNetHTTP starts a net/http server, which is what other libraries expect.
func serveNetHTTP(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// node returns a command that runs a script, after it has installed what it needs.
func node(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if _, err := os.Stat("node/node_modules/ws"); err != nil {
		npm := exec.Command("npm", "ci", "--no-audit", "--no-fund")
		npm.Dir = "node"
		if out, err := npm.CombinedOutput(); err != nil {
			t.Fatalf("npm ci: %v\n%s", err, out)
		}
	}
	cmd := exec.Command("node", args...)
	cmd.Dir = "node"
	return cmd
}

func mode(compressed bool) string {
	if compressed {
		return "deflate"
	}
	return "plain"
}

func TestNodeClient(t *testing.T) {
	list := make([]string, len(sizes))
	for i, n := range sizes {
		list[i] = strconv.Itoa(n)
	}
	for _, compressed := range []bool{false, true} {
		t.Run(mode(compressed), func(t *testing.T) {
			addr, closed := strandServer(t, compressed)
			out, err := node(t, "client.mjs", "ws://"+addr+"/", mode(compressed), strings.Join(list, ",")).CombinedOutput()
			if err != nil || !bytes.HasSuffix(out, []byte("ok\n")) {
				t.Fatalf("%v\n%s", err, out)
			}
			expectEnd(t, closed)
		})
	}
}

func TestNodeServer(t *testing.T) {
	for _, compressed := range []bool{false, true} {
		t.Run(mode(compressed), func(t *testing.T) {
			cmd := node(t, "echo-server.mjs", mode(compressed))
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stderr = os.Stderr
			if err = cmd.Start(); err != nil {
				t.Fatal(err)
			}
			stop := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
			defer func() {
				stop.Stop()
				_ = in.Close()
				_ = cmd.Wait()
			}()
			port, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			converse(t, dialStrand(t, "127.0.0.1:"+strings.TrimSpace(port), compressed))
		})
	}
}
