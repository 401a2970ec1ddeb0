package ws

// Limits bounds what one message may take. A zero field means no bound.
type Limits struct {
	Message    int64 // bytes of the message, summed over its frames
	Fragments  int   // frames of one message, empty ones included
	Compressed int64 // bytes of a compressed message as it is received, where Message is zero
}

// Message is the state of the message that is being received: which frames may
// legally follow (RFC 6455 section 5.4) and how much has been declared so far.
// The zero value stands between messages.
type Message struct {
	size       int64
	fragments  int
	op         Opcode // OpContinuation between messages
	compressed bool
}

// Open reports whether a message has begun and its last frame has not come.
func (m *Message) Open() bool { return m.op != OpContinuation }

// Op returns the opcode of the open message's first frame.
func (m *Message) Op() Opcode { return m.op }

// Compressed reports whether the open message's first frame had RSV1 set.
func (m *Message) Compressed() bool { return m.compressed }

// Size returns how many payload bytes the frames of the open message declared.
func (m *Message) Size() int64 { return m.size }

// Check returns the error of Begin that the kind of the next frame alone decides,
// so that a frame which may not stand here fails before its header is complete.
func (m *Message) Check(op Opcode) *Error {
	switch {
	case op.Control():
		return nil
	case op == OpContinuation && !m.Open():
		return errContinuation
	case op != OpContinuation && m.Open():
		return errInterleaved
	}
	return nil
}

// Begin takes the header of the next frame, before any of its payload, and
// returns the error with which to fail the connection if the frame may not
// stand here or passes a limit. Control frames change nothing. For a compressed
// message the limit is applied to what is received with some room for what
// compression may add; whoever inflates it applies the limit to the result.
// Without that limit it is Compressed that bounds it.
func (m *Message) Begin(h Header, lim Limits) *Error {
	if h.Op.Control() {
		return nil
	}
	if err := m.Check(h.Op); err != nil {
		return err
	}
	if h.Op != OpContinuation {
		*m = Message{op: h.Op, compressed: h.RSV1}
	}
	m.fragments++
	if lim.Fragments > 0 && m.fragments > lim.Fragments {
		return errFragments
	}
	return m.add(h.Length, m.bound(lim))
}

// maxSize is the largest size that can be counted.
const maxSize = 1<<63 - 1

// bound returns how many bytes of the message may be received; zero for any number.
func (m *Message) bound(lim Limits) int64 {
	if !m.compressed {
		return lim.Message
	}
	if lim.Message <= 0 {
		return lim.Compressed
	}
	// Stored blocks add five bytes to each 64 KiB; leave several times that.
	if room := lim.Message>>10 + 64; lim.Message <= maxSize-room {
		return lim.Message + room
	}
	return lim.Message
}

// add adds a declared length without ever overflowing. Zero means no limit.
func (m *Message) add(n, limit int64) *Error {
	if limit <= 0 {
		limit = maxSize
	}
	if n > limit-m.size {
		return errMessageSize
	}
	m.size += n
	return nil
}

// End is called when the payload of the frame with header h has been received.
// It reports whether that frame was the last of its message, in which case the
// state stands between messages again.
func (m *Message) End(h Header) bool {
	if h.Op.Control() || !h.Fin {
		return false
	}
	*m = Message{}
	return true
}
