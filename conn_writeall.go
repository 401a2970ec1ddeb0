package strand

import (
	"context"
	"syscall"
)

// WriteAll writes p and BLOCKS while the peer does not read, until all of p was
// accepted, ctx is done, or nothing can be written any more. Unlike Write it
// does not copy what waits, save for the last part of p, so it serves writes of
// any size. Another writer's bytes may come between the parts of p. It returns
// how many bytes were accepted; the event loop goes on meanwhile.
func (c *Conn) WriteAll(ctx context.Context, p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := c.writeSome(p[done:])
		done += n
		switch err {
		case nil:
		case syscall.EAGAIN:
			err = c.waitDrained(ctx)
		case ErrQueueFull:
			err = c.WaitWrite(ctx)
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// writeSome accepts what it can of p: all of it if it is little or the peer
// reads, EAGAIN if the peer must read first.
func (c *Conn) writeSome(p []byte) (int, error) {
	if len(p) <= writePiece || c.link.std != nil || c.tls.Load() != nil {
		return c.Write(p[:min(len(p), writePiece)])
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(0); err != nil && err != ErrQueueFull {
		if err == errTLSBegan {
			err = nil // the caller comes again
		}
		return 0, err
	}
	if !c.blocked && c.out.Len() > 0 {
		if c.out.Len() < writePiece && c.sendDirect(p[:writePiece], nil, "") {
			return writePiece, nil // a head and the beginning of its body in one call
		}
		c.flush()
	}
	if c.blocked || c.out.Len() > 0 {
		return 0, syscall.EAGAIN
	}
	n, err := c.link.write(p)
	if err == syscall.EAGAIN && c.state.Or(stFull)&stFull == 0 { // as in flush
		n, err = c.link.write(p)
	}
	if err == syscall.EAGAIN {
		c.stall()
		return 0, err
	}
	if err != nil {
		c.writeFailed(err, 0)
		return 0, c.opError("write", err)
	}
	c.clear(stFull | stLooked)
	c.sent(n)
	return n, nil
}
