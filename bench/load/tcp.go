package load

import "bytes"

// tcpCodec sends windows of the table and wants the same bytes back.
type tcpCodec struct {
	table *table
	size  int
}

func (t *tcpCodec) open(int32, uint32) error { return nil }

func (t *tcpCodec) message(c *conn) (head, body []byte) {
	return nil, t.table.plain[c.off : c.off+t.size]
}

func (t *tcpCodec) feed(c *conn, p []byte) (int, error) {
	if c.got+len(p) > t.size {
		return 0, &wrongByte{c.index, c.seq, t.size, "more bytes than were sent"}
	}
	from := c.off + c.got
	if !bytes.Equal(p, t.table.plain[from:from+len(p)]) {
		return 0, &wrongByte{c.index, c.seq, c.got, "not the byte that was sent"}
	}
	c.got += len(p)
	if c.got < t.size {
		return 0, nil
	}
	c.got = 0
	return 1, nil
}
