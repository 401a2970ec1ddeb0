package tls

import (
	"bufio"
	"bytes"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var serving = regexp.MustCompile(`serving https://(\S+) `)

// startServe runs strand serve -tls-addr and returns where it serves TLS. In the end it must drain and exit with 0.
func startServe(t testing.TB) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "strand")
	build := exec.Command("go", "build", "-o", bin, ".")
	build.Dir = filepath.Join("..", "..", "cmd", "strand")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.Command(bin, "serve", "-addr", "127.0.0.1:0", "-tls-addr", "127.0.0.1:0", "-drain", "5s")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr := make(chan string, 1)
	var rest sync.WaitGroup
	rest.Go(func() {
		for s := bufio.NewScanner(stdout); s.Scan(); {
			if m := serving.FindStringSubmatch(s.Text()); m != nil {
				addr <- m[1]
			}
		}
	})
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		rest.Wait()
		if err := cmd.Wait(); err != nil {
			t.Errorf("strand serve after SIGTERM: %v", err)
		}
	})
	select {
	case a := <-addr:
		return a
	case <-time.After(15 * time.Second):
		t.Fatal("strand serve does not say where it serves https")
		return ""
	}
}

// run runs a program, which must be installed and end within a minute, and returns all that it wrote.
func run(t *testing.T, input string, name string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: this test drives %s; apt-get install openssl curl nginx", err, name)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	err = cmd.Wait()
	return out.String(), err
}

// freePort returns an address that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
