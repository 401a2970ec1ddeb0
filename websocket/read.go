package websocket

import (
	"errors"
	"io"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/ws"
)

// inbound is a message, or just a frame, of which something has been received
// and something has not. It exists only meanwhile, and only the strand uses it.
type inbound struct {
	frame  ws.Header  // the current frame, if inside
	m      ws.Message // which frames may follow
	text   ws.UTF8    // of an uncompressed text message
	msg    []byte     // the message so far, or what is compressed of it
	ctl    []byte     // the payload so far of a control frame
	left   int64      // payload bytes of the frame still to come
	pos    int        // the masking key's phase
	nhead  int        // bytes in head
	head   [ws.MaxHeader]byte
	inside bool // between a frame's header and its last byte
	theirs bool // msg is of the handler's memory
}

const (
	// readSize is the first read of an event, on the stack of the loop.
	readSize = 4 << 10
	// readMore is the further ones, when the first was filled.
	readMore = 32 << 10
	// directMin is from how much on the rest of a frame is read straight into the
	// message; slack is how much more is asked for then, so that a read that took
	// everything comes back short, and no second one need find that out.
	directMin = 1 << 10
	slack     = 16
	// firstChunk is how much of a message is allocated because the peer says that
	// it will come; more follows what really came (hazard 92).
	firstChunk = 64 << 10
)

// read takes what has arrived until there is no more.
func (c *Conn) read() {
	var scratch [readSize]byte
	// Called while paused, it is to find out that the peer has gone.
	pausable := !c.paused.Load()
	for c.state.Load() < stateEnding {
		if pausable && c.paused.Load() {
			return
		}
		if c.direct() {
			if err := c.readDirect(); err != nil {
				c.readFailed(err)
				return
			}
			continue
		}
		n, err := c.sc.Read(scratch[:])
		if n > 0 {
			c.seen = true
			c.feed(scratch[:n])
			if n == len(scratch) && err == nil && !c.direct() {
				err = c.readOn()
			}
		}
		if err != nil {
			c.readFailed(err)
			return
		}
	}
	c.in = nil
	c.discard(scratch[:])
}

// readOn goes on with a larger buffer. It is a function of its own so that only
// busy connections need that much stack.
//
//go:noinline
func (c *Conn) readOn() error {
	var scratch [readMore]byte
	for c.state.Load() < stateEnding && !c.direct() && !c.paused.Load() {
		n, err := c.sc.Read(scratch[:])
		c.feed(scratch[:n])
		if err != nil {
			return err
		}
		if n < len(scratch) {
			return nil
		}
	}
	return nil
}

// readFailed takes what ended reading: for now, or for good.
func (c *Conn) readFailed(err error) {
	if errors.Is(err, strand.ErrWouldBlock) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Load() < stateEnding {
		c.unansweredLocked(err)
		if c.end == nil {
			c.end = &CloseError{Code: Abnormal, Cause: err}
			c.sc.SetTimer(0) // the heartbeat's, which must not cut short what the transport still sends
		}
		c.advanceLocked(stateEnding)
	}
	if errors.Is(err, io.EOF) {
		c.boundLocked()
		_ = c.sc.Close()
		return
	}
	_ = c.sc.Abort()
}

// discard reads what a peer still sends after the end.
func (c *Conn) discard(scratch []byte) {
	for c.state.Load() == stateEnding {
		if _, err := c.sc.Read(scratch); err != nil {
			c.readFailed(err)
			return
		}
	}
}

// limits returns the bounds of a message. A FrameHandler without one still has one
// for what cannot be handed on as it comes: the compressed form (see FrameHandler).
func (c *Conn) limits() ws.Limits {
	l := c.o.limits()
	if c.kind == inPieces {
		l.Compressed = DefaultMaxMessage
	}
	return l
}

// feed takes received bytes, all of them unless the connection ends.
func (c *Conn) feed(p []byte) {
	for len(p) > 0 && c.state.Load() < stateEnding {
		var n int
		if c.in == nil {
			if n = c.feedWhole(p); n > 0 {
				p = p[n:]
				continue
			}
			if c.state.Load() >= stateEnding {
				return
			}
			c.in = new(inbound)
		}
		if c.in.inside {
			n = c.feedPayload(p)
		} else {
			n = c.feedHead(p)
		}
		p = p[n:]
	}
}

