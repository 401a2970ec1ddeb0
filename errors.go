package strand

import (
	"errors"
	"net"
	"os"
)

// ErrWouldBlock is returned by Conn.Read when there is nothing to read now.
var ErrWouldBlock = errors.New("strand: no input now")

// ErrQueueFull is returned by the Write methods when the peer does not read and
// the output that waits for it has reached its limit. Nothing was written.
var ErrQueueFull = errors.New("strand: output queue is full")

// ErrTooLarge is returned by a Write of more than 1 GiB. Nothing was written:
// write it in parts, or with WriteAll.
var ErrTooLarge = errors.New("strand: a single write is limited to 1 GiB")

// ErrTooManyConns is returned by Adopt and Dial beyond Options.MaxConns. A connection
// accepted beyond it is closed without a word, before it has a Handler.
var ErrTooManyConns = errors.New("strand: too many connections")

// ErrIsolation is the reason a connection is aborted when memory of another one
// was about to be sent on it. It is a bug in strand, reported through
// Options.OnViolation; the bytes were not sent.
var ErrIsolation = errors.New("strand: isolation violation")

// ErrPanic is the reason a connection is aborted when a callback panicked.
var ErrPanic = errors.New("strand: a callback panicked")

// The reasons of connections that were closed by a timeout. They are
// os.ErrDeadlineExceeded for errors.Is, and net.Errors whose Timeout is true.
var (
	ErrIdleTimeout  error = &timeoutError{"strand: idle timeout"}
	ErrReadTimeout  error = &timeoutError{"strand: read timeout"}
	ErrWriteTimeout error = &timeoutError{"strand: write timeout: the peer does not read"}
)

// ErrEngineClosed is returned by an Engine after Shutdown or Close.
var ErrEngineClosed error = &closedError{"strand: engine closed"}

// errClosed is what the methods of a closed connection return.
var errClosed error = &closedError{"strand: use of closed connection"}

// errLocalClose marks a Close of our own; OnClose receives nil for it.
var errLocalClose = errors.New("strand: closed")

type timeoutError struct{ s string }

func (e *timeoutError) Error() string        { return e.s }
func (e *timeoutError) Timeout() bool        { return true }
func (e *timeoutError) Temporary() bool      { return true }
func (e *timeoutError) Is(target error) bool { return target == os.ErrDeadlineExceeded }

type closedError struct{ s string }

func (e *closedError) Error() string { return e.s }
func (e *closedError) Unwrap() error { return net.ErrClosed }
