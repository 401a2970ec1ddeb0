package strand

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/d74363f0/strand/internal/buf"
)

// stdLink carries a connection's bytes over any net.Conn: a goroutine reads
// ahead by one Block, and another writes the queue while there is one. It
// serves the platforms without a poller of ours, and foreign connections
// everywhere.
type stdLink struct {
	nc net.Conn
	c  *Conn

	mu      sync.Mutex
	in      *buf.Block // mu: read and not yet taken
	err     error      // mu: what ended the input
	retired bool       // mu
	room    chan struct{}

	writing bool // Conn.mu: the writer runs
	blocks  int  // Conn.mu: Blocks that the writer has taken from the queue
}

// stdBlock is how much the reader reads ahead, in bytes.
const stdBlock = 4 << 10

func newStdLink(nc net.Conn, c *Conn) *stdLink {
	return &stdLink{nc: nc, c: c, room: make(chan struct{}, 1)}
}

// pump reads until the end of the input, one Block ahead of the one that waits
// to be taken: not reading more is the backpressure.
func (s *stdLink) pump() {
	full := false
	for {
		b, err := buf.TryTake(s.c.id, stdBlock)
		if err != nil {
			s.c.abort(err)
			return
		}
		n, err := s.readInto(b)
		if n == 0 && err == nil {
			b.Release()
			if !s.c.alive() {
				return
			}
			continue
		}
		if n > 0 && full {
			<-s.room // only now: the end of the input is news even to one who does not read
		}
		full = n > 0
		if !s.deliver(b, err) {
			return
		}
		bits := stRead
		if err != nil {
			bits |= stHup
			if !errors.Is(err, io.EOF) {
				bits |= stDead
			}
		}
		s.c.signal(bits)
		if err != nil {
			s.c.tellHangup(stTold)
			return
		}
	}
}

// readInto reads once. The net.Conn is somebody else's code: a panic of it ends its
// connection, and so does a count that is none.
func (s *stdLink) readInto(b *buf.Block) (n int, err error) {
	defer s.guard("Read", &err)
	k, err := s.nc.Read(b.Tail())
	b.Advance(k)
	return k, err
}

// writeOnce is readInto's counterpart.
func (s *stdLink) writeOnce(p []byte) (n int, err error) {
	defer s.guard("Write", &err)
	k, err := s.nc.Write(p)
	if k < 0 || k > len(p) {
		return 0, fmt.Errorf("strand: Write of a net.Conn returned %d of %d bytes", k, len(p))
	}
	return k, err
}

// guard is deferred around calls of the net.Conn: a panic ends the connection. No lock of
// ours is held.
func (s *stdLink) guard(what string, err *error) {
	v := recover()
	if v == nil {
		return
	}
	s.c.lp.engine.opts.Logger.Error("strand: a net.Conn panicked; its connection is closed",
		"conn", s.c.id, "in", what, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	*err = fmt.Errorf("%w: %v", ErrPanic, v)
	s.c.abort(*err)
}

// boundInput gives the reader until CloseTimeout. No lock of ours is held.
func (s *stdLink) boundInput() {
	var err error
	defer s.guard("SetReadDeadline", &err)
	err = s.nc.SetReadDeadline(time.Now().Add(s.c.lp.engine.opts.CloseTimeout)) // a net.Conn that has none ends otherwise
}

// named says which connection a failed Write concerns, for which it asks the net.Conn. No lock
// of ours is held.
func (s *stdLink) named(err error) (named error) {
	defer s.guard("RemoteAddr", &named)
	return s.c.opError("write", err)
}

// end calls a method of the net.Conn that may wait, on a goroutine.
func (s *stdLink) end(what string, method func() error) {
	go func() {
		var err error
		defer s.guard(what, &err)
		err = method() // nobody is left to be told
	}()
}

// deliver moves b to where read finds it.
func (s *stdLink) deliver(b *buf.Block, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired {
		b.Release()
		return false
	}
	if b.Len() > 0 {
		s.in = b
	} else {
		b.Release()
	}
	if r := s.c.rare.Load(); r != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		if werr := r.writeError(); werr != nil {
			err = werr // the deadline is only how write ends the input
		}
	}
	s.err = err
	return true
}

