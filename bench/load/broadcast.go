package load

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// subscribeTime is how long a server gets to subscribe the last connection.
const subscribeTime = 300 * time.Millisecond

// broadcast publishes from the first connection, waits until every subscriber
// that reads has the message and it is time, and publishes the next. An operation
// is one delivered message; its latency runs from the publication.
func (c *client) broadcast() (Result, error) {
	// The answer to a handshake does not say that the server has subscribed us yet.
	time.Sleep(subscribeTime)
	readers := c.cfg.Conns
	if !c.cfg.SlowReads {
		readers -= c.cfg.Slow
	}
	c.clock = now()
	c.from = c.clock
	if err := c.publish(); err != nil {
		return Result{}, err
	}
	left := readers
	events := make([]unix.EpollEvent, batch)
	for {
		n, errno := rawEpollWait(c.epfd, events, c.patience(left))
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
		over, err := c.paced(left)
		if err != nil {
			return Result{}, err
		}
		if over {
			c.endMessage()
			r := c.summary(c.hist.Count())
			r.MessageP99 = median(c.tails)
			return c.account(r)
		}
		if left == 0 && c.due() {
			if err := c.publish(); err != nil {
				return Result{}, err
			}
			left = readers
		}
	}
}

// paced is tick for broadcasts: warming begins behind the fill, and the end is
// between two messages if what the slow ones got is to be counted.
func (c *client) paced(left int) (over bool, err error) {
	t := now()
	if int(c.conns[0].seq) < c.cfg.Fill {
		c.from = t
		if c.moved > 0 && t-c.moved > stallNanos {
			err = errStalled
		}
		return false, err
	}
	over, err = c.tick(t)
	return over && (left == 0 || c.cfg.Slow == 0), err
}

// due reports whether the next message's time has come.
func (c *client) due() bool {
	return int(c.conns[0].seq) < c.cfg.Fill || now()-c.conns[0].begun >= int64(c.cfg.Pace)
}

// patience is how many milliseconds may be waited: a thread that has a message to
// publish soon does not sleep past it.
func (c *client) patience(left int) int {
	if left > 0 || c.cfg.Pace == 0 {
		return waitMillis
	}
	rest := time.Duration(c.conns[0].begun + int64(c.cfg.Pace) - now())
	return int(max(0, min(waitMillis, rest.Milliseconds())))
}

// publish sends the next message, the same for every subscriber.
func (c *client) publish() error {
	pub := &c.conns[0]
	c.endMessage()
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
	if !c.isSlow(cn) {
		c.hist.Add(c.moved - c.conns[0].begun)
		c.one.Add(c.moved - c.conns[0].begun)
	}
	return 1, nil
}

// endMessage notes the p99 of the message that everybody has now.
func (c *client) endMessage() {
	if c.counting && c.one.Count() > 0 {
		c.tails = append(c.tails, c.one.Quantile(0.99))
	}
	c.one.Reset()
}

func median(v []int64) int64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// isSlow reports whether cn is one of those that stop reading, or would.
func (c *client) isSlow(cn *conn) bool { return int(cn.index) >= c.cfg.Conns-c.cfg.Slow }
