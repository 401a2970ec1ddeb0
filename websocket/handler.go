package websocket

// MessageType tells a text message, which is UTF-8, from a binary one.
type MessageType uint8

// The two types of message.
const (
	Text   MessageType = 1
	Binary MessageType = 2
)

// Handler receives the events of one connection, one at a time and in order. A
// callback may block: others are served meanwhile, but nothing more is read from
// this connection until it returns. A panic in OnOpen or OnMessage closes this
// connection with code Internal; it is logged, and nothing else is affected.
type Handler interface {
	// OnOpen is called first, once, when messages may be written.
	OnOpen(c *Conn)
	// OnMessage is called with each whole message. msg is the handler's for ever.
	OnMessage(c *Conn, t MessageType, msg []byte)
	// OnClose is called last, exactly once, after the connection has ended. err
	// is a *CloseError.
	OnClose(c *Conn, err error)
}

// BufferHandler is a Handler that brings the memory for its messages, which it may
// then use again: a message is otherwise garbage of its own, and beyond a few KiB
// that costs more than all else that the library does for it.
//
// What Buffer returned comes back as the msg of OnMessage, at most once, or never if
// the connection ends first. The library does not look at it again after OnMessage
// was called with it. It is on the handler alone that no two messages share it:
// one that keeps msg, or gave it to somebody who does, must not use it for another.
type BufferHandler interface {
	Handler
	// Buffer returns memory with room for a message, a capacity of n bytes or more; n
	// is the length of the message, or up to 16 bytes more. With less, or nil, the
	// message is in fresh memory, and so are messages that come compressed, in
	// fragments or longer than 64 KiB, for which Buffer is not called.
	Buffer(c *Conn, n int) []byte
}

// FrameHandler is a Handler that takes messages piece by piece as they arrive,
// so that none needs to fit into memory; its OnMessage is not called. A
// compressed message is held in its compressed form until it is complete; if
// Options.MaxMessage is negative, one whose compressed form is longer than
// DefaultMaxMessage, 1 MiB, closes the connection with TooBig.
type FrameHandler interface {
	Handler
	// OnFrame is called with the next piece of a message, which is the handler's
	// for ever and may be empty. last says that the message ends with it. Text
	// pieces may end inside a character.
	OnFrame(c *Conn, t MessageType, piece []byte, last bool)
}

// DrainHandler is a Handler that learns when output that had to be queued,
// because the peer was slow, has all been sent.
type DrainHandler interface {
	Handler
	// OnDrained is called when the transport has sent all that waited for the peer,
	// and no message waits to be given to it, but those behind an open Writer. The
	// last of them may have just been given to it (Conn.Buffered): OnDrained is
	// called again when they are sent, if the peer did not take them at once. It is not
	// called when the connection is closing.
	OnDrained(c *Conn)
}

// PongHandler is a Handler that learns of pongs, solicited or not, except those
// that answer the heartbeat.
type PongHandler interface {
	Handler
	// OnPong is called with the payload, which is the handler's for ever.
	OnPong(c *Conn, payload []byte)
}

// TimeoutHandler is a Handler that may veto the heartbeat's verdict.
type TimeoutHandler interface {
	Handler
	// OnTimeout is called when the peer has sent nothing for a whole ping interval
	// after a ping. The connection is closed unless it returns true, and then it
	// is asked again an interval later.
	OnTimeout(c *Conn) (keep bool)
}
