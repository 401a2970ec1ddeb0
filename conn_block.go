package strand

import "github.com/d74363f0/strand/internal/buf"

// The protocols of this module give a connection the Blocks in which they built
// their output. They do it by buf.Send: a method of Conn for it would be exported,
// and no exported identifier reaches a Block (R2).
func init() {
	buf.Send = func(conn any, b *buf.Block) error { return conn.(*Conn).writeBlock(b) }
	buf.Certain = func(conn any) bool { return conn.(*Conn).link.certain() }
}

// writeBlock is Write for pooled memory that was taken for this connection, which
// the engine sends without a copy. The Block is the engine's when the error is nil, else still the caller's.
func (c *Conn) writeBlock(b *buf.Block) error {
	if b.Owner() != c.id { // asked here, too, for what is encrypted is copied first
		c.mu.Lock()
		defer c.mu.Unlock()
		c.violated(buf.ErrOwner)
		return ErrIsolation
	}
	if t := c.tls.Load(); t != nil {
		if _, err := t.send(b.Data(), nil, ""); err != nil {
			return err
		}
		b.Release()
		return nil
	}
	n := b.Len()
	c.mu.Lock()
	err := c.admit(n)
	if err == nil {
		if err = c.out.Give(c.id, b); err != nil {
			c.violated(err)
			err = ErrIsolation
		} else {
			c.settle(n)
		}
	}
	c.mu.Unlock()
	if err == errTLSBegan {
		return c.writeBlock(b)
	}
	return err
}
