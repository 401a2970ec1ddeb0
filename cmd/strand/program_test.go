package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The test binary is the program too: started with this variable set it runs main, so that the tests send
// real signals to a real process without building one.
const asProgram = "STRAND_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program is a running strand.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	addr   string // where serve listens
	stdout *output
	stderr *output
}

var serving = regexp.MustCompile(`serving http://(\S+)`)

// start runs strand serve on a free port with more flags and waits until it listens.
func start(t *testing.T, flags ...string) *program {
	t.Helper()
	p := launch(t, os.Args[0], append([]string{"serve", "-addr", "127.0.0.1:0"}, flags...)...)
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if m := serving.FindStringSubmatch(p.stdout.String()); m != nil {
			p.addr = m[1]
			return p
		}
		if time.Now().After(end) {
			t.Fatalf("strand serve does not say where it listens:\n%s\n%s", p.stdout, p.stderr)
		}
	}
}

func launch(t *testing.T, name string, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.Command(name, args...), stdout: &output{}, stderr: &output{}}
	p.cmd.Env = append(os.Environ(), asProgram+"=1", "GORACE=atexit_sleep_ms=0") // or it would end a second late
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.cmd.Process.Kill()
			p.cmd.Wait()
		}
	})
	return p
}

// wait gives the exit code.
func (p *program) wait() int {
	p.t.Helper()
	late := time.AfterFunc(30*time.Second, func() { p.cmd.Process.Kill() })
	defer late.Stop()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *program) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

type output struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

// oneLine wants exactly one line that holds each of the words.
func oneLine(t *testing.T, what, got string, words ...string) {
	t.Helper()
	if strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "\n") {
		t.Errorf("%s: want one line, got %q", what, got)
	}
	for _, w := range words {
		if !strings.Contains(got, w) {
			t.Errorf("%s: %q does not say %q", what, got, w)
		}
	}
}

func TestMistakesGetOneLineAndExitTwo(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"swim"}, `no command "swim"`},
		{[]string{"version", "now"}, `"now"`},
		{[]string{"serve", "-colour"}, "-colour"},
		{[]string{"serve", "8080"}, `"8080"`},
		{[]string{"serve", "-addr", "8080"}, "not host:port"},
		{[]string{"serve", "-addr", "127.0.0.1:99999"}, `"99999" is not a port`},
		{[]string{"serve", "-addr", "127.0.0.1:"}, `"" is not a port`},
		{[]string{"serve", "-addr", "a b:80"}, "not a host"},
		{[]string{"serve", "-loops", "-1"}, "-loops -1"},
		{[]string{"serve", "-loops", "many"}, "many"},
		{[]string{"serve", "-drain", "-1s"}, "-drain -1s"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(c.args, &stdout, &stderr)
		what := "strand " + strings.Join(c.args, " ")
		if code != exitUsage || stdout.Len() > 0 {
			t.Errorf("%s: exit %d, stdout %q", what, code, stdout.String())
		}
		oneLine(t, what, stderr.String(), c.says)
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"help"}, "strand serve"},
		{[]string{"--help"}, "strand version"},
		{[]string{"serve", "-h"}, "-addr host:port"},
		{[]string{"version"}, "strand "},
		{[]string{"version", "-h"}, "say which version"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(c.args, &stdout, &stderr)
		if code != exitOK || stderr.Len() > 0 || !strings.Contains(stdout.String(), c.says) {
			t.Errorf("strand %s: exit %d, stdout %q, stderr %q", c.args, code, stdout.String(), stderr.String())
		}
	}
	var stdout, stderr bytes.Buffer
	if code := run(nil, &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "strand serve") {
		t.Errorf("strand alone: exit %d, stderr %q", code, stderr.String())
	}
}

func TestAddressTroubleGetsOneLineAndExitOne(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	for _, c := range []struct{ addr, says string }{
		{taken, "already in use"},
		{"192.0.2.1:8080", "not an address of this machine"}, // TEST-NET-1, RFC 5737
		{"nowhere.invalid:8080", "nowhere.invalid"},          // RFC 6761
	} {
		failsToStart(t, []string{"-addr", c.addr}, c.addr, c.says)
		secure := failsToStart(t, []string{"-addr", "127.0.0.1:0", "-tls-addr", c.addr}, c.addr, c.says, "-tls-addr")
		if strings.Contains(secure, "-addr 127.0.0.1:0") || strings.HasPrefix(secure, "strand serve: 127.0.0.1:0 ") {
			t.Errorf("-tls-addr %s: %q blames -addr", c.addr, secure)
		}
	}
}

// failsToStart runs strand serve and wants one line with each of the words, and exit code 1. It returns the line.
func failsToStart(t *testing.T, flags []string, words ...string) string {
	t.Helper()
	p := launch(t, os.Args[0], append([]string{"serve"}, flags...)...)
	what := strings.Join(flags, " ")
	if code := p.wait(); code != exitFailed || p.stdout.String() != "" {
		t.Errorf("%s: exit %d, stdout %q", what, code, p.stdout)
	}
	oneLine(t, what, p.stderr.String(), words...)
	return p.stderr.String()
}

func TestCertificateTroubleNamesTheFlag(t *testing.T) {
	dir := t.TempDir()
	absent, garbage := filepath.Join(dir, "absent.pem"), filepath.Join(dir, "garbage.pem")
	if err := os.WriteFile(garbage, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ cert, key, says string }{
		{absent, garbage, "-cert: open " + absent},
		{garbage, absent, "-key: open " + absent},
		{garbage, garbage, "-cert " + garbage + ", -key " + garbage},
	} {
		failsToStart(t, []string{"-addr", "127.0.0.1:0", "-tls-addr", "127.0.0.1:0", "-cert", c.cert, "-key", c.key}, c.says)
	}
}

// Only what a listener may not do is about the port: the same number comes from a file that may not be read, and tests
// run as root have neither.
func TestRightsAreThoseOfTheAddress(t *testing.T) {
	denied := &os.PathError{Op: "open", Path: "key.pem", Err: syscall.EACCES}
	if got := startTrouble(fmt.Errorf("-key: %w", denied)); got != "-key: open key.pem: permission denied" {
		t.Errorf("a file: %q", got)
	}
	port := &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", syscall.EACCES)}
	got := startTrouble(errors.Join(&listenError{"-tls-addr", "127.0.0.1:443", port}, nil))
	if want := "127.0.0.1:443 needs more rights than this user has; choose a port above 1023 with -tls-addr"; got != want {
		t.Errorf("a port: %q", got)
	}
}

func TestTooFewFilesSaysTheFigureAndWhatToDo(t *testing.T) {
	p := launch(t, "sh", "-c", `ulimit -n 64; exec "$0" serve -addr 127.0.0.1:0`, os.Args[0])
	if code := p.wait(); code != exitFailed || p.stdout.String() != "" {
		t.Errorf("exit %d, stdout %q", code, p.stdout)
	}
	oneLine(t, "ulimit -n 64", p.stderr.String(), "only 64 file descriptors", "at least 256", "ulimit -n")
}

// raw opens a connection to the program that closes with the test and never waits longer than 20 s.
func (p *program) raw() (net.Conn, *bufio.Reader) {
	p.t.Helper()
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c, bufio.NewReader(c)
}

func (p *program) send(c net.Conn, s string) {
	p.t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		p.t.Fatal(err)
	}
}

func noSignalYet(t *testing.T, p *program) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Fatalf("the program has ended: %v\n%s", err, p.stderr)
	}
}
