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

// FrameHandler is a Handler that takes messages piece by piece as they arrive,
// so that none needs to fit into memory; its OnMessage is not called. A
// compressed message is held in its compressed form until it is complete.
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
	// OnDrained is called when nothing waits for the peer any more.
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
