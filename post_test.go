package strand_test

import (
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// What was posted runs, whatever that before it did.
func TestPostBehindAPanic(t *testing.T) {
	for name, bad := range map[string]func(*strand.Conn){
		"panic":  func(*strand.Conn) { panic("the post") },
		"Goexit": func(*strand.Conn) { runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) {
			_, logger := captured()
			ran, closed := make(chan int, 8), make(chan struct{})
			a := serve(t, newEngine(t, strand.Options{Logger: logger}), func(*strand.Conn) strand.Handler {
				return &hooks{
					open: func(c *strand.Conn) {
						for i := range 3 {
							for _, f := range []func(*strand.Conn){bad, func(*strand.Conn) { ran <- i }} {
								if err := c.Post(f); err != nil {
									t.Error(err)
								}
							}
						}
					},
					close: func(*strand.Conn, error) { close(closed) },
				}
			})
			if peer, err := net.Dial(a.Network(), a.String()); err == nil { // or it is reset as early as that
				defer peer.Close()
			}
			<-closed
			for i := range 3 {
				select {
				case k := <-ran:
					if k != i {
						t.Errorf("post %d where %d was to be", k, i)
					}
				default:
					t.Fatalf("post %d had not run when OnClose was called", i)
				}
			}
		})
	}
}

// What was posted runs on a connection whose NetConn was taken, before and behind that.
func TestPostAndNetConn(t *testing.T) {
	ran, taken := make(chan int, 2), make(chan *strand.Conn, 1)
	a := serve(t, newEngine(t, strand.Options{}), func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			if err := c.Post(func(*strand.Conn) { ran <- 1 }); err != nil {
				t.Error(err)
			}
			go func(nc net.Conn) { _, _ = io.Copy(nc, nc) }(c.NetConn())
			taken <- c
		}}
	})
	peer := dial(t, a)
	c := <-taken
	if err := c.Post(func(*strand.Conn) { ran <- 2 }); err != nil {
		t.Fatal(err)
	}
	for want := 1; want <= 2; want++ {
		select {
		case got := <-ran:
			if got != want {
				t.Errorf("post %d where %d was to be", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("post %d does not run", want)
		}
	}
	if _, err := io.WriteString(peer, "hello"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(peer, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
}

// tiredListener accepts nothing, for want of something, and goes on so when it is closed.
type tiredListener struct{ net.Listener }

type tired struct{ error }

func (tired) Temporary() bool { return true }

func (tiredListener) Accept() (net.Conn, error) { return nil, tired{io.ErrNoProgress} }

// A listener that fails for ever does not keep its engine from ending.
func TestCloseOfAListenerThatFails(t *testing.T) { // hazard 131
	_, logger := captured()
	e, err := strand.New(strand.Options{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.AdoptListener(tiredListener{l}, func(*strand.Conn) strand.Handler { return nil }); err != nil {
		t.Fatal(err)
	}
	time.Sleep(30 * time.Millisecond)
	ended := make(chan error, 1)
	go func() { ended <- e.Close() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Close waits")
	}
}

// hangup is hooks that want to know of a hang-up.
type hangup struct {
	hooks
	gone chan struct{}
}

func (h *hangup) OnHangup(*strand.Conn) { close(h.gone) }

// A callback that waits for its peer learns that somebody closed the connection on this side.
func TestHangupByUs(t *testing.T) {
	for name, end := range map[string]func(*strand.Conn) error{"Close": (*strand.Conn).Close, "Abort": (*strand.Conn).Abort} {
		t.Run(name, func(t *testing.T) {
			opened, closed := make(chan *strand.Conn, 1), make(chan struct{})
			h := &hangup{gone: make(chan struct{})}
			h.open = func(c *strand.Conn) {
				opened <- c
				<-h.gone
			}
			h.close = func(*strand.Conn, error) { close(closed) }
			dial(t, serve(t, newEngine(t, strand.Options{}), func(*strand.Conn) strand.Handler { return h }))
			if err := end(<-opened); err != nil {
				t.Error(err)
			}
			select {
			case <-closed:
			case <-time.After(10 * time.Second):
				close(h.gone)
				t.Fatal("the callback still waits")
			}
		})
	}
}

// On a connection whose NetConn was taken, Done is not called beside its owner.
func TestNetConnAndDone(t *testing.T) {
	config := serverConfig(t)
	var called atomic.Bool
	a := serve(t, newEngine(t, strand.Options{}), func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			if err := c.StartTLS(config, &strand.TLSOptions{Done: func(*strand.Conn) { called.Store(true) }}); err != nil {
				t.Error(err)
			}
			go func(nc net.Conn) { _, _ = io.Copy(nc, nc) }(c.NetConn())
		}}
	})
	peer := tls.Client(dial(t, a), &tls.Config{InsecureSkipVerify: true})
	for range 20 {
		if _, err := io.WriteString(peer, "hello"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(peer, make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	if called.Load() {
		t.Error("it was called")
	}
}

// A peer's half-close does not use up the news of an end on this side: the callback that runs is told of both.
func TestHangupByThePeerAndByUs(t *testing.T) {
	opened, told := make(chan *strand.Conn, 1), make(chan struct{}, 2)
	h := &hangups{told: told}
	h.open = func(c *strand.Conn) {
		opened <- c
		<-told
		opened <- c
		select {
		case <-told:
		case <-time.After(10 * time.Second):
			t.Error("the callback still waits")
		}
	}
	closed := make(chan struct{})
	h.close = func(*strand.Conn, error) { close(closed) }
	peer := dial(t, serve(t, newEngine(t, strand.Options{}), func(*strand.Conn) strand.Handler { return h }))
	<-opened
	if err := peer.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := (<-opened).Abort(); err != nil {
		t.Error(err)
	}
	<-closed
}

// hangups is hooks that are told of each hang-up.
type hangups struct {
	hooks
	told chan struct{}
}

func (h *hangups) OnHangup(*strand.Conn) { h.told <- struct{}{} }
