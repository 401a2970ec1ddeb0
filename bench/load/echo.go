package load

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// echo keeps one message in flight on every active connection until time is up.
func (c *client) echo() (Result, error) {
	c.clock = now()
	c.from = c.clock
	for i := range c.cfg.Active {
		cn := &c.conns[i]
		cn.off = offsetOf(cn.index, cn.seq)
		if err := c.send(cn); err != nil {
			return Result{}, err
		}
	}
	events := make([]unix.EpollEvent, batch)
	for {
		n, errno := rawEpollWait(c.epfd, events, waitMillis)
		if errno != 0 && errno != unix.EINTR {
			return Result{}, fmt.Errorf("epoll_wait: %w", errno)
		}
		if errno != 0 {
			n = 0
		}
		for i := range n {
			if err := c.serve(&c.conns[events[i].Fd], events[i].Events); err != nil {
				return Result{}, err
			}
		}
		over, err := c.tick(now())
		if err != nil {
			return Result{}, err
		}
		if over {
			return c.summary(c.hist.Count() * uint64(max(1, c.cfg.Pipeline))), nil
		}
	}
}

// serve handles one event of an echoing connection.
func (c *client) serve(cn *conn, ev uint32) error {
	if ev&unix.EPOLLOUT != 0 {
		if err := c.push(cn); err != nil {
			return err
		}
	}
	if ev&^unix.EPOLLOUT == 0 {
		return nil
	}
	whole, err := c.receive(cn)
	if err != nil || whole == 0 {
		return err
	}
	if whole > 1 || cn.want || int(cn.index) >= c.cfg.Active {
		return &wrongByte{cn.index, cn.seq, 0, "an answer to nothing that was sent"}
	}
	c.clock = now()
	c.moved = c.clock
	c.hist.Add(c.clock - cn.begun)
	cn.seq++
	cn.off = offsetOf(cn.index, cn.seq)
	return c.send(cn)
}
