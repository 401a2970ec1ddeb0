package sock

import (
	"encoding/binary"
	"net"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Dup returns a non-blocking close-on-exec duplicate of the descriptor behind
// c, which stays open. The caller owns the duplicate.
func Dup(c syscall.RawConn) (int, error) {
	nfd := -1
	var dupErr error
	err := c.Control(func(fd uintptr) {
		nfd, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3)
	})
	if err == nil {
		err = dupErr
	}
	if err != nil {
		return -1, os.NewSyscallError("dup", err)
	}
	if err := unix.SetNonblock(nfd, true); err != nil {
		_ = unix.Close(nfd)
		return -1, os.NewSyscallError("fcntl", err)
	}
	return nfd, nil
}

// NoDelay switches TCP_NODELAY on; on a socket that is not TCP it does
// nothing.
func (f *FD) NoDelay(on bool) error {
	v := 0
	if on {
		v = 1
	}
	return f.option(unix.IPPROTO_TCP, unix.TCP_NODELAY, v)
}

// KeepAlive switches TCP keep-alive probes on, idle and interval in seconds.
func (f *FD) KeepAlive(idle, interval int) error {
	if err := f.option(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1); err != nil {
		return err
	}
	if err := f.option(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, idle); err != nil {
		return err
	}
	return f.option(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, interval)
}

func (f *FD) option(level, name, value int) error {
	if f.sys != nil {
		return nil
	}
	if !f.use() {
		return ErrRetired
	}
	defer f.done()
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(f.num), level, name, value))
}

// Peer and Local return the socket's addresses as the kernel knows them now.
func (f *FD) Peer() (Addr, string, error) { return f.name(unix.SYS_GETPEERNAME) }

// Local returns the socket's own address.
func (f *FD) Local() (Addr, string, error) { return f.name(unix.SYS_GETSOCKNAME) }

func (f *FD) name(call uintptr) (Addr, string, error) {
	if f.sys != nil {
		return Addr{}, "", nil
	}
	if !f.use() {
		return Addr{}, "", ErrRetired
	}
	defer f.done()
	var sa unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	_, _, errno := syscall.RawSyscall(call, uintptr(f.num), uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return Addr{}, "", os.NewSyscallError("getsockname", errno)
	}
	if sa.Addr.Family == unix.AF_UNIX {
		return Addr{Kind: Unix}, unixName(&sa, size), nil
	}
	return fromRaw(&sa), "", nil
}

// unixName returns the path of a Unix socket's address; an abstract name
// begins with "@", as in package net.
func unixName(sa *unix.RawSockaddrAny, size uint32) string {
	u := (*unix.RawSockaddrUnix)(unsafe.Pointer(sa))
	n := int(size) - 2
	if n <= 0 {
		return ""
	}
	b := make([]byte, 0, n)
	for i, c := range u.Path[:n] {
		if i == 0 && c == 0 {
			c = '@'
		}
		if c == 0 {
			break
		}
		b = append(b, byte(c))
	}
	return string(b)
}

func fromRaw(sa *unix.RawSockaddrAny) Addr {
	switch sa.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		a := Addr{Kind: IPv4, Port: ntohs(in.Port)}
		copy(a.IP[:], in.Addr[:])
		return a
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
		return Addr{Kind: IPv6, Port: ntohs(in.Port), IP: in.Addr, Zone: in.Scope_id}
	case unix.AF_UNIX:
		return Addr{Kind: Unix}
	}
	return Addr{}
}

func ntohs(v uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], v)
	return binary.BigEndian.Uint16(b[:])
}

// Net returns a as a TCP or Unix address of package net; path names a Unix
// one. It returns nil for an empty Addr.
func (a Addr) Net(path string) net.Addr {
	switch a.Kind {
	case IPv4:
		return &net.TCPAddr{IP: net.IP(append([]byte(nil), a.IP[:4]...)), Port: int(a.Port)}
	case IPv6:
		return &net.TCPAddr{IP: net.IP(append([]byte(nil), a.IP[:]...)), Port: int(a.Port), Zone: zone(a.Zone)}
	case Unix:
		return &net.UnixAddr{Name: path, Net: "unix"}
	}
	return nil
}

func zone(index uint32) string {
	if index == 0 {
		return ""
	}
	if i, err := net.InterfaceByIndex(int(index)); err == nil {
		return i.Name
	}
	return strconv.Itoa(int(index))
}
