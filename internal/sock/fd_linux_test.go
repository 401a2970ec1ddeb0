package sock

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// pair returns two ends of a stream, the first as an FD.
func pair(t testing.TB) (*FD, int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := new(FD)
	f.Init(nil, fds[0])
	t.Cleanup(func() { _ = unix.Close(fds[1]) })
	return f, fds[1]
}

func TestReadAndWrite(t *testing.T) {
	f, peer := pair(t)
	p := make([]byte, 10)
	if n, err := f.Read(p); n != 0 || err != syscall.EAGAIN {
		t.Errorf("Read of nothing: %d, %v", n, err)
	}
	if n, err := f.Write([]byte("hello")); n != 5 || err != nil {
		t.Errorf("Write: %d, %v", n, err)
	}
	for pieces := [][]byte{nil, []byte(", "), {}, []byte("world")}; len(pieces) > 0; {
		n, err := f.Writev(pieces) // a short write is right, and under -race usual
		if err != nil || n == 0 {
			t.Fatalf("Writev: %d, %v", n, err)
		}
		for len(pieces) > 0 && n >= len(pieces[0]) {
			n -= len(pieces[0])
			pieces = pieces[1:]
		}
		if n > 0 {
			pieces[0] = pieces[0][n:]
		}
	}
	all := make([]byte, 100)
	if n, err := unix.Read(peer, all); err != nil || string(all[:n]) != "hello, world" {
		t.Errorf("the peer reads %q, %v", all[:n], err)
	}
	if err := f.ShutdownWrite(); err != nil {
		t.Error(err)
	}
	if n, err := unix.Read(peer, all); n != 0 || err != nil {
		t.Errorf("behind the shutdown the peer reads %d bytes, %v", n, err)
	}
	if _, err := unix.Write(peer, []byte("ok")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Shutdown(peer, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Read(p); n != 2 || err != nil {
		t.Errorf("Read: %d, %v", n, err)
	}
	if n, err := f.Read(p); n != 0 || err != nil {
		t.Errorf("Read at the end: %d, %v", n, err)
	}
	f.Retire()
	f.Release()
}

// TestRetired wants every call refused after Retire, without a system call on
// the number, which somebody else may have by now.
func TestRetired(t *testing.T) { // hazards 143, 180
	f, _ := pair(t)
	if !f.Live() || !f.Retire() || f.Retire() || f.Live() {
		t.Fatal("Retire is not once")
	}
	f.Release()
	number := f.Owned()
	if err := unix.Dup3(int(os.Stdin.Fd()), number, unix.O_CLOEXEC); err != nil { // the number is in use again
		t.Fatal(err)
	}
	defer unix.Close(number)
	calls := map[string]func() error{
		"Read":          func() error { _, err := f.Read(make([]byte, 1)); return err },
		"Write":         func() error { _, err := f.Write([]byte("x")); return err },
		"Writev":        func() error { _, err := f.Writev([][]byte{{1}, {2}}); return err },
		"ShutdownWrite": f.ShutdownWrite,
		"SendFile":      func() error { _, err := f.SendFile(0, 1); return err },
		"SocketError":   f.SocketError,
		"Accept":        func() error { _, _, err := f.Accept(); return err },
		"NoDelay":       func() error { return f.NoDelay(true) },
		"KeepAlive":     func() error { return f.KeepAlive(1, 1) },
		"Peer":          func() error { _, _, err := f.Peer(); return err },
		"Local":         func() error { _, _, err := f.Local(); return err },
		"Number":        func() error { return f.Number(func(int) { t.Error("the number was lent") }) },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, ErrRetired) {
			t.Errorf("%s of a retired descriptor: %v", name, err)
		}
	}
	f.Reset()
	if _, err := unix.FcntlInt(uintptr(number), unix.F_GETFD, 0); err != nil {
		t.Errorf("the number's next owner lost it: %v", err)
	}
}

func TestZeroIsRetired(t *testing.T) {
	var f FD
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, ErrRetired) || f.Live() || f.Retire() {
		t.Errorf("the zero FD is live: %v", err)
	}
}

func TestReleaseTwice(t *testing.T) {
	f, _ := pair(t)
	f.Retire()
	f.Release()
	defer func() {
		if recover() == nil {
			t.Error("a reference was given back twice, and nobody panicked")
		}
	}()
	f.Release()
}

// fake counts the calls that reach a descriptor and complains of those that
// come after the close.
type fake struct {
	t      *testing.T
	in     atomic.Int32 // calls in flight
	closed atomic.Int32
	script []syscall.Errno // what reads and writes return first
	close  syscall.Errno
}