func (s *stdLink) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in == nil {
		if s.err != nil {
			return 0, s.err
		}
		return 0, syscall.EAGAIN
	}
	n := copy(p, s.in.Data())
	s.in.Consume(n)
	if s.in.Len() == 0 {
		s.in.Release()
		s.in = nil
		s.makeRoom()
	}
	return n, nil
}

func (s *stdLink) makeRoom() {
	select {
	case s.room <- struct{}{}:
	default:
	}
}

// kick starts the writer if it does not run. Conn.mu is held.
func (s *stdLink) kick() {
	c := s.c
	c.gauge(int(c.outSize.Load()))
	if s.writing || c.out.Len() == 0 {
		return
	}
	s.writing = true
	c.blocked, c.wdrained = true, true
	c.state.Or(stFull)
	c.lastOut.Store(c.lp.Now())
	if c.writeFor.Load() != 0 {
		c.rearm()
	}
	go s.write()
}

// write writes the queue until it is empty. The Blocks it writes are its own
// until they are written, whatever happens to the connection.
func (s *stdLink) write() {
	c := s.c
	for {
		var batch buf.Queue
		c.mu.Lock()
		if c.phase == closed || c.out.Len() == 0 {
			s.writing = false
			if c.phase != closed {
				c.clear(stFull | stLooked)
				c.emptied()
			}
			c.mu.Unlock()
			return
		}
		c.out.MoveTo(&batch)
		s.blocks = batch.Blocks()
		c.mu.Unlock()
		if err := s.writeBatch(&batch); err != nil {
			lost := batch.Release()
			err = s.named(err)
			c.mu.Lock()
			s.writing, s.blocks = false, 0
			if c.phase == closed {
				c.drop(lost, c.ended())
			} else {
				c.writeFailed(err, lost)
			}
			c.mu.Unlock()
			// What has come is still read; then the reader must find an end, too.
			s.boundInput()
			return
		}
	}
}

func (s *stdLink) writeBatch(batch *buf.Queue) error {
	c := s.c
	for batch.Len() > 0 {
		var arr [1][]byte
		pieces, err := batch.Peek(c.id, arr[:0], 1)
		if err != nil {
			c.mu.Lock()
			c.violated(err)
			c.mu.Unlock()
			return err
		}
		n, err := s.writeOnce(pieces[0][:min(len(pieces[0]), writePiece)]) // a piece is progress, for the write timeout
		batch.Consume(n)
		c.mu.Lock()
		s.blocks = batch.Blocks()
		c.sent(n)
		if c.phase != closed {
			c.outSize.Add(int32(-n))
			c.gauge(int(c.outSize.Load()))
			c.wakeWriters()
		}
		c.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// shutdownWrite is called under Conn.mu, for which loops wait, and a CloseWrite
// may wait for the peer (a TLS one for its alert), so a goroutine does it.
func (s *stdLink) shutdownWrite() error {
	if w, ok := s.nc.(interface{ CloseWrite() error }); ok {
		s.end("CloseWrite", w.CloseWrite)
	}
	return nil
}

// retire closes the net.Conn, which may wait (a TLS one for its alert), so a
// goroutine does it; net.Conn itself sees to the calls in flight.
func (s *stdLink) retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired {
		return
	}
	s.retired = true
	if s.in != nil {
		s.in.Release()
		s.in = nil
	}
	s.err = errClosed
	s.makeRoom()
	s.end("Close", s.nc.Close)
}

func (s *stdLink) tlsState() *tls.ConnectionState {
	if t, ok := s.nc.(interface{ ConnectionState() tls.ConnectionState }); ok {
		state := t.ConnectionState()
		return &state
	}
	return nil
}
