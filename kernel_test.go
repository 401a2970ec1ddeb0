//go:build linux && !strand_std

package strand_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// fill opens descriptors until the process has no more, and returns how to
// close them.
func fill(t testing.TB) (release func()) {
	t.Helper()
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	low := lim
	low.Cur = uint64(descriptors(t) + 64)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		files = append(files, f)
	}
	var once sync.Once
	release = func() {
		once.Do(func() {
			for _, f := range files {
				_ = f.Close()
			}
			_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim)
		})
	}
	t.Cleanup(release)
	return release
}

func TestAcceptWithoutDescriptors(t *testing.T) { // hazard 131
	log, logger := captured()
	e := newEngine(t, strand.Options{Logger: logger})
	a := serve(t, e, func(*strand.Conn) strand.Handler { return &hooks{readable: echo} })
	roundTrip(t, dial(t, a), "before")

	// The clients' sockets are made first: they need descriptors, too.
	type socket struct{ fd int }
	var clients []socket
	for range 5 {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, socket{fd})
	}
	release := fill(t)
	ta := a.(*net.TCPAddr)
	sa := &syscall.SockaddrInet4{Port: ta.Port}
	copy(sa.Addr[:], ta.IP.To4())
	for _, c := range clients {
		if err := syscall.Connect(c.fd, sa); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "an accept error", func() bool { return e.Stats().AcceptErrors >= 4 })
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	time.Sleep(300 * time.Millisecond)
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	if n := e.Stats().AcceptErrors; n > 40 {
		t.Errorf("%d accept errors: no pause between them", n)
	}
	if n := bytes.Count(log.bytes(), []byte("accept failed")); n < 1 || n > 3 {
		t.Errorf("%d log lines", n)
	}
	release()
	for _, c := range clients {
		f := os.NewFile(uintptr(c.fd), "client")
		nc, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
		roundTrip(t, nc, "after")
		_ = nc.Close()
	}
}

// TestStaleEvents has connections close each other from within one batch of
// events while new ones take over the numbers (hazards 141, 149).
func TestStaleEvents(t *testing.T) {
	settled(t)
	e := newEngine(t, strand.Options{Loops: 1})
	var mu sync.Mutex
	var live []*strand.Conn
	var foreign atomic.Int32
	a := serve(t, e, func(c *strand.Conn) strand.Handler {
		name := byte(0)
		return &hooks{
			open: func(c *strand.Conn) { mu.Lock(); live = append(live, c); mu.Unlock() },
			readable: func(c *strand.Conn) {
				var p [64]byte
				n, err := c.Read(p[:])
				if err != nil {
					if err != strand.ErrWouldBlock {
						_ = c.Close()
					}
					return
				}
				for _, b := range p[:n] {
					if name == 0 {
						name = b
					}
					if b != name {
						foreign.Add(1)
					}
				}
				mu.Lock()
				if len(live) > 8 { // end the oldest, whose event may stand in this very batch
					if live[0] != c {
						_ = live[0].Abort()
					}
					live = live[1:]
				}
				mu.Unlock()
				_, _ = c.Write(p[:n])
			},
		}
	})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for k := range 60 {
				nc, err := net.Dial(a.Network(), a.String())
				if err != nil {
					continue
				}
				_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
				b := byte(1 + (i*60+k)%250)
				want := bytes.Repeat([]byte{b}, 20)
				for range 5 {
					if _, err := nc.Write(want); err != nil {
						break
					}
					got := make([]byte, len(want))
					n, err := io.ReadFull(nc, got)
					if !bytes.Equal(got[:n], want[:n]) {
						t.Errorf("client %d got %v", b, got[:n])
					}
					if err != nil {
						break
					}
				}
				_ = nc.Close()
			}
		}()
	}
	wg.Wait()
	if n := foreign.Load(); n != 0 {
		t.Errorf("%d foreign bytes", n)
	}
}

func TestSendFile(t *testing.T) { // hazard 155
	settled(t)
	e := newEngine(t, strand.Options{})
	want := bytes.Repeat([]byte("a line of a file\n"), 1<<19)
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, want, 0o600); err != nil {
		t.Fatal(err)
	}
	results := make(chan error, 4)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			f, err := os.Open(name)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			_, _ = c.Write([]byte("head"))
			_, err = c.SendFile(context.Background(), f, int64(len(want)))
			results <- err
			_, err = c.SendFile(context.Background(), f, 10) // nothing is left of it
			results <- err
			_, _ = c.Write([]byte("tail"))
			_ = c.Close()
		}}
	})
	nc := dial(t, a)
	got, err := io.ReadAll(nc)
	if err != nil || string(got) != "head"+string(want)+"tail" {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := <-results; err != nil {
		t.Errorf("SendFile: %v", err)
	}
	if err := <-results; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("SendFile beyond the end: %v", err)
	}
	_ = nc.Close()
}

// TestIdleHoldsNothing: an idle connection holds no Block and no goroutine.
func TestIdleHoldsNothing(t *testing.T) { // hazard 63
	e := newEngine(t, strand.Options{})
	a := serve(t, e, func(*strand.Conn) strand.Handler { return &hooks{readable: echo} })
	roundTrip(t, dial(t, a), "first")
	routines := runtime.NumGoroutine()
	for range 300 {
		roundTrip(t, dial(t, a), "hello")
	}
	await(t, "no goroutine for 300 idle connections", func() bool { return runtime.NumGoroutine() <= routines+2 })
	// The last answer may be read before its Block is released.
	await(t, "no Block for 300 idle connections", func() bool { return e.Stats().BlocksInUse == 0 })
}