func (k *fake) call() syscall.Errno {
	k.in.Add(1)
	defer k.in.Add(-1)
	if k.closed.Load() > 0 {
		k.t.Error("a call on a closed descriptor")
	}
	if len(k.script) > 0 {
		errno := k.script[0]
		k.script = k.script[1:]
		return errno
	}
	return 0
}

func (k *fake) Read(fd, max int) ([]byte, syscall.Errno) { return []byte("x"), k.call() }

func (k *fake) Write(fd int, p string) (int, syscall.Errno) { return len(p), k.call() }
func (k *fake) Accept(int) (int, Addr, syscall.Errno)       { return 9, Addr{}, k.call() }
func (k *fake) Shutdown(int, int) syscall.Errno             { return k.call() }
func (k *fake) Unacked(int) int                             { k.call(); return 0 }
func (k *fake) Reset(int)                                   { k.call() }

func (k *fake) Close(int) syscall.Errno {
	if k.in.Load() > 0 {
		k.t.Error("close while a call is in flight")
	}
	if k.closed.Add(1) > 1 {
		k.t.Error("close was called twice")
	}
	return k.close
}

// TestCloseOnce closes from many goroutines while others read and write: there
// is one close, after the last call.
func TestCloseOnce(t *testing.T) { // hazards 144, 145
	for range 300 {
		k := &fake{t: t, close: syscall.EINTR}
		f := new(FD)
		f.Init(&System{k}, 9)
		var wg sync.WaitGroup
		for g := range 6 {
			wg.Go(func() {
				for {
					var err error
					if g%2 == 0 {
						_, err = f.Read(make([]byte, 8))
					} else {
						_, err = f.Write([]byte("x"))
					}
					if err != nil {
						if !errors.Is(err, ErrRetired) {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		var winners atomic.Int32
		for range 4 {
			wg.Go(func() {
				if f.Retire() {
					winners.Add(1)
					f.Release()
				}
			})
		}
		wg.Wait()
		if winners.Load() != 1 || k.closed.Load() != 1 {
			t.Fatalf("%d retired it, and it was closed %d times", winners.Load(), k.closed.Load())
		}
	}
}

func TestInterrupted(t *testing.T) { // hazard 134
	k := &fake{t: t}
	f := new(FD)
	f.Init(&System{k}, 9)
	again := []syscall.Errno{syscall.EINTR, syscall.EINTR}
	for name, call := range map[string]func() (int, error){
		"Read":   func() (int, error) { return f.Read(make([]byte, 1)) },
		"Write":  func() (int, error) { return f.Write([]byte("x")) },
		"Writev": func() (int, error) { return f.Writev([][]byte{{1}, {2}}) },
		"Accept": func() (int, error) { n, _, err := f.Accept(); return n, err },
	} {
		k.script = append([]syscall.Errno(nil), again...)
		if n, err := call(); n == 0 || err != nil {
			t.Errorf("%s, interrupted twice: %d, %v", name, n, err)
		}
	}
}

// TestNumberIsLent wants the descriptor open while somebody uses its number.
func TestNumberIsLent(t *testing.T) { // hazard 144
	k := &fake{t: t}
	f := new(FD)
	f.Init(&System{k}, 9)
	err := f.Number(func(fd int) {
		f.Retire()
		f.Release()
		if k.closed.Load() != 0 {
			t.Error("closed while the number is lent")
		}
	})
	if err != nil || k.closed.Load() != 1 {
		t.Errorf("%v, closed %d times", err, k.closed.Load())
	}
}

func TestManyPieces(t *testing.T) { // hazard 139
	f, peer := pair(t)
	var pieces [][]byte
	want := ""
	for i := range 3000 {
		s := fmt.Sprintf("%04d", i)
		pieces = append(pieces, []byte(s))
		want += s
	}
	got := make([]byte, 0, len(want))
	for len(pieces) > 0 {
		n, err := f.Writev(pieces)
		if err != nil {
			t.Fatal(err)
		}
		if n%4 != 0 {
			t.Fatalf("the test wants whole pieces, %d bytes were sent", n)
		}
		pieces = pieces[n/4:]
		p := make([]byte, n)
		k, err := unix.Read(peer, p)
		if err != nil || k != n {
			t.Fatalf("%d bytes of %d, %v", k, n, err)
		}
		got = append(got, p...)
	}
	if string(got) != want {
		t.Error("the pieces came in another order")
	}
	f.Retire()
	f.Release()
}
