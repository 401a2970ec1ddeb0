package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// build compiles the program once for all tests; STRAND names one that is there already.
func build(t *testing.T) string {
	t.Helper()
	if p := os.Getenv("STRAND"); p != "" {
		return p
	}
	bin := filepath.Join(t.TempDir(), "strand")
	cmd := exec.Command("go", "build", "-o", bin, ".")
	cmd.Dir = filepath.Join("..", "cmd", "strand")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

var serving = regexp.MustCompile(`serving (https?://\S+)`)

// startServe starts strand serve on a free port and gives its URL. When the test ends the server must drain and exit with 0.
func startServe(t *testing.T) string {
	t.Helper()
	return startServing(t, 1)[0]
}

// startServing is startServe with more flags, for a server that says n URLs.
func startServing(t *testing.T, n int, flags ...string) []string {
	t.Helper()
	cmd := exec.Command(build(t), append([]string{"serve", "-addr", "127.0.0.1:0", "-drain", "10s"}, flags...)...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := &lockedBuffer{}
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			lines <- s.Text()
		}
	}()
	t.Cleanup(func() { endServe(t, cmd, lines, stderr) })
	var urls []string
	for len(urls) < n {
		select {
		case line := <-lines:
			m := serving.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("strand serve began with %q\n%s", line, stderr.tail(2000))
			}
			urls = append(urls, m[1])
		case <-time.After(15 * time.Second):
			t.Fatal("strand serve said nothing for 15 s")
		}
	}
	return urls
}

func endServe(t *testing.T, cmd *exec.Cmd, lines <-chan string, stderr *lockedBuffer) {
	cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	defer late.Stop()
	var said []string
	for line := range lines {
		said = append(said, line)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("strand serve after SIGTERM: %v\n%s\n%s", err, strings.Join(said, "\n"), stderr.tail(4000))
	}
	if all := strings.Join(said, "\n"); !strings.Contains(all, "drained") {
		t.Errorf("strand serve does not say what it drained: %q", all)
	}
	if out := stderr.tail(4000); out != "" {
		t.Errorf("strand serve wrote to stderr:\n%s", out)
	}
}
