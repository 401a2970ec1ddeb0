package sock

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// duplicate returns an FD of its own for a socket of package net.
func duplicate(t *testing.T, c syscall.Conn) *FD {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	n, err := Dup(raw)
	if err != nil {
		t.Fatal(err)
	}
	f := new(FD)
	f.Init(nil, n)
	t.Cleanup(func() {
		f.Retire()
		f.Release()
	})
	return f
}

// TestNamesAsPackageNet: addresses are what package net says of the same socket.
func TestNamesAsPackageNet(t *testing.T) { // hazard 153
	for _, at := range []struct{ network, addr string }{
		{"tcp", "127.0.0.1:0"},
		{"tcp", "[::1]:0"},
		{"unix", filepath.Join(t.TempDir(), "socket")},
		{"unix", "@" + strings.ReplaceAll(t.TempDir(), "/", "-")},
	} {
		t.Run(at.network+" "+at.addr, func(t *testing.T) {
			l, err := net.Listen(at.network, at.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			c, err := net.Dial(at.network, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			f := duplicate(t, c.(syscall.Conn))
			peer, path, err := f.Peer()
			if err != nil || peer.Net(path).String() != c.RemoteAddr().String() {
				t.Errorf("the peer is %v, %v; package net says %v", peer.Net(path), err, c.RemoteAddr())
			}
			local, path, err := f.Local()
			want := c.LocalAddr().String()
			if want == "@" { // what package net calls a socket without a name
				want = ""
			}
			if err != nil || local.Net(path).String() != want {
				t.Errorf("the address is %q, %v; package net says %q", local.Net(path), err, want)
			}
		})
	}
}

func TestZones(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	a := Addr{Kind: IPv6, Port: 7, Zone: uint32(lo.Index)}
	if got := a.Net("").String(); got != "[::%lo]:7" {
		t.Errorf("%s", got)
	}
	a.Zone = 1 << 30 // an interface that has gone
	if got := a.Net("").String(); got != "[::%1073741824]:7" {
		t.Errorf("%s", got)
	}
	if got := (Addr{}).Net(""); got != nil {
		t.Errorf("no address is %v", got)
	}
}

// TestSocketError: the error that waits on a socket is reported once.
func TestSocketError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	_ = l.Close()
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := new(FD)
	f.Init(nil, s)
	if err := unix.Connect(s, &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte{127, 0, 0, 1}}); err != unix.EINPROGRESS && err != unix.ECONNREFUSED {
		t.Fatal(err)
	} else if err == unix.EINPROGRESS {
		fds := []unix.PollFd{{Fd: int32(s), Events: unix.POLLOUT}}
		if _, err := unix.Poll(fds, 10_000); err != nil {
			t.Fatal(err)
		}
		if err := f.SocketError(); err != syscall.ECONNREFUSED {
			t.Errorf("a refused connection: %v", err)
		}
	}
	if err := f.SocketError(); err != nil {
		t.Errorf("asked again: %v", err)
	}
	f.Retire()
	f.Release()
	for what, err := range map[string]error{
		"SocketError": f.SocketError(),
		"KeepAlive":   f.KeepAlive(1, 1),
		"NoDelay":     f.NoDelay(true),
	} {
		if !errors.Is(err, ErrRetired) {
			t.Errorf("%s of a retired descriptor: %v", what, err)
		}
	}
	if _, _, err := f.Peer(); !errors.Is(err, ErrRetired) {
		t.Errorf("Peer of a retired descriptor: %v", err)
	}
}

// TestOptionsThatTheKernelRefuses have the errors say which call it was.
func TestOptionsThatTheKernelRefuses(t *testing.T) {
	f, _ := pair(t)
	defer func() {
		f.Retire()
		f.Release()
	}()
	if err := f.KeepAlive(-1, 1); err == nil || !strings.Contains(err.Error(), "setsockopt") {
		t.Errorf("KeepAlive of a Unix socket: %v", err)
	}
	if _, _, err := f.Peer(); err != nil {
		t.Errorf("a pair has a peer without a name: %v", err)
	}
	var closed FD
	n, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	closed.Init(nil, n)
	defer func() {
		closed.Retire()
		closed.Release()
	}()
	if _, _, err := closed.Peer(); !errors.Is(err, unix.ENOTCONN) {
		t.Errorf("the peer of a socket that is not connected: %v", err)
	}
}
