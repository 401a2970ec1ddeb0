//go:build linux && !strand_std

package strand

import (
	"net"
	"os"
	"syscall"

	"github.com/d74363f0/strand/internal/sock"
)

// fdLink is a link over a descriptor.
type fdLink struct{ fd sock.FD }

func (l *fdLink) fdRead(p []byte) (int, error)        { return l.fd.Read(p) }
func (l *fdLink) writev(pieces [][]byte) (int, error) { return l.fd.Writev(pieces) }
func (l *fdLink) write(p []byte) (int, error)         { return l.fd.Write(p) }
func (l *fdLink) fdUnacked() int                      { return l.fd.Unacked() }
func (l *fdLink) fdShutdownWrite() error              { return l.fd.ShutdownWrite() }
func (l *fdLink) fdRetire()                           { l.fd.Retire() }
func (l *fdLink) fdRelease()                          { l.fd.Release() }
func (l *fdLink) fdReset()                            { l.fd.Reset() }

func (l *fdLink) fdWatch(lp *shard, token uint64) error {
	var err error
	if e := l.fd.Number(func(fd int) { err = lp.Watch(fd, token) }); e != nil {
		return e
	}
	return err
}

// fdUnwatch works on a retired descriptor: the owner's reference, which the
// loop holds until the end of the batch, keeps the number ours.
func (l *fdLink) fdUnwatch(lp *shard) { _ = lp.Unwatch(l.fd.Owned()) }

func (l *fdLink) fdLocal() net.Addr {
	a, path, err := l.fd.Local()
	if err != nil {
		return nil
	}
	return a.Net(path)
}

func (l *fdLink) fdRemote(peer sock.Addr) net.Addr {
	if peer.Kind == sock.None {
		return &net.TCPAddr{}
	}
	return peer.Net("")
}

// fdSendFile is sendfile(2): syscall.EAGAIN if the peer takes nothing now,
// errNoSendFile if the file or the link is not of a kind that it serves.
func (l *link) fdSendFile(f *os.File, n int) (int, error) {
	if l.std != nil {
		return 0, errNoSendFile
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, errNoSendFile
	}
	sent := 0
	var callErr error
	if raw.Control(func(src uintptr) { sent, callErr = l.fd.SendFile(int(src), n) }) != nil {
		return 0, errNoSendFile // the file is closed, which reading it will tell
	}
	err = callErr
	if sent == 0 && (err == syscall.EINVAL || err == syscall.ENOSYS || err == syscall.ESPIPE) {
		return 0, errNoSendFile
	}
	return sent, err
}

// setPeer notes the peer's address, before the connection is shared.
func (c *Conn) setPeer(a sock.Addr) {
	c.peer = peerAddr{a.IP, a.Port, a.Kind}
	if a.Zone != 0 {
		c.ex().addrs = &addrs{remote: a.Net("")}
	}
}

// rawOf returns the descriptor of a socket of package net, or nil.
func rawOf(nc net.Conn) syscall.RawConn {
	var sc syscall.Conn
	switch t := nc.(type) {
	case *net.TCPConn:
		sc = t
	case *net.UnixConn:
		if t.LocalAddr().Network() != "unix" { // a datagram has bounds that a stream has not
			return nil
		}
		sc = t
	default:
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// takeFD moves the socket of nc, if it is one of package net, to a descriptor
// of ours and closes nc.
func (c *Conn) takeFD(nc net.Conn) (bool, error) {
	if s, ok := nc.(sock.Simulated); ok {
		sys, fd, peer := s.Simulated()
		c.link.fd.Init(sys, fd)
		c.setPeer(peer)
		return true, nil
	}
	raw := rawOf(nc)
	if raw == nil {
		return false, nil
	}
	fd, err := sock.Dup(raw)
	if err != nil {
		return false, err
	}
	c.link.fd.Init(nil, fd)
	if peer, _, err := c.link.fd.Peer(); err == nil {
		c.setPeer(peer)
	}
	c.ex().addrs = &addrs{nc.LocalAddr(), nc.RemoteAddr()}
	_ = nc.Close() // the duplicate is ours whatever it says
	return true, nil
}
