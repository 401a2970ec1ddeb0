package strand_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// within fails the test if done is not closed in good time.
func within(t testing.TB, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s did not happen", what)
	}
}

// A panic in one callback must not swallow the OnClose that was due in the
// same turn.
func TestOnCloseAfterPanicInTheSameTurn(t *testing.T) { // hazards 145, 147
	_, logger := captured()
	e := newEngine(t, strand.Options{Logger: logger})
	entered, release, closed := make(chan *strand.Conn, 1), make(chan struct{}), make(chan struct{})
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{
			readable: func(c *strand.Conn) { entered <- c; <-release },
			close:    func(*strand.Conn, error) { close(closed) },
		}
	})
	nc := dial(t, a)
	if _, err := nc.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	c := <-entered
	if err := c.Post(func(*strand.Conn) { panic("on purpose") }); err != nil {
		t.Fatal(err)
	}
	_ = c.Abort()
	await(t, "the descriptor's end", func() bool { return e.Stats().Conns == 0 })
	close(release)
	within(t, "OnClose", closed)
}

// A callback that outlives its engine is still followed by OnClose.
func TestOnCloseAfterTheEngine(t *testing.T) { // hazards 83, 145
	e, err := strand.New(strand.Options{})
	if err != nil {
		t.Fatal(err)
	}
	entered, release, closed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{
			readable: func(*strand.Conn) { close(entered); <-release },
			close:    func(*strand.Conn, error) { close(closed) },
		}
	})
	nc := dial(t, a)
	if _, err := nc.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	<-entered
	_ = e.Close()
	close(release)
	within(t, "OnClose", closed)
}

// A connection that is being adopted while the engine ends is ended, too.
func TestAdoptDuringClose(t *testing.T) { // hazard 83
	for range 100 {
		e, err := strand.New(strand.Options{Loops: 1})
		if err != nil {
			t.Fatal(err)
		}
		var opened, closed atomic.Int64
		h := &hooks{
			open:  func(*strand.Conn) { opened.Add(1) },
			close: func(*strand.Conn, error) { closed.Add(1) },
		}
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for range 2 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for range 200 { // few enough to be done with soon
					select {
					case <-stop:
						return
					default:
					}
					ours, theirs := net.Pipe()
					if _, err := e.Adopt(ours, h); err != nil {
						_ = theirs.Close()
						return
					}
				}
			}()
		}
		ended := make(chan struct{})
		go func() { _ = e.Close(); close(ended) }()
		within(t, "the engine's end", ended)
		close(stop)
		wg.Wait()
		await(t, "every OnClose", func() bool { return opened.Load() == closed.Load() })
	}
}

// No OnReadable follows a PauseRead or NetConn of the same turn.
func TestNoReadableAfterPauseOrNetConn(t *testing.T) { // hazard 171
	for _, hijack := range []bool{false, true} {
		e := newEngine(t, strand.Options{Loops: 1})
		entered, release := make(chan *strand.Conn, 1), make(chan struct{})
		var first, late atomic.Bool
		got := make(chan net.Conn, 1)
		a := serve(t, e, func(*strand.Conn) strand.Handler {
			return &hooks{readable: func(c *strand.Conn) {
				if first.CompareAndSwap(false, true) {
					for {
						if _, err := c.Read(make([]byte, 16)); err != nil {
							break
						}
					}
					entered <- c
					<-release
					return
				}
				late.Store(true)
			}}
		})
		nc := dial(t, a)
		if _, err := nc.Write([]byte("a")); err != nil {
			t.Fatal(err)
		}
		c := <-entered
		_ = c.Post(func(c *strand.Conn) {
			if hijack {
				got <- c.NetConn()
				return
			}
			c.PauseRead()
			got <- nil
		})
		if _, err := nc.Write([]byte("b")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Millisecond)
		close(release)
		view := <-got
		if hijack {
			_ = view.SetDeadline(time.Now().Add(5 * time.Second))
			var p [1]byte
			if _, err := io.ReadFull(view, p[:]); err != nil || !bytes.Equal(p[:], []byte("b")) {
				t.Errorf("the hijacker read %q, %v", p, err)
			}
		} else {
			time.Sleep(30 * time.Millisecond)
		}
		if late.Load() {
			t.Errorf("hijack %v: OnReadable was called afterwards", hijack)
		}
		_ = c.Abort()
	}
}

// What Post accepted runs, also when the connection closes at that moment.
func TestPostDuringAbort(t *testing.T) {
	e := newEngine(t, strand.Options{})
	for range 1000 {
		ours, theirs := net.Pipe()
		closed := make(chan struct{})
		c, err := e.Adopt(ours, &hooks{close: func(*strand.Conn, error) { close(closed) }})
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = c.Abort() }()
		var ran, want int64
		for c.Post(func(*strand.Conn) { atomic.AddInt64(&ran, 1) }) == nil {
			want++
		}
		within(t, "OnClose", closed)
		if got := atomic.LoadInt64(&ran); got != want {
			t.Fatalf("%d of %d posted functions ran before OnClose", got, want)
		}
		_ = theirs.Close()
	}
}

// An engine that ends while it is given a listener ends that, too.
func TestListenDuringClose(t *testing.T) { // hazard 153
	for range 200 {
		e, err := strand.New(strand.Options{Loops: 1})
		if err != nil {
			t.Fatal(err)
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			l, err := e.AdoptListener(ln, func(*strand.Conn) strand.Handler { return nil })
			if err == nil {
				<-l.Done()
			}
		}()
		_ = e.Close()
		within(t, "the listener's end", done)
	}
}