// feedWhole takes a message or a control frame that is whole at the start of p,
// which nearly all are, without an inbound. It returns zero for what is not.
func (c *Conn) feedWhole(p []byte) int {
	h, n, bad := ws.ParseHeader(p, c.peer(), c.deflate() != nil)
	if bad != nil {
		c.failWith(bad)
		return 0
	}
	if n == 0 || !h.Fin || h.Op == ws.OpContinuation || h.Length > int64(len(p)-n) {
		return 0
	}
	end := n + int(h.Length)
	payload := p[n:end]
	if h.Op.Control() {
		var ctl [ws.MaxControl]byte
		unmask(h, ctl[:], payload, 0)
		c.control(h.Op, ctl[:len(payload)], end < len(p))
		return end
	}
	var m ws.Message
	if bad = m.Begin(h, c.limits()); bad != nil {
		c.failWith(bad)
		return 0
	}
	if c.state.Load() != stateOpen {
		return end
	}
	msg := c.memory(h, tailRoom(h.RSV1))[:len(payload)]
	if c.kind == intoBuffers && c.state.Load() != stateOpen { // Buffer closed it, or waited while somebody did
		return end
	}
	unmask(h, msg, payload, 0)
	if h.RSV1 {
		c.inflate(h.Op, msg)
		return end
	}
	var text ws.UTF8
	if h.Op == ws.OpText && !c.checkText(&text, msg, true) {
		return 0
	}
	c.deliver(h.Op, msg)
	return end
}

// feedHead takes bytes of a frame's header, and returns how many.
func (c *Conn) feedHead(p []byte) int {
	in := c.in
	n := copy(in.head[in.nhead:], p)
	h, length, bad := ws.ParseHeader(in.head[:in.nhead+n], c.peer(), c.deflate() != nil)
	switch {
	case bad == nil && length > 0:
		bad = in.m.Begin(h, c.limits())
	case bad == nil:
		bad = in.m.Check(h.Op)
	}
	if bad != nil {
		c.failWith(bad)
		return n
	}
	if length == 0 {
		in.nhead += n
		return n
	}
	n = length - in.nhead
	in.frame, in.left, in.pos, in.nhead, in.inside = h, h.Length, 0, 0, true
	if h.Op.Control() {
		in.ctl = make([]byte, 0, h.Length)
	}
	if in.left == 0 {
		c.endFrame(n < len(p))
	}
	return n
}

// feedPayload takes bytes of a frame's payload, and returns how many.
func (c *Conn) feedPayload(p []byte) int {
	in := c.in
	n := int(min(int64(len(p)), in.left))
	piece := p[:n]
	switch {
	case in.frame.Op.Control():
		at := len(in.ctl)
		in.ctl = in.ctl[:at+n]
		in.pos = unmask(in.frame, in.ctl[at:], piece, in.pos)
	case c.state.Load() != stateOpen: // nobody will see it
	case c.kind == inPieces && !in.m.Compressed():
		return c.feedStream(piece, n < len(p))
	default:
		at := len(in.msg)
		c.grow(n)
		in.msg = in.msg[:at+n]
		in.pos = unmask(in.frame, in.msg[at:], piece, in.pos)
		if !c.checkPart(in.msg[at:]) {
			return n
		}
	}
	in.left -= int64(n)
	if in.left == 0 {
		c.endFrame(n < len(p))
	}
	return n
}

// feedStream hands a piece of a message on, for a FrameHandler.
func (c *Conn) feedStream(piece []byte, more bool) int {
	in := c.in
	fresh := make([]byte, len(piece))
	in.pos = unmask(in.frame, fresh, piece, in.pos)
	in.left -= int64(len(piece))
	if !c.checkPart(fresh) {
		return len(piece)
	}
	if in.left > 0 || !in.frame.Fin {
		op := in.m.Op()
		if in.left == 0 {
			c.endFrame(more)
		}
		c.piece(op, fresh, false)
		return len(piece)
	}
	in.msg = fresh
	c.endFrame(more)
	return len(piece)
}

// endFrame is called behind the last byte of a frame. more says that bytes
// follow it at once.
func (c *Conn) endFrame(more bool) {
	in := c.in
	in.inside = false
	h, op, compressed := in.frame, in.m.Op(), in.m.Compressed()
	if h.Op.Control() {
		ctl := in.ctl
		in.ctl = nil
		if !in.m.Open() {
			c.in = nil
		}
		c.control(h.Op, ctl, more)
		return
	}
	if !in.m.End(h) {
		return
	}
	c.in = nil
	if c.state.Load() != stateOpen {
		return
	}
	if compressed {
		c.inflate(op, in.msg)
		return
	}
	if op == ws.OpText && in.text.Finish() != nil {
		c.checkText(&in.text, nil, true)
		return
	}
	if in.msg == nil {
		in.msg = []byte{}
	}
	if !in.theirs { // what follows a message of ours is not for the handler's eyes
		in.msg = in.msg[:len(in.msg):len(in.msg)]
	}
	c.deliver(op, in.msg)
}

// memory returns room for a message that begins with h: at least its length and
// spare bytes more. It is fresh, unless it is the handler's.
func (c *Conn) memory(h ws.Header, spare int) []byte {
	n := int(h.Length) + spare
	if p := c.buffer(h, n); p != nil {
		return p
	}
	return make([]byte, n)
}

