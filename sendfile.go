package strand

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
)

// errNoSendFile means that the bytes must be copied.
var errNoSendFile = errors.New("strand: sendfile does not serve this file or connection")

// SendFile sends n bytes of f from its offset, after what is queued, and
// returns how many were accepted. It blocks while the peer does not read; the
// event loop goes on meanwhile. io.ErrUnexpectedEOF means that the file ended
// first.
func (c *Conn) SendFile(ctx context.Context, f *os.File, n int64) (int64, error) {
	var done int64
	for done < n {
		k, err := c.sendFileOnce(f, n-done)
		done += int64(k)
		switch {
		case err == syscall.EAGAIN:
			err = c.waitDrained(ctx)
		case err == errNoSendFile:
			k, err := c.copyFile(ctx, f, n-done)
			return done + k, err
		case err == nil && k == 0:
			return done, io.ErrUnexpectedEOF
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// sendFileOnce sends what the peer takes now; EAGAIN if other output goes
// first or the peer takes nothing.
func (c *Conn) sendFileOnce(f *os.File, n int64) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != open || c.fin != finNone {
		return 0, errClosed
	}
	if c.link.std != nil || c.tls.Load() != nil {
		return 0, errNoSendFile
	}
	if !c.blocked {
		c.flush()
	}
	if r := c.rare.Load(); r != nil {
		if err := r.writeError(); err != nil {
			return 0, err
		}
	}
	if c.blocked || c.out.Len() > 0 { // blocked ends with an event: an attempt meanwhile would make nobody look for it
		return 0, syscall.EAGAIN
	}
	k, err := c.link.fdSendFile(f, int(min(n, 1<<30)))
	if err == syscall.EAGAIN && c.state.Or(stFull)&stFull == 0 { // as in flush
		k, err = c.link.fdSendFile(f, int(min(n, 1<<30)))
	}
	c.sent(k)
	if err == syscall.EAGAIN {
		c.stall()
		return 0, err
	}
	c.clear(stFull | stLooked)
	if k == 0 && ofTheFile(err) {
		err = errNoSendFile
	}
	if err != nil && err != errNoSendFile {
		c.writeFailed(err, 0)
		err = c.opError("sendfile", err)
	}
	return k, err
}

// ofTheFile reports whether an error of sendfile(2) may be the file's, not the
// connection's: copying tells, and leaves the connection as it is if so.
func ofTheFile(err error) bool {
	switch err {
	case syscall.EBADF, syscall.EINVAL, syscall.EIO, syscall.EISDIR, syscall.ESPIPE, syscall.EOVERFLOW, syscall.EACCES, syscall.EPERM:
		return true
	}
	return false
}

// waitDrained waits until the kernel takes output again.
func (c *Conn) waitDrained(ctx context.Context) error {
	r := c.ex()
	c.mu.Lock()
	if !c.blocked || c.phase != open || c.fin != finNone {
		c.mu.Unlock()
		return nil
	}
	if c.writeLate() {
		c.mu.Unlock()
		return ErrWriteTimeout
	}
	r.mu.Lock()
	if r.drain == nil {
		r.drain = make(chan struct{})
	}
	wait := r.drain
	r.mu.Unlock()
	c.mu.Unlock()
	c.handOff()
	select {
	case <-wait:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// copyFile is SendFile through memory.
func (c *Conn) copyFile(ctx context.Context, f *os.File, n int64) (int64, error) {
	var done int64
	p := make([]byte, min(n, writePiece))
	for done < n {
		k, err := f.Read(p[:min(n-done, int64(len(p)))])
		if k == 0 {
			if err == io.EOF || err == nil {
				err = io.ErrUnexpectedEOF
			}
			return done, err
		}
		for {
			if _, err = c.Write(p[:k]); err != ErrQueueFull {
				break
			}
			if err = c.WaitWrite(ctx); err != nil {
				break
			}
		}
		if err != nil {
			return done, err
		}
		done += int64(k)
	}
	return done, nil
}
