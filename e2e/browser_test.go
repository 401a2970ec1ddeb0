package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// browser is one Chromium of our own, spoken to through two pipes: JSON messages that end in a zero byte
// (--remote-debugging-pipe reads descriptor 3 and writes descriptor 4).
type browser struct {
	t    *testing.T // the test whose turn it is
	out  io.Writer
	mu   sync.Mutex
	next int                    // guarded by mu
	wait map[int]chan reply     // guarded by mu
	hear map[string]func(event) // by session, guarded by mu
	gone error                  // why the pipe ended, guarded by mu
	logs *lockedBuffer          // what Chromium wrote to stderr
}

type reply struct {
	result json.RawMessage
	err    error
}

type event struct {
	Method string
	Params json.RawMessage
}

const howToInstall = "headless Chromium is needed for this test: apt-get install chromium (or set CHROMIUM to its path)"

func findChromium(t *testing.T) string {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}
	if p := os.Getenv("CHROMIUM"); p != "" {
		names = []string{p}
	}
	for _, name := range names {
		if p, err := exec.LookPath(name); err == nil {
			return p
		}
	}
	t.Fatalf("%s; looked for %s", howToInstall, strings.Join(names, ", "))
	return ""
}

// startBrowser starts Chromium with a fresh profile and ends it with the test.
func startBrowser(t *testing.T, flags ...string) *browser {
	t.Helper()
	cmd := exec.Command(findChromium(t), append(flags, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-background-networking", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-proxy-server",
		"--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")...)
	theirIn, ourOut := pipe(t)
	ourIn, theirOut := pipe(t)
	cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	b := &browser{t: t, out: ourOut, wait: map[int]chan reply{}, hear: map[string]func(event){}, logs: &lockedBuffer{}}
	cmd.Stderr = b.logs
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; %s", err, howToInstall)
	}
	theirIn.Close()
	theirOut.Close()
	read := make(chan struct{})
	go func() {
		defer close(read)
		b.read(ourIn)
	}()
	t.Cleanup(func() {
		b.quit(cmd)
		ourOut.Close()
		<-read
		ourIn.Close()
	})
	return b
}

// quit asks Chromium to end, so that it has stopped writing before its profile is removed, and insists after a while.
func (b *browser) quit(cmd *exec.Cmd) {
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	b.call("", "Browser.close", nil)
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		cmd.Process.Kill()
		<-ended
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

func (b *browser) read(in io.Reader) {
	r := bufio.NewReaderSize(in, 1<<16)
	for {
		line, err := r.ReadBytes(0)
		if err != nil {
			b.end(err)
			return
		}
		var m struct {
			ID        int
			SessionID string
			Method    string
			Params    json.RawMessage
			Result    json.RawMessage
			Error     *struct{ Message string }
		}
		if err := json.Unmarshal(line[:len(line)-1], &m); err != nil {
			b.end(err)
			return
		}
		if m.Method != "" {
			b.mu.Lock()
			hear := b.hear[m.SessionID]
			b.mu.Unlock()
			if hear != nil {
				hear(event{m.Method, m.Params})
			}
			continue
		}
		a := reply{result: m.Result}
		if m.Error != nil {
			a.err = errors.New(m.Error.Message)
		}
		b.mu.Lock()
		c := b.wait[m.ID]
		delete(b.wait, m.ID)
		b.mu.Unlock()
		if c != nil {
			c <- a
		}
	}
}

func (b *browser) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = err
	for id, c := range b.wait {
		delete(b.wait, id)
		c <- reply{err: fmt.Errorf("Chromium went away: %w", err)}
	}
}

// call sends one command and waits for its answer, at most 30 s.
func (b *browser) call(session, method string, params any) (json.RawMessage, error) {
	c := make(chan reply, 1)
	b.mu.Lock()
	if b.gone != nil {
		defer b.mu.Unlock()
		return nil, fmt.Errorf("Chromium went away: %w", b.gone)
	}
	b.next++
	id := b.next
	b.wait[id] = c
	m := map[string]any{"id": id, "method": method}
	if params != nil {
		m["params"] = params
	}
	if session != "" {
		m["sessionId"] = session
	}
	line, err := json.Marshal(m)
	if err == nil {
		_, err = b.out.Write(append(line, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case a := <-c:
		return a.result, a.err
	case <-time.After(30 * time.Second):
		return nil, fmt.Errorf("%s: no answer from Chromium in 30 s", method)
	}
}

// must is call for the test's goroutine: an error ends the test and shows what Chromium said last.
func (b *browser) must(session, method string, params, into any) {
	b.t.Helper()
	result, err := b.call(session, method, params)
	if err == nil && into != nil {
		err = json.Unmarshal(result, into)
	}
	if err != nil {
		b.t.Fatalf("%s: %v\nChromium's stderr:\n%s", method, err, b.logs.tail(2000))
	}
}

type lockedBuffer struct {
	mu  sync.Mutex
	all []byte
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, p...)
	return len(p), nil
}

func (l *lockedBuffer) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.all[max(0, len(l.all)-n):])
}
