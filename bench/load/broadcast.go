package load

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// subscribeTime is how long a server gets to subscribe the last connection.
const subscribeTime = 300 * time.Millisecond

// broadcast publishes from the first connection, waits until every subscriber
// that reads has the message, and publishes the next. An operation is one
// delivered message; its latency runs from the publication.
func (c *client) broadcast() (Result, error) {
	readers := c.cfg.Conns - c.cfg.Slow
	// The answer to a handshake does not say that the server has subscribed us yet.
	time.Sleep(subscribeTime)
	c.clock = now()
	c.from = c.clock
	if err := c.publish(); err != nil {
		return Result{}, err
	}
	left := readers
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
			got, err := c.deliver(&c.conns[events[i].Fd], events[i].Events)
			if err != nil {
				return Result{}, err
			}
			left -= got
		}
		if left == 0 {
			if err := c.publish(); err != nil {
				return Result{}, err
			}
			left = readers
		}
		over, err := c.tick(now())
		if err != nil {
			return Result{}, err
		}
		if over {
			r := c.summary(c.hist.Count())
			r.Cut = c.cut()
			return r, nil
		}
	}
}

// publish sends the next message, the same for every subscriber.
func (c *client) publish() error {
	pub := &c.conns[0]
	c.clock = now()
	for i := range c.conns {
		c.conns[i].off = offsetOf(0, pub.seq)
	}
	return c.send(pub)
}

// deliver handles one event of a subscriber.
func (c *client) deliver(cn *conn, ev uint32) (int, error) {
	if ev&unix.EPOLLOUT != 0 {
		if err := c.push(cn); err != nil {
			return 0, err
		}
	}
	if ev&^unix.EPOLLOUT == 0 {
		return 0, nil
	}
	whole, err := c.receive(cn)
	if err != nil || whole == 0 {
		return 0, err
	}
	if whole > 1 {
		return 0, &wrongByte{cn.index, cn.seq, 0, "delivered twice"}
	}
	cn.seq++
	c.moved = now()
	c.hist.Add(c.moved - c.conns[0].begun)
	return 1, nil
}

// cut counts the slow subscribers that the server has disconnected.
func (c *client) cut() int {
	n := 0
	for i := c.cfg.Conns - c.cfg.Slow; i < c.cfg.Conns; i++ {
		p := []unix.PollFd{{Fd: c.conns[i].fd, Events: unix.POLLRDHUP}}
		if _, err := unix.Poll(p, 0); err == nil && p[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0 {
			n++
		}
	}
	return n
}
