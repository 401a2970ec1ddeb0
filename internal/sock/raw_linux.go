package sock

import (
	"runtime/debug"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/d74363f0/strand/internal/check"
)

// MaxPieces is the number of buffers one Writev sends at the most, far below
// the kernel's IOV_MAX of 1024.
const MaxPieces = 64

// racing says that the race detector is on. It then matters that our calls are
// the ones of package syscall, whose Read and Write tell the detector that the
// writer's past happened before the reader's future: users' tests rely on it
// when they talk to their own server.
var racing = func() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" && s.Value == "true" {
			return true
		}
	}
	return false
}()

// Read reads into p. It never blocks: syscall.EAGAIN means that there is
// nothing. n is 0 with a nil error at the end of the stream. p does not escape.
func (f *FD) Read(p []byte) (int, error) {
	if len(p) > Piece {
		p = p[:Piece]
	}
	if !f.use() {
		return 0, ErrRetired
	}
	n, errno := f.read(p)
	f.done()
	mustBeMemory(errno)
	if errno != 0 {
		return 0, errno
	}
	return n, nil
}

func (f *FD) read(p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, syscall.EAGAIN
	}
	for {
		n, errno := f.read1(p)
		if errno != syscall.EINTR {
			return n, errno
		}
	}
}

func (f *FD) read1(p []byte) (int, syscall.Errno) {
	if f.sys != nil {
		data, errno := f.sys.Kernel.Read(int(f.num), len(p))
		return copy(p, data), errno
	}
	if racing {
		n, err := syscall.Read(int(f.num), p)
		return max(n, 0), toErrno(err)
	}
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(f.num), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// Write writes p, or as much of it as the kernel takes now. It never blocks:
// syscall.EAGAIN means that it took nothing. p does not escape.
func (f *FD) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if !f.use() {
		return 0, ErrRetired
	}
	n, errno := f.write(p)
	f.done()
	mustBeMemory(errno)
	if errno != 0 {
		return 0, errno
	}
	return n, nil
}

func (f *FD) write(p []byte) (int, syscall.Errno) {
	for {
		n, errno := f.write1(p)
		if errno != syscall.EINTR {
			return n, errno
		}
	}
}

