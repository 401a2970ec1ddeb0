// Package examples holds programs that show how strand is used. This test builds
// and runs them.
package examples

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/d74363f0/strand/websocket"
)

// build compiles an example and returns the program's path.
func build(t *testing.T, name string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("go", "build", "-o", bin, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// program is a running example.
type program struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Scanner
	cmd *exec.Cmd
}

func start(t *testing.T, bin string, args ...string) *program {
	t.Helper()
	cmd := exec.Command(bin, args...)
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
	stop := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() {
		stop.Stop()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &program{t: t, in: in, out: bufio.NewScanner(out), cmd: cmd}
}

// line returns the next line that the program prints.
func (p *program) line() string {
	p.t.Helper()
	if !p.out.Scan() {
		p.t.Fatalf("%s prints no more", p.cmd.Path)
	}
	return p.out.Text()
}

func (p *program) expect(want string) {
	p.t.Helper()
	if got := p.line(); got != want {
		p.t.Fatalf("%s prints %q, want %q", p.cmd.Path, got, want)
	}
}

// serve starts a server on a free port and returns its ws URL.
func serve(t *testing.T, name string) string {
	t.Helper()
	addr, ok := strings.CutPrefix(start(t, build(t, name), "-addr", "127.0.0.1:0").line(), "listening on ")
	if !ok {
		t.Fatal("no address")
	}
	return "ws://" + addr
}

func TestEcho(t *testing.T) {
	c := start(t, build(t, "client"), "-url", serve(t, "echo"))
	for i := range 3 {
		fmt.Fprintln(c.in, "hello", i)
		c.expect(fmt.Sprint("hello ", i))
	}
	_ = c.in.Close()
	if err := c.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestChat(t *testing.T) {
	url, client := serve(t, "chat"), build(t, "client")
	a := start(t, client, "-url", url+"/room")
	a.expect("somebody joins, 1 are here")
	b := start(t, client, "-url", url+"/room")
	a.expect("somebody joins, 2 are here")
	b.expect("somebody joins, 2 are here")
	other := start(t, client, "-url", url+"/other")
	other.expect("somebody joins, 1 are here")
	fmt.Fprintln(a.in, "hello")
	a.expect("hello")
	b.expect("hello")
	_ = b.in.Close()
	a.expect("somebody leaves, 1 are here")
	fmt.Fprintln(other.in, "alone")
	other.expect("alone")
}

// deaf is the handler of a connection that only sends.
type deaf struct{}

func (deaf) OnOpen(*websocket.Conn)                                   {}
func (deaf) OnMessage(*websocket.Conn, websocket.MessageType, []byte) {}
func (deaf) OnClose(*websocket.Conn, error)                           {}

// TestChatBinary wants a binary message passed on as one: as text it would end every member that checks UTF-8.
func TestChatBinary(t *testing.T) {
	const binary = "\xff\xfe"
	url := serve(t, "chat") + "/room"
	a := start(t, build(t, "client"), "-url", url)
	a.expect("somebody joins, 1 are here")
	c, _, err := websocket.Dial(context.Background(), url, deaf{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	a.expect("somebody joins, 2 are here")
	if err := c.Send(context.Background(), websocket.Binary, []byte(binary)); err != nil {
		t.Fatal(err)
	}
	a.expect(binary)
	fmt.Fprintln(a.in, "still here")
	a.expect("still here")
}

// TestClientLongLine wants a line beyond what the client reads to end it with an error.
func TestClientLongLine(t *testing.T) {
	c := start(t, build(t, "client"), "-url", serve(t, "echo"))
	go func() {
		_, _ = io.WriteString(c.in, strings.Repeat("x", 100<<10)+"\n") // it may have ended before it has all
	}()
	var exit *exec.ExitError
	if err := c.cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("ended with %v", err)
	}
}

func TestBroadcast(t *testing.T) {
	c := start(t, build(t, "client"), "-url", serve(t, "broadcast"))
	for range 3 {
		if _, err := time.Parse(time.RFC3339Nano, c.line()); err != nil {
			t.Error(err)
		}
	}
}
