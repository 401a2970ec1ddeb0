// Package steady is for tests whose subject is time, such as a timeout that must not strike yet. Where the machine
// stands still for as long as that timeout, it strikes, and rightly: the test shows nothing then, and is tried again. A
// failure of a body during which the machine ran is a failure at once.
package steady

import (
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"
)

// tries is how often a test is tried. A machine that stands still in each of them is too slow for it.
const tries = 20

// Try runs body, and runs it again if it failed while the process stood still for slack or longer. Body's t
// stands for the test's: what it registers with Cleanup is called behind each try. Slack is at most half of the shortest
// time that body relies on.
func Try(t testing.TB, slack time.Duration, body func(t testing.TB)) {
	t.Helper()
	for n := 1; ; n++ {
		a := &try{TB: t}
		longest := watch(slack, func() { a.run(body) })
		a.cleanup()
		if a.panicked != nil {
			panic(fmt.Sprintf("%v\n%s\n%s", a.panicked, a.stack, a.text()))
		}
		switch {
		case !a.Failed():
			if log := a.text(); log != "" {
				t.Log(log)
			}
		case longest >= slack && n < tries:
			t.Logf("try %d of %d: the machine stood still for %v\n%s", n, tries, longest, a.text())
			continue
		case longest >= slack:
			t.Errorf("the machine stood still in each of %d tries, in the last for %v\n%s", tries, longest, a.text())
		default:
			t.Error(a.text())
		}
		a.end()
		return
	}
}

// watch runs f and returns how long the process stood still at most meanwhile.
func watch(slack time.Duration, f func()) (longest time.Duration) {
	const often = 4
	stop, done := make(chan struct{}), make(chan struct{})
	last := time.Now()
	look := func() {
		now := time.Now()
		longest = max(longest, now.Sub(last)-slack/often)
		last = now
	}
	go func() {
		defer close(done)
		tick := time.NewTimer(slack / often)
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				look()
				tick.Reset(slack / often)
			}
		}
	}()
	f()
	close(stop)
	<-done
	look() // it may have stood still until now
	return longest
}

// try is the testing.TB of one try.
type try struct {
	testing.TB // for what is the same in each try

	mu       sync.Mutex
	failed   bool     // mu
	over     bool     // mu: what comes now goes to the test itself
	log      []string // mu
	cleanups []func() // mu

	panicked any // body's panic
	stack    []byte
}

// run runs body in a goroutine of its own, which FailNow ends.
func (a *try) run(body func(testing.TB)) {
	aside(func() {
		returned := false
		defer func() {
			if a.panicked = recover(); a.panicked != nil {
				a.stack = debug.Stack()
			} else if !returned && !a.Failed() {
				a.Errorf("the goroutine was ended, and not by this t: was the test's own used?")
			}
		}()
		body(a)
		returned = true
	})
}

// aside runs f in a goroutine that it may end.
func aside(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// cleanup calls the registered functions, the last one first, each although another may call FailNow.
func (a *try) cleanup() {
	for {
		a.mu.Lock()
		last := len(a.cleanups) - 1
		if last < 0 {
			a.mu.Unlock()
			return
		}
		f := a.cleanups[last]
		a.cleanups = a.cleanups[:last]
		a.mu.Unlock()
		aside(f)
	}
}

// end says that no try follows: what goroutines that body has left still say is the test's.
func (a *try) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
}

func (a *try) text() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.log, "\n")
}

// say keeps a line of the log, with where it was said: the test files' lines on the stack, the innermost first.
func (a *try) say(text string) {
	var at []string
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.File, "_test.go") {
			at = append(at, fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line))
		}
		if !more {
			break
		}
	}
	line := strings.Join(append(at, strings.TrimSuffix(text, "\n")), ": ")
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		a.TB.Log(line)
		return
	}
	a.log = append(a.log, line)
}

// Cleanup has f called when this try is over.
func (a *try) Cleanup(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cleanups = append(a.cleanups, f)
}

// Fail marks this try as failed.
func (a *try) Fail() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed = true; a.over {
		a.TB.Fail()
	}
}

// Failed reports whether this try has failed.
func (a *try) Failed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failed
}

// FailNow marks this try as failed and ends it.
func (a *try) FailNow() {
	a.Fail()
	runtime.Goexit()
}

// Helper does nothing: every line of a test file on the stack is shown.
func (a *try) Helper() {}

func (a *try) Log(args ...any)                { a.say(fmt.Sprintln(args...)) }
func (a *try) Logf(format string, v ...any)   { a.say(fmt.Sprintf(format, v...)) }
func (a *try) Error(args ...any)              { a.say(fmt.Sprintln(args...)); a.Fail() }
func (a *try) Errorf(format string, v ...any) { a.say(fmt.Sprintf(format, v...)); a.Fail() }
func (a *try) Fatal(args ...any)              { a.say(fmt.Sprintln(args...)); a.FailNow() }
func (a *try) Fatalf(format string, v ...any) { a.say(fmt.Sprintf(format, v...)); a.FailNow() }