func (f *FD) write1(p []byte) (int, syscall.Errno) {
	if f.sys != nil {
		return f.sys.Kernel.Write(int(f.num), string(p))
	}
	if racing || len(p) > Piece { // a call that takes its time: the scheduler is told
		n, err := syscall.Write(int(f.num), p)
		return max(n, 0), toErrno(err)
	}
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(f.num), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// Unacked returns how many bytes of what was written the peer has not acknowledged
// (SIOCOUTQ of tcp(7)), or not read if it is a Unix socket, where the kernel's own
// structures count, too. It returns 0 if the kernel does not say.
func (f *FD) Unacked() int {
	if !f.use() {
		return 0
	}
	defer f.done()
	if f.sys != nil {
		return f.sys.Kernel.Unacked(int(f.num))
	}
	var n int32
	if _, _, errno := syscall.RawSyscall(syscall.SYS_IOCTL, uintptr(f.num), unix.SIOCOUTQ, uintptr(unsafe.Pointer(&n))); errno != 0 {
		return 0
	}
	return int(n)
}

// Writev writes the pieces in order, or as much as the kernel takes now, of at
// most MaxPieces pieces.
func (f *FD) Writev(pieces [][]byte) (int, error) {
	if len(pieces) == 1 {
		return f.Write(pieces[0])
	}
	if !f.use() {
		return 0, ErrRetired
	}
	n, errno := f.writev(pieces)
	f.done()
	mustBeMemory(errno)
	if errno != 0 {
		return 0, errno
	}
	return n, nil
}

func (f *FD) writev(pieces [][]byte) (int, syscall.Errno) {
	var iov [MaxPieces]unix.Iovec
	n, total := 0, 0
	for _, p := range pieces {
		if len(p) == 0 {
			continue
		}
		if n == len(iov) {
			break
		}
		iov[n].Base = unsafe.SliceData(p)
		iov[n].SetLen(len(p))
		n++
		total += len(p)
	}
	if n == 0 {
		return 0, 0
	}
	if f.sys != nil || racing || n == 1 {
		// One write at a time means the same to the peer; the vector is only speed.
		return f.write(unsafe.Slice(iov[0].Base, int(iov[0].Len)))
	}
	for {
		var sent uintptr
		var errno syscall.Errno
		if total > Piece {
			sent, _, errno = syscall.Syscall(syscall.SYS_WRITEV, uintptr(f.num), uintptr(unsafe.Pointer(&iov[0])), uintptr(n))
		} else {
			sent, _, errno = syscall.RawSyscall(syscall.SYS_WRITEV, uintptr(f.num), uintptr(unsafe.Pointer(&iov[0])), uintptr(n))
		}
		if errno == 0 {
			return int(sent), 0
		}
		if errno != syscall.EINTR {
			return 0, errno
		}
	}
}

// ShutdownWrite sends the peer the end of our stream.
func (f *FD) ShutdownWrite() error {
	if !f.use() {
		return ErrRetired
	}
	defer f.done()
	if f.sys != nil {
		if errno := f.sys.Kernel.Shutdown(int(f.num), syscall.SHUT_WR); errno != 0 {
			return errno
		}
		return nil
	}
	return syscall.Shutdown(int(f.num), syscall.SHUT_WR)
}

// SendFile sends up to n bytes of the open file src from its current offset.
// It never blocks on the socket: syscall.EAGAIN means that it took nothing; 0
// with a nil error means that the file ended.
func (f *FD) SendFile(src, n int) (int, error) {
	if !f.use() {
		return 0, ErrRetired
	}
	defer f.done()
	for {
		// sendfile may wait for the disk, so the scheduler is told (unlike Read).
		sent, err := syscall.Sendfile(int(f.num), src, nil, min(n, 4<<20))
		if err == syscall.EINTR {
			continue
		}
		return max(sent, 0), err
	}
}

// SocketError returns and clears the pending error of the socket.
func (f *FD) SocketError() error {
	if !f.use() {
		return ErrRetired
	}
	defer f.done()
	if f.sys != nil {
		return nil
	}
	e, err := unix.GetsockoptInt(int(f.num), unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	if e != 0 {
		return syscall.Errno(e)
	}
	return nil
}

// Reset makes the close that follows send RST in place of FIN.
func (f *FD) Reset() {
	if !f.use() {
		return
	}
	defer f.done()
	if f.sys != nil {
		f.sys.Kernel.Reset(int(f.num))
		return
	}
	_ = unix.SetsockoptLinger(int(f.num), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// Accept takes one connection from a listening descriptor: a non-blocking
// close-on-exec descriptor that the caller owns, and the peer's address.
func (f *FD) Accept() (int, Addr, error) {
	if !f.use() {
		return -1, Addr{}, ErrRetired
	}
	defer f.done()
	for {
		nfd, peer, errno := f.accept1()
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return -1, Addr{}, errno
		}
		return nfd, peer, nil
	}
}

func (f *FD) accept1() (int, Addr, syscall.Errno) {
	if f.sys != nil {
		return f.sys.Kernel.Accept(int(f.num))
	}
	var sa unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	nfd, _, errno := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(f.num), uintptr(unsafe.Pointer(&sa)),
		uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, Addr{}, errno
	}
	return int(nfd), fromRaw(&sa), 0
}

// mustBeMemory is the debug build's assertion that the kernel was not given
// memory of a released Block, which is out of reach there.
func mustBeMemory(errno syscall.Errno) {
	if check.Enabled && errno == syscall.EFAULT {
		panic("sock: EFAULT: a system call on memory that was released")
	}
}

func toErrno(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	if e, ok := err.(syscall.Errno); ok {
		return e
	}
	return syscall.EIO
}
