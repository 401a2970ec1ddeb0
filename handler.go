package strand

// Handler receives one connection's events, one at a time. Callbacks run on the
// event loop and may block: the loop goes on without one that does, at the cost
// of a goroutine. Each connection has its own Handler, which SetHandler
// replaces when the protocol changes.
//
// A Handler may also implement TimeoutHandler and HangupHandler.
type Handler interface {
	// OnOpen is called once, first.
	OnOpen(c *Conn)
	// OnReadable is called when there is input, the end of the input, or an
	// error to read. It calls c.Read until that returns ErrWouldBlock, or
	// returns earlier and is called again. After io.EOF the connection can
	// still be written; the handler closes it when it is done.
	OnReadable(c *Conn)
	// OnDrained is called when output that had to wait for the peer has all
	// been given to the kernel.
	OnDrained(c *Conn)
	// OnClose is called last, exactly once. err is nil after a Close of our own,
	// also if the peer had ended the connection before; otherwise io.EOF if the
	// peer had ended it, or the reason.
	OnClose(c *Conn, err error)
}

// Timeout says which of a connection's timeouts has passed.
type Timeout uint8

// The timeouts of a connection.
const (
	TimeoutIdle  Timeout = iota // SetIdleTimeout
	TimeoutRead                 // SetReadDeadline
	TimeoutWrite                // SetWriteTimeout
	TimeoutTimer                // SetTimer
)

// String returns the timeout's name.
func (t Timeout) String() string {
	switch t {
	case TimeoutIdle:
		return "idle"
	case TimeoutRead:
		return "read"
	case TimeoutWrite:
		return "write"
	case TimeoutTimer:
		return "timer"
	}
	return "unknown"
}

// TimeoutHandler is implemented by a Handler that wants to be asked before a
// timeout closes its connection. OnTimeout is one of the strand's callbacks.
type TimeoutHandler interface {
	// OnTimeout reports whether the connection is to be kept. If so an idle or
	// write timeout starts anew, and a read deadline is cleared. If not, and
	// without this method, the connection is aborted with ErrIdleTimeout,
	// ErrReadTimeout or ErrWriteTimeout. The result is ignored for
	// TimeoutTimer, which closes nothing.
	OnTimeout(c *Conn, t Timeout) (keep bool)
}

// HangupHandler is implemented by a Handler that wants to know that the peer
// hung up, or that the connection was closed, while one of its callbacks is running,
// which then may want to stop.
type HangupHandler interface {
	// OnHangup is called at most once for the peer's hang-up and once for the connection's
	// end, on a goroutine of its own and concurrently with the running callback. That may have ended meanwhile:
	// other callbacks, OnClose among them, may come before it.
	OnHangup(c *Conn)
}
