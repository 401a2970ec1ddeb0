package load

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"runtime/debug"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batch      = 512
	readBuffer = 256 << 10
	smallWrite = 4 << 10
	stallNanos = int64(10 * time.Second)
	waitMillis = 50
)

// errStalled says that no answer came for too long.
var errStalled = errors.New("load: no answer for 10 seconds")

// client is one measurement under way.
type client struct {
	cfg   Config
	codec codec
	conns []conn
	epfd  int
	hist  Hist
	one   Hist    // of a broadcast: the message under way
	tails []int64 // of a broadcast: the p99 of each message counted
	buf   []byte
	small []byte
	clock int64 // read once an answer, used for its end and the next one's begin
	moved int64 // when the last answer came

	counting  bool
	from      int64
	serverCPU time.Duration
	ownCPU    time.Duration
}

// Run opens the connections of cfg, measures, and closes them. The measurement
// runs on the calling thread, and the process's collector is off for its length.
func Run(cfg Config) (Result, error) {
	addr, err := cfg.check()
	if err != nil {
		return Result{}, err
	}
	cd, err := cfg.codec()
	if err != nil {
		return Result{}, err
	}
	c := &client{cfg: cfg, codec: cd, buf: make([]byte, readBuffer), small: make([]byte, 0, smallWrite)}
	defer c.close()
	if err := c.openAll(addr); err != nil {
		return Result{}, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	if cfg.Proto == "ws-broadcast" {
		return c.result(c.broadcast())
	}
	return c.result(c.echo())
}

// result turns a wrong byte into a void result and passes other errors on.
func (c *client) result(r Result, err error) (Result, error) {
	var wrong *wrongByte
	if errors.As(err, &wrong) {
		return Result{Wrong: wrong.Error()}, nil
	}
	return r, err
}

func (c *client) close() {
	for i := range c.conns {
		unix.Close(int(c.conns[i].fd))
	}
	if c.epfd > 0 {
		unix.Close(c.epfd)
	}
}

func (c *client) openAll(addr netip.AddrPort) error {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	c.epfd = epfd
	c.conns = make([]conn, 0, c.cfg.Conns)
	for i := range c.cfg.Conns {
		// The first connection of a broadcast publishes; the last ones are slow.
		slow := i >= c.cfg.Conns-c.cfg.Slow
		fd, err := connect(addr, socketOptions{tiny: slow})
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		c.conns = append(c.conns, conn{fd: fd, index: uint32(i)})
		if err := c.codec.open(fd, uint32(i)); err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		if err := unix.SetNonblock(int(fd), true); err != nil {
			return err
		}
		if slow && !c.cfg.SlowReads {
			continue
		}
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, int(fd), &ev); err != nil {
			return err
		}
	}
	return nil
}

// send begins the message of cn, at the time c.clock.
func (c *client) send(cn *conn) error {
	cn.sent = 0
	cn.begun = c.clock
	return c.push(cn)
}

// push gives the kernel what is left of cn's message.
func (c *client) push(cn *conn) error {
	head, body := c.codec.message(cn)
	total := len(head) + len(body)
	for cn.sent < total {
		n, errno := c.write(cn, head, body)
		switch errno {
		case 0:
			cn.sent += n
		case unix.EINTR:
		case unix.EAGAIN:
			return c.wantWrite(cn, true)
		default:
			return fmt.Errorf("connection %d: write: %w", cn.index, errno)
		}
	}
	return c.wantWrite(cn, false)
}

func (c *client) write(cn *conn, head, body []byte) (int, unix.Errno) {
	if cn.sent >= len(head) {
		return rawWrite(cn.fd, body[cn.sent-len(head):])
	}
	head = head[cn.sent:]
	if len(head)+len(body) <= smallWrite {
		c.small = append(append(c.small[:0], head...), body...)
		return rawWrite(cn.fd, c.small)
	}
	iov := [2]unix.Iovec{
		{Base: unsafe.SliceData(head), Len: uint64(len(head))},
		{Base: unsafe.SliceData(body), Len: uint64(len(body))},
	}
	return rawWritev(cn.fd, &iov)
}

func (c *client) wantWrite(cn *conn, want bool) error {
	if cn.want == want {
		return nil
	}
	cn.want = want
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(cn.index)}
	if want {
		ev.Events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(c.epfd, unix.EPOLL_CTL_MOD, int(cn.fd), &ev)
}

// receive reads once and says how many answers that completed.
func (c *client) receive(cn *conn) (int, error) {
	n, errno := rawRead(cn.fd, c.buf)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return 0, nil
	case errno != 0:
		return 0, fmt.Errorf("connection %d: read: %w", cn.index, errno)
	case n == 0:
		return 0, fmt.Errorf("connection %d: closed by the server", cn.index)
	}
	return c.codec.feed(cn, c.buf[:n])
}
