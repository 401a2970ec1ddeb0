package strand

import (
	"net"

	"github.com/d74363f0/strand/internal/sock"
)

// link carries a connection's bytes: a descriptor on the loop's poller, or any
// net.Conn that goroutines of the link read and write. The logic above it is
// one.
type link struct {
	fdLink
	std *stdLink // nil for a descriptor
}

// read fills p with what is there: syscall.EAGAIN if nothing, 0 and nil (or
// io.EOF) at the end.
func (l *link) read(p []byte) (int, error) {
	if l.std != nil {
		return l.std.read(p)
	}
	return l.fdRead(p)
}

// unacked returns how many of the bytes that went out the peer has not acknowledged; 0 if
// nobody says.
func (l *link) unacked() int {
	if l.std != nil {
		return 0
	}
	return l.fdUnacked()
}

func (l *link) shutdownWrite() error {
	if l.std != nil {
		return l.std.shutdownWrite()
	}
	return l.fdShutdownWrite()
}

// retire refuses new calls; release, after the batch, closes.
func (l *link) retire() {
	if l.std != nil {
		l.std.retire()
		return
	}
	l.fdRetire()
}

func (l *link) release() {
	if l.std == nil {
		l.fdRelease()
	}
}

// reset makes the close to come a reset.
func (l *link) reset() {
	if l.std == nil {
		l.fdReset()
		return
	}
	if t, ok := l.std.nc.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
}

// certain reports whether a close behind a read that has found nothing is as good as it can be. For a
// descriptor it will be no reset. Over a net.Conn input may wait below it, so that it is better to end our
// output first and read on, but for one that cannot say to its peer that no more will come.
func (l *link) certain() bool {
	if l.std == nil {
		return true
	}
	_, ok := l.std.nc.(interface{ CloseWrite() error })
	return !ok
}

// watch has the loop report the descriptor under token.
func (l *link) watch(lp *shard, token uint64) error {
	if l.std != nil {
		return nil
	}
	return l.fdWatch(lp, token)
}

func (l *link) unwatch(lp *shard) {
	if l.std == nil {
		l.fdUnwatch(lp)
	}
}

func (l *link) local() net.Addr {
	if l.std != nil {
		return l.std.nc.LocalAddr()
	}
	return l.fdLocal()
}

func (l *link) remote(peer sock.Addr) net.Addr {
	if l.std != nil {
		return l.std.nc.RemoteAddr()
	}
	return l.fdRemote(peer)
}

func (l *link) network(peer sock.Family) string {
	if l.std != nil {
		if a := l.std.nc.RemoteAddr(); a != nil {
			return a.Network()
		}
	}
	if peer == sock.Unix {
		return "unix"
	}
	return "tcp"
}
