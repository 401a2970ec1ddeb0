//go:build !linux || strand_std

package strand

import (
	"net"
	"os"
	"syscall"

	"github.com/d74363f0/strand/internal/sock"
)

// fdLink is empty where connections have no descriptors of ours: every link is
// over a net.Conn.
type fdLink struct{}

func (*fdLink) fdRead([]byte) (int, error)          { return 0, sock.ErrRetired }
func (*fdLink) writev([][]byte) (int, error)        { return 0, syscall.EAGAIN }
func (*fdLink) write([]byte) (int, error)           { return 0, syscall.EAGAIN }
func (*fdLink) fdUnacked() int                      { return 0 }
func (*fdLink) fdShutdownWrite() error              { return sock.ErrRetired }
func (*fdLink) fdRetire()                           {}
func (*fdLink) fdRelease()                          {}
func (*fdLink) fdReset()                            {}
func (*fdLink) fdWatch(*shard, uint64) error        { return nil }
func (*fdLink) fdUnwatch(*shard)                    {}
func (*fdLink) fdLocal() net.Addr                   { return nil }
func (*fdLink) fdRemote(sock.Addr) net.Addr         { return nil }
func (*link) fdSendFile(*os.File, int) (int, error) { return 0, errNoSendFile }
func (*Conn) takeFD(net.Conn) (bool, error)         { return false, nil }
