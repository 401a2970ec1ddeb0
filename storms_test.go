//go:build unix

package strand_test

import (
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// meanwhile calls f again and again until the test's function behind it has returned.
func meanwhile(f func()) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
				f()
			}
		}
	}()
	return func() { close(done); <-ended }
}

// Signals interrupt system calls at any moment; nothing is lost by it.
func TestSignalStorm(t *testing.T) { // hazard 157
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGUSR2) // for good: one that is still on its way would end the process
	e := newEngine(t, strand.Options{})
	a := serve(t, e, func(*strand.Conn) strand.Handler { return &hooks{readable: echo} })
	stop := meanwhile(func() {
		for _, s := range []syscall.Signal{syscall.SIGURG, syscall.SIGUSR2, syscall.SIGWINCH} {
			if err := syscall.Kill(os.Getpid(), s); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(50 * time.Microsecond)
	})
	defer stop()
	echoes(t, a, 8, 8)
	<-caught
}

// The collector never finds memory that only the kernel knows of, or memory in use that nobody names.
func TestCollectorStorm(t *testing.T) { // hazard 152
	percent, limit := debug.SetGCPercent(1), debug.SetMemoryLimit(8<<20)
	defer debug.SetGCPercent(percent)
	defer debug.SetMemoryLimit(limit)
	e := newEngine(t, strand.Options{})
	a := serve(t, e, func(*strand.Conn) strand.Handler { return &hooks{readable: echo} })
	stop := meanwhile(func() {
		runtime.GC()
		time.Sleep(time.Millisecond)
	})
	defer stop()
	echoes(t, a, 8, 12)
}

// Clients that connect and go, most of them without a word, leave nothing behind, and those who have something to say are served
// all the while.
func TestConnectStorm(t *testing.T) { // hazard 79
	settled(t)
	e := newEngine(t, strand.Options{})
	a := serve(t, e, func(*strand.Conn) strand.Handler { return &hooks{readable: echo} })
	const clients, times = 4, 500
	var wg sync.WaitGroup
	for i := range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for k := range times {
				nc, err := net.Dial(a.Network(), a.String())
				if err != nil {
					t.Error(err)
					return
				}
				if (i+k)%2 == 0 {
					_ = nc.(*net.TCPConn).SetLinger(0) // ends with a reset, and the server's side at once
				}
				if k%4 == 0 {
					_, _ = nc.Write([]byte("x"))
				}
				_ = nc.Close()
			}
		}()
	}
	echoes(t, a, 1, 20)
	wg.Wait()
	await(t, "all but the client that stays to have ended", func() bool { return e.Stats().Conns == 1 })
	echoes(t, a, 1, 1)
}
