package load

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"

	"golang.org/x/sys/unix"
)

// ledger is what became of every message for the subscribers that stopped reading.
type ledger struct {
	c         *client
	head      []byte            // of every message on the wire
	seqs      map[uint64]uint32 // by the first eight bytes of a message, its number
	published uint32
	tail      []byteTail // by slow subscriber
}

// byteTail is what one slow subscriber has read.
type byteTail struct {
	held []byte // the beginning of a message
	next uint32 // the number behind the last message
	read uint64 // messages
}

// account lets the slow subscribers of a broadcast read what is left for them, and
// voids the measurement unless, for each of them, the messages read and the
// messages that the server says it dropped for it are all that were published.
// Whatever is read must be a published message, whole, right, in order and once;
// the last one must come. The subscribers that read must have lost nothing.
//
// The server answers a GET of Config.Drops with a JSON object of counts by the
// subscriber's port. A server that has no such path must not drop.
func (c *client) account(r Result) (Result, error) {
	pub := &c.conns[0]
	r.Published = uint64(pub.seq)
	if c.cfg.Slow == 0 || c.cfg.SlowReads {
		return r, nil
	}
	w := c.codec.(*wsCodec)
	l := &ledger{c: c, published: pub.seq, head: serverHeader(0x80|opBinary, c.cfg.Size),
		seqs: make(map[uint64]uint32, pub.seq), tail: make([]byteTail, c.cfg.Slow)}
	for seq := range pub.seq {
		key := binary.LittleEndian.Uint64(w.table.plain[offsetOf(0, seq):])
		if _, twice := l.seqs[key]; twice {
			return r, fmt.Errorf("load: two of %d messages begin alike; take another seed", pub.seq)
		}
		l.seqs[key] = seq
	}
	if err := l.drain(w.table); err != nil {
		return r, err
	}
	return r, l.settle(&r)
}

// drain reads until every slow subscriber has the last message.
func (l *ledger) drain(t *table) error {
	c := l.c
	first := c.cfg.Conns - c.cfg.Slow
	for i := first; i < c.cfg.Conns; i++ {
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if err := unix.EpollCtl(c.epfd, unix.EPOLL_CTL_ADD, int(c.conns[i].fd), &ev); err != nil {
			return err
		}
	}
	events := make([]unix.EpollEvent, batch)
	left := c.cfg.Slow
	for moved := now(); left > 0; {
		n, errno := rawEpollWait(c.epfd, events, waitMillis)
		if errno != 0 {
			n = 0
		}
		for i := range n {
			cn := &c.conns[events[i].Fd]
			at := int(cn.index) - first
			if at < 0 {
				if err := l.idle(cn); err != nil {
					return err
				}
				continue
			}
			got, errno := rawRead(cn.fd, c.buf)
			if errno == unix.EAGAIN || errno == unix.EINTR {
				continue
			}
			if errno != 0 || got == 0 {
				return &wrongByte{cn.index, l.tail[at].next, 0, "a slow subscriber was cut off"}
			}
			moved = now()
			last, err := l.feed(cn, &l.tail[at], t, c.buf[:got])
			if err != nil {
				return err
			}
			if last {
				left--
			}
		}
		if now()-moved > stallNanos {
			return &wrongByte{0, l.published, 0, fmt.Sprintf("%d slow subscribers never got the last message", left)}
		}
	}
	return nil
}

// idle takes what comes for a subscriber that has everything: pings may.
func (l *ledger) idle(cn *conn) error {
	whole, err := l.c.receive(cn)
	if err == nil && whole > 0 {
		err = &wrongByte{cn.index, cn.seq, 0, "more came after the end"}
	}
	return err
}

// feed takes what a slow subscriber read, and reports whether the last message is
// in it.
func (l *ledger) feed(cn *conn, s *byteTail, t *table, p []byte) (last bool, err error) {
	s.held = append(s.held, p...)
	for {
		if len(s.held) >= 2 && s.held[0] == 0x80|opPing {
			n := 2 + int(s.held[1])
			if len(s.held) < n {
				return last, nil
			}
			s.held = s.held[n:]
			continue
		}
		size := l.c.cfg.Size
		if len(s.held) < len(l.head)+size {
			return last, nil
		}
		msg := s.held[len(l.head) : len(l.head)+size]
		seq, known := l.seqs[binary.LittleEndian.Uint64(msg)]
		switch {
		case !bytes.HasPrefix(s.held, l.head):
			return false, &wrongByte{cn.index, s.next, 0, "not the header of a message"}
		case !known:
			return false, &wrongByte{cn.index, s.next, 0, "not a message that was published"}
		case seq < s.next:
			return false, &wrongByte{cn.index, seq, 0, "delivered twice, or late"}
		}
		from := offsetOf(0, seq)
		if !bytes.Equal(msg, t.plain[from:from+size]) {
			return false, &wrongByte{cn.index, seq, 0, "not the byte that was sent"}
		}
		s.held = s.held[len(l.head)+size:]
		s.next, s.read = seq+1, s.read+1
		last = s.next == l.published
	}
}

// settle compares what was read with what the server says it dropped.
func (l *ledger) settle(r *Result) error {
	c := l.c
	drops, err := c.dropped()
	if err != nil {
		return err
	}
	for i := range c.conns {
		cn := &c.conns[i]
		port, err := localPort(cn.fd)
		if err != nil {
			return err
		}
		lost := drops[port]
		if !c.isSlow(cn) {
			if lost > 0 {
				return &wrongByte{cn.index, l.published, 0, fmt.Sprintf("%d messages dropped for a subscriber that reads", lost)}
			}
			continue
		}
		read := l.tail[i-(c.cfg.Conns-c.cfg.Slow)].read
		if read+lost != uint64(l.published) {
			return &wrongByte{cn.index, l.published, 0, fmt.Sprintf("read %d messages, dropped %d", read, lost)}
		}
		r.SlowRead += read
		r.SlowDropped += lost
	}
	return nil
}

// dropped asks the server for its counts, by our port.
func (c *client) dropped() (map[int]uint64, error) {
	drops := map[int]uint64{}
	if c.cfg.Drops == "" {
		return drops, nil
	}
	resp, err := http.Get("http://" + c.cfg.Addr + c.cfg.Drops)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("load: %s: status %d", c.cfg.Drops, resp.StatusCode)
	}
	return drops, json.NewDecoder(resp.Body).Decode(&drops)
}

func localPort(fd int32) (int, error) {
	sa, err := unix.Getsockname(int(fd))
	if err != nil {
		return 0, err
	}
	in, ok := sa.(*unix.SockaddrInet4)
	if !ok {
		return 0, fmt.Errorf("load: address %T", sa)
	}
	return in.Port, nil
}

// serverHeader is the header of an unmasked frame of n payload bytes.
func serverHeader(first byte, n int) []byte {
	h := clientHeader(first, n)
	h = h[:len(h)-len(maskKey)]
	h[1] &^= 0x80
	return h
}