// buffer asks the handler for memory for a message that begins with h, and
// returns nil if it has none to give.
func (c *Conn) buffer(h ws.Header, n int) []byte {
	if c.kind != intoBuffers || !h.Fin || h.RSV1 || h.Op == ws.OpContinuation || h.Length > firstChunk {
		return nil
	}
	if p := c.h.(BufferHandler).Buffer(c, n); cap(p) >= n {
		return p[:cap(p)]
	}
	return nil
}

// grow makes room for n more bytes of the message, and for more if the peer
// announced more, but never for many times what it really sent.
func (c *Conn) grow(n int) {
	in := c.in
	have := len(in.msg)
	if have == 0 && in.msg == nil {
		if p := c.buffer(in.frame, int(min(in.left, firstChunk))+slack); p != nil {
			in.msg, in.theirs = p[:0], true
			return
		}
	}
	if have+n <= cap(in.msg) {
		return
	}
	room := max(2*cap(in.msg), firstChunk)
	if in.left < int64(room-have)-slack { // left may be near the largest number there is: nothing is added to it
		room = have + int(in.left) + slack
	}
	if have > 0 && !in.frame.Fin {
		room = max(room, 2*cap(in.msg))
	}
	msg := make([]byte, have, max(room, have+n))
	copy(msg, in.msg)
	in.msg = msg
}

// tailRoom is what a compressed message needs behind it to be read.
func tailRoom(compressed bool) int {
	if compressed {
		return len(inflateTail)
	}
	return 0
}

// direct reports whether so much of the frame is to come that it is better read
// straight into the message.
func (c *Conn) direct() bool {
	in := c.in
	return in != nil && in.inside && in.left >= directMin && c.kind != inPieces &&
		!in.frame.Op.Control() && c.state.Load() == stateOpen
}

// readDirect reads more of the frame into the message, which has room behind.
func (c *Conn) readDirect() error {
	in := c.in
	c.grow(int(min(in.left, directMin)))
	at := len(in.msg)
	room := in.msg[at:cap(in.msg)]
	if in.left < int64(len(room))-slack {
		room = room[:in.left+slack]
	}
	n, err := c.sc.Read(room)
	if n <= 0 {
		return err
	}
	c.seen = true
	// What came behind the frame is not the message's: it moves away.
	var behind [slack]byte
	more := copy(behind[:], room[min(int64(n), in.left):n])
	n -= more
	in.msg = in.msg[:at+n]
	in.pos = unmask(in.frame, in.msg[at:], in.msg[at:], in.pos)
	in.left -= int64(n)
	if !c.checkPart(in.msg[at:]) {
		return err
	}
	if in.left == 0 {
		c.endFrame(more > 0)
	}
	c.feed(behind[:more])
	return err
}

// checkPart validates a further part of the message, if it is a plain text.
func (c *Conn) checkPart(p []byte) bool {
	if c.in.m.Op() != ws.OpText || c.in.m.Compressed() {
		return true
	}
	return c.checkText(&c.in.text, p, false)
}

// checkText validates a part of a text, and fails the connection at the first
// byte that cannot be right (hazard 94).
func (c *Conn) checkText(u *ws.UTF8, p []byte, last bool) bool {
	bad := u.Check(p)
	if bad == nil && last {
		bad = u.Finish()
	}
	if bad != nil {
		c.failWith(bad)
	}
	return bad == nil
}

// deliver hands a message to the handler. msg must be fresh memory.
func (c *Conn) deliver(op ws.Opcode, msg []byte) {
	if c.kind == inPieces {
		c.piece(op, msg, true)
		return
	}
	c.h.OnMessage(c, MessageType(op), msg)
}

func (c *Conn) piece(op ws.Opcode, p []byte, last bool) {
	c.h.(FrameHandler).OnFrame(c, MessageType(op), p, last)
}

// control takes a control frame. p is lent; more says that bytes follow it.
func (c *Conn) control(op ws.Opcode, p []byte, more bool) {
	switch op {
	case ws.OpPing:
		c.answerPing(p)
	case ws.OpPong:
		c.pong(p)
	default:
		c.peerClosed(p, more)
	}
}

// peer returns the role whose frames are received.
func (c *Conn) peer() ws.Role {
	if c.client {
		return ws.FromServer
	}
	return ws.FromClient
}

// unmask copies a piece of payload, or unmasks it in place, and returns the next
// phase of the key.
func unmask(h ws.Header, dst, src []byte, pos int) int {
	if h.Masked {
		return ws.MaskTo(h.Key, dst, src, pos)
	}
	if len(src) > 0 && &dst[0] != &src[0] {
		copy(dst, src)
	}
	return 0
}
