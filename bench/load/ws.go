package load

import "bytes"

// wsCodec sends binary messages that are windows of the masked table and wants
// the same bytes back, in whatever fragments the server likes.
type wsCodec struct {
	table *table
	size  int
	head  []byte
}

func newWSCodec(t *table, size int) *wsCodec {
	return &wsCodec{table: t, size: size, head: clientHeader(0x80|opBinary, size)}
}

func (w *wsCodec) open(fd int32, _ uint32) error { return upgrade(fd, false) }

func (w *wsCodec) message(c *conn) (head, body []byte) {
	return w.head, w.table.masked[c.off : c.off+w.size]
}

func (w *wsCodec) feed(c *conn, p []byte) (int, error) {
	whole := 0
	for len(p) > 0 || c.frame.complete() {
		if !c.frame.inside {
			rest, err := c.frame.header(p)
			if err != nil {
				return whole, err
			}
			p = rest
			if !c.frame.inside {
				break
			}
		}
		n := min(len(p), c.frame.left)
		if c.frame.data() {
			if err := w.check(c, p[:n]); err != nil {
				return whole, err
			}
		}
		c.frame.left -= n
		p = p[n:]
		if c.frame.left > 0 || !c.frame.end() {
			continue
		}
		if c.got != w.size {
			return whole, &wrongByte{c.index, c.seq, c.got, "message too short"}
		}
		c.got = 0
		whole++
	}
	return whole, nil
}

func (w *wsCodec) check(c *conn, p []byte) error {
	if c.frame.rsv1 {
		return &wrongByte{c.index, c.seq, c.got, "compressed without being asked"}
	}
	if c.got+len(p) > w.size {
		return &wrongByte{c.index, c.seq, w.size, "message too long"}
	}
	from := c.off + c.got
	if !bytes.Equal(p, w.table.plain[from:from+len(p)]) {
		return &wrongByte{c.index, c.seq, c.got, "not the byte that was sent"}
	}
	c.got += len(p)
	return nil
}
