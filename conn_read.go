package strand

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/d74363f0/strand/internal/sock"
)

// Read fills p with input. It never blocks: ErrWouldBlock means that there is
// none now, io.EOF that the peer will send no more. One callback reads a
// bounded amount, so that other connections have their turn: ErrWouldBlock may
// come with input left, and OnReadable is then called again. A Read of no bytes
// makes no system call, and tells by nil that there may be input. Strand only.
func (c *Conn) Read(p []byte) (int, error) {
	if t := c.tls.Load(); t != nil {
		return t.read(p)
	}
	if c.unread {
		return c.readUnread(p)
	}
	if c.eof {
		return 0, c.readError()
	}
	if c.readDone {
		// Everything was taken; only news from the poller justifies a system call.
		if !c.is(stRead) || !c.clear(stRead|stAhead) {
			if !c.alive() {
				return 0, errClosed
			}
			return 0, ErrWouldBlock
		}
		c.readDone, c.news = false, true
	}
	if len(p) == 0 {
		if !c.alive() {
			return 0, errClosed
		}
		return 0, nil
	}
	if c.budget <= 0 {
		c.state.Or(stRead) // there may be more: OnReadable follows, whichever callback this is
		return 0, ErrWouldBlock
	}
	n, err := c.link.read(p)
	if n > 0 {
		// A short read took everything, unless the end may stand behind it, or it was one
		// of a Unix socket, which also ends behind descriptors that were passed.
		c.readDone = n < len(p) && n < sock.Piece && !c.is(stHup|stDead) && c.peer.kind != sock.Unix
		c.budget -= int32(n)
		c.came(n)
		return n, nil
	}
	return 0, c.readFailed(err)
}

// readFailed turns what a read returned without bytes into what Read returns.
func (c *Conn) readFailed(err error) error {
	if err == nil {
		err = io.EOF
	}
	if err == syscall.EAGAIN {
		c.readDone = true
		return ErrWouldBlock
	}
	if errors.Is(err, sock.ErrRetired) {
		return errClosed
	}
	c.eof = true
	if err != io.EOF {
		err = c.opError("read", err)
		c.reader().err = err
	}
	return err
}

func (c *Conn) readUnread(p []byte) (int, error) {
	if !c.alive() {
		return 0, errClosed
	}
	r := c.reader()
	n := copy(p, r.unread)
	if r.unread = r.unread[n:]; len(r.unread) == 0 {
		r.unread, c.unread = nil, false
	}
	return n, nil
}

// readError returns the error that ended the input.
func (c *Conn) readError() error {
	if !c.alive() {
		return errClosed
	}
	if r := c.rare.Load(); r != nil && r.reader != nil && r.reader.err != nil {
		return r.reader.err
	}
	return io.EOF
}

// Unread gives input back: Read returns a copy of p before anything else, and
// the connection is readable. Strand only.
func (c *Conn) Unread(p []byte) {
	if len(p) == 0 {
		return
	}
	r := c.reader()
	r.unread = append(append(make([]byte, 0, len(p)+len(r.unread)), p...), r.unread...)
	c.unread = true
	c.state.Or(stRead)
}

// WaitRead blocks until Read would return something other than ErrWouldBlock,
// and returns nil; or until ctx is done, or the read deadline has passed, and
// returns the context's error or ErrReadTimeout. The event loop goes on
// meanwhile. Strand only.
func (c *Conn) WaitRead(ctx context.Context) error {
	c.budget = readBudget
	var done <-chan struct{}
	if c.mustPark() {
		// Asked for only now: a lazy context makes its channel on demand.
		done = ctx.Done()
	}
	if !c.waitRead(done) {
		return ctx.Err()
	}
	if c.clear(stReadT) && c.stillDue(stReadT) {
		return ErrReadTimeout
	}
	return nil
}

// mustPark reports whether a reader that found nothing has nothing to go by.
func (c *Conn) mustPark() bool {
	if c.tlsNotReady() != nil {
		return true
	}
	return !c.unread && !c.eof && c.readDone && !c.is(stRead|stReadT|stGone)
}

// waitRead parks until there is news for the reader, or done is closed; it
// then returns false.
func (c *Conn) waitRead(done <-chan struct{}) bool {
	if t := c.tlsNotReady(); t != nil {
		return t.waitReady(done)
	}
	if !c.mustPark() {
		return true
	}
	c.handOff()
	r := c.ex()
	select { // a wake-up that an earlier reader did not wait for
	case <-r.parked:
	default:
	}
	if !c.park(stRead | stReadT | stGone) {
		return true
	}
	if c.is(stOwned) && !c.opened() && c.clear(stParked) {
		return true // netConn.Close came before we parked
	}
	select {
	case <-r.parked:
		c.lp.Resumed(c.id, "reader")
		return true
	case <-done:
		c.lp.Resumed(c.id, "reader, done")
		c.clear(stParked)
		return false
	}
}

// unpark wakes the parked reader; whoever cleared stParked calls it.
func (c *Conn) unpark() {
	if t := c.tls.Load(); t != nil && t.unpark() {
		return
	}
	select {
	case c.ex().parked <- struct{}{}:
	default:
	}
}

// handOff lets the loop go on without this connection's callback, which is
// about to block.
func (c *Conn) handOff() {
	if c.lp.HandOff(c.id) {
		c.uncork()
	}
}

// PauseRead stops OnReadable from being called until ResumeRead: the peer is
// held back by TCP. A peer that hangs up altogether is reported all the same, by
// one OnReadable.
func (c *Conn) PauseRead() { c.state.Or(stPaused) }

// ResumeRead undoes PauseRead.
func (c *Conn) ResumeRead() {
	c.clear(stPaused)
	c.signal(stRead) // what was left unread is not marked while reading is paused
}

// opError says which connection an error of a system call concerns.
func (c *Conn) opError(op string, err error) error {
	if errno, ok := err.(syscall.Errno); ok {
		err = os.NewSyscallError(op, errno)
	}
	return &net.OpError{Op: op, Net: c.link.network(c.peer.kind), Addr: c.RemoteAddr(), Err: err}
}
