package http1_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// stdCycle starts a server, uses it in the ways that leave something behind when
// they go wrong, and shuts it down.
func stdCycle(t *testing.T) {
	url, srv, stop := stdStart(t, &stdServer{ReadTimeout: stdPatience, IdleTimeout: stdPatience, WriteTimeout: stdPatience,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/notify": // nobody ever receives from it
				stdNotify(w)
			case "/hijack":
				if c, _ := stdHijack(t, w); c != nil {
					c.Close()
				}
			case "/panic":
				panic(http.ErrAbortHandler)
			case "/wait":
				<-r.Context().Done()
			case "/timeout":
				http.TimeoutHandler(stdCode(204), stdPatience, "").ServeHTTP(w, r)
			}
		})})
	for _, path := range []string{"/", "/notify", "/hijack", "/panic", "/timeout"} {
		w := stdDial(t, url)
		w.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
		w.tryNext("GET")
		w.c.Close()
	}
	idle, half, wait, post := stdDial(t, url), stdDial(t, url), stdDial(t, url), stdDial(t, url)
	idle.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	idle.next("GET")
	half.send("GET / HTTP/1.1\r\n")
	wait.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
	post.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
	for _, w := range []*stdWire{half, wait, post} {
		w.c.Close()
	}
	stdShutdown(t, srv)
	idle.c.Close()
	stop()
}

// TestStdNoLeak is not parallel: it counts the goroutines and descriptors of the process.
func TestStdNoLeak(t *testing.T) {
	stdCycle(t) // what is started once and stays
	count := func() (goroutines, fds int) {
		d, err := os.ReadDir("/dev/fd")
		if err != nil {
			return runtime.NumGoroutine(), 0 // a system without that directory
		}
		return runtime.NumGoroutine(), len(d)
	}
	var g0, f0 int
	settled := 0
	stdEventually(t, "a steady number of goroutines", func() bool {
		g, f := count()
		if settled++; g != g0 || f != f0 {
			g0, f0, settled = g, f, 0
		}
		return settled > 50
	})
	for range 5 {
		stdCycle(t)
	}
	end := time.Now().Add(stdPatience)
	for { // I4
		g, f := count()
		if g <= g0 && f <= f0 {
			return
		}
		if time.Now().After(end) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines (%d before), %d descriptors (%d before)\n%s", g, g0, f, f0, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestStdTable holds docs/nethttp-table.md against the tests it names.
func TestStdTable(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("../docs/nethttp-table.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("nethttp_*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests: %v", err)
	}
	var src strings.Builder
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		src.Write(b)
	}
	covered := 0
	for line := range strings.Lines(string(table)) {
		cells := strings.Split(line, "|")
		if len(cells) == 5 && strings.HasPrefix(cells[1], " `Test") && strings.HasPrefix(cells[3], " `TestStd") {
			covered++
		}
	}
	for _, name := range regexp.MustCompile("TestStd[A-Za-z0-9]+").FindAllString(string(table), -1) {
		if !strings.Contains(src.String(), "func "+name+"(t *testing.T)") {
			t.Errorf("the table names %s, which does not exist", name)
		}
	}
	if covered < 150 {
		t.Errorf("%d rows are covered; want at least 150", covered)
	}
	for _, m := range regexp.MustCompile(`(?m)^func (TestStd\w+)`).FindAllStringSubmatch(src.String(), -1) {
		if !strings.Contains(string(table), "`"+m[1]+"`") {
			t.Errorf("%s is in no row", m[1])
		}
	}
}
