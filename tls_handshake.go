package strand

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/d74363f0/strand/internal/buf"
)

// handshake is what a tlsLayer needs until it is ready.
type handshake struct {
	opts   TLSOptions
	timer  *time.Timer   // aborts the connection
	parked chan struct{} // capacity 1: wakes the goroutine
	late   chan struct{} // capacity 1: the read deadline of who waits for the end has passed
	done   chan struct{}
	once   sync.Once // closes done: the handshake is over, or the connection retired
	gate   *gate
	turn   turn // the goroutine's

	held     []string // tlsLayer.wmu: written before the end of the handshake
	heldSize atomic.Int32
	full     bool // Conn.mu: a write was refused for want of room
}

func (hs *handshake) end() {
	hs.timer.Stop()
	hs.once.Do(func() { close(hs.done) })
}

// hold keeps what is written until it can be encrypted; the caller has counted it
// in heldSize. wmu is held.
func (hs *handshake) hold(n int, head []byte, bufs [][]byte, s string) {
	p := make([]byte, 0, n-len(s))
	p = append(p, head...)
	for _, b := range bufs {
		p = append(p, b...)
	}
	hs.held = append(hs.held, string(p), s)
}

// firstRecord is the first byte of every TLS connection: the type of a record
// with a message of the handshake.
const firstRecord = 22

// errNotTLS ends a connection whose blocking view waits for a handshake.
var errNotTLS = errors.New("the peer does not speak TLS")

// intercept takes news of input from the strand until the handshake is over, and
// reports whether it did.
func (t *tlsLayer) intercept() bool {
	switch t.state.Load() {
	case tlsReady:
		t.drained = false  // there is news from the poller
		if t.done != nil { // which may have come before the post that announces the handshake's end
			t.announce()
			t.c.state.Or(stRead) // what Done did decides about it
			return true
		}
		return false
	case tlsWaiting:
		if t.begin(true) {
			return true
		}
	case tlsFailed:
		return true // only the alert is still sent
	}
	// The event was taken before the handshake began, but it is the
	// handshake's: post wakes its reader, and stShaking keeps it from the strand.
	t.c.post(stRead)
	return true
}

// begin starts the handshake if it waits for its beginning, and reports whether
// it did. Any goroutine may; input says that there is some.
func (t *tlsLayer) begin(input bool) bool {
	if !t.state.CompareAndSwap(tlsWaiting, tlsShaking) {
		return false
	}
	if input {
		t.drained = false
	}
	t.c.state.Or(stShaking)
	go t.shake(t.hs.Load())
	return true
}

// shake is the handshake's goroutine. The link is read by it alone until it
// ends: stShaking withholds stRead from the strand.
func (t *tlsLayer) shake(hs *handshake) {
	err := errors.New("runtime.Goexit in a callback of the tls.Config")
	plain := false
	defer func() {
		if v := recover(); v != nil {
			t.c.lp.engine.opts.Logger.Error("strand: a callback of a tls.Config panicked; its connection is closed",
				"conn", t.c.id, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: %v", ErrPanic, v)
		}
		hs.gate.leave(&hs.turn)
		t.shaken(hs, plain, err)
	}()
	if hs.opts.Plain != nil {
		if plain, err = t.sniff(hs); plain || err != nil {
			return
		}
		err = errors.New("runtime.Goexit in a callback of the tls.Config")
	}
	hs.gate.enter(&hs.turn, hs.done)
	err = t.tc.Handshake()
}

// sniff looks at the first byte and reports whether it is not TLS.
func (t *tlsLayer) sniff(hs *handshake) (bool, error) {
	var first [1]byte
	if _, err := t.readBlocking(hs, first[:]); err != nil {
		return false, err
	}
	t.raw = append(first[:1:1], t.raw...)
	return first[0] != firstRecord && !t.c.is(stOwned), nil
}

// readBlocking reads for the handshake. Whoever waits here gives up its turn to
// compute.
func (t *tlsLayer) readBlocking(hs *handshake, p []byte) (int, error) {
	for t.c.alive() {
		n, err := t.readLink(p)
		if err != errTLSAgain {
			return n, err
		}
		computing := hs.gate.leave(&hs.turn)
		t.park(hs)
		if computing {
			hs.gate.enter(&hs.turn, hs.done)
		}
	}
	return 0, errClosed
}

// park waits for news from the link, or for the end of the connection. The
// channel is the handshake's own, so that an idle connection keeps none.
func (t *tlsLayer) park(hs *handshake) {
	select { // a wake-up that nobody waited for
	case <-hs.parked:
	default:
	}
	if !t.c.park(stRead | stGone) {
		return
	}
	select {
	case <-hs.parked:
	case <-hs.done:
		t.c.clear(stParked)
	}
}

// unpark wakes the handshake, if it is what parks.
func (t *tlsLayer) unpark() bool {
	hs := t.hs.Load()
	if hs == nil || t.state.Load() != tlsShaking {
		return false
	}
	select {
	case hs.parked <- struct{}{}:
	default:
	}
	return true
}

// announce calls TLSOptions.Done. The strand's.
func (t *tlsLayer) announce() {
	if !t.ready() || t.done == nil { // done is the handshake's until it is ready
		return
	}
	f := t.done
	t.done = nil
	if !t.c.is(stOwned) {
		f(t.c)
	}
}

// shaken ends the handshake: what was written meanwhile is sent, and the link
// is the strand's again.
func (t *tlsLayer) shaken(hs *handshake, plain bool, err error) {
	c := t.c
	if plain && t.plainFound() {
		hs.end()
		_ = c.Post(func(c *Conn) { t.unmake(hs) }) // on an error it is closed
		c.clear(stShaking)
		c.signal(stRead)
		return
	}
	if plain {
		err = errNotTLS
	}
	t.wmu.Lock()
	state := tlsFailed
	if err == nil {
		state = tlsReady
		t.sendHeld(hs)
		t.done = hs.opts.Done
	} else {
		c.drop(int(hs.heldSize.Swap(0)), &HandshakeError{err})
	}
	t.hs.Store(nil) // before the state: from then on reads must not block
	t.state.Store(state)
	t.wmu.Unlock()
	if err != nil {
		c.closeFor(&HandshakeError{err})
	}
	hs.end()
	c.clear(stShaking)
	c.signal(stPost | stRead) // announce; and data may have come with the Finished (hazard 125)
}

// plainFound notes that the peer speaks no TLS. It reports false if NetConn was
// asked for meanwhile, whose view speaks TLS: a peer that does not is closed then.
func (t *tlsLayer) plainFound() bool {
	t.state.Store(tlsPlain)
	return !t.c.is(stOwned) || !t.state.CompareAndSwap(tlsPlain, tlsFailed)
}

// sendHeld encrypts what was written during the handshake, and says goodbye if
// the connection was closed meanwhile. wmu is held.
func (t *tlsLayer) sendHeld(hs *handshake) {
	c := t.c
	c.mu.Lock()
	t.gather = true
	goodbye := c.phase == closing || c.fin == finWanted
	c.mu.Unlock()
	lost := 0
	for _, s := range hs.held {
		if s == "" {
			continue
		}
		if !t.unhold(hs, len(s)) {
			break
		}
		if n, err := t.tc.Write(buf.BytesOf(s)); err != nil {
			lost = len(s) - n // the connection is retired, or a write has failed
			break
		}
	}
	hs.held = nil
	if lost += int(hs.heldSize.Swap(0)); lost > 0 {
		c.drop(lost, c.unsendable())
	}
	if goodbye {
		_ = t.tc.CloseWrite()
	}
	t.written()
}

// unhold notes that n held bytes are about to be encrypted, unless the connection
// is retired, which has counted them as dropped.
func (t *tlsLayer) unhold(hs *handshake, n int) bool {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if t.c.phase == closed {
		return false
	}
	hs.heldSize.Add(int32(-n))
	return true
}

// unmake takes the layer away again: the peer does not speak TLS. It is a
// callback of the strand.
func (t *tlsLayer) unmake(hs *handshake) {
	if t.strip(hs) {
		hs.opts.Plain(t.c)
	}
}

// strip sends what waited for the handshake as it is, and takes the layer away,
// unless that was done, or the layer is not to be. The strand's.
func (t *tlsLayer) strip(hs *handshake) bool {
	c := t.c
	if !t.state.CompareAndSwap(tlsPlain, tlsStripped) {
		return false
	}
	t.wmu.Lock()
	c.mu.Lock()
	for _, s := range hs.held { // until the last of them, held says that an empty queue is not the end
		if s != "" && c.phase != closed {
			hs.heldSize.Add(int32(-len(s)))
			c.send(nil, nil, s)
		}
	}
	t.hold = false
	c.tls.Store(nil)
	if c.phase != closed && c.outSize.Load() == 0 {
		c.emptied() // a Close or CloseWrite that came meanwhile
	}
	c.mu.Unlock()
	t.wmu.Unlock()
	c.readDone = t.drained
	c.Unread(t.raw)
	return true
}

// waitReady waits for the end of the handshake, or for the read deadline; false if
// done was closed first. The strand's.
func (t *tlsLayer) waitReady(done <-chan struct{}) bool {
	hs := t.hs.Load()
	if hs == nil {
		return true
	}
	if t.state.Load() == tlsPlain {
		t.unmake(hs)
		return true
	}
	t.begin(true)
	t.c.handOff()
	for !t.c.is(stReadT) {
		select {
		case <-hs.done:
			return true
		case <-hs.late:
		case <-done:
			return false
		}
	}
	return true
}

// lateRead wakes who waits for the end of a handshake, for the read deadline has
// passed. Who parks meanwhile is the handshake, which knows of no deadline.
func (c *Conn) lateRead() {
	t := c.tlsNotReady()
	if t == nil {
		return
	}
	if hs := t.hs.Load(); hs != nil {
		select {
		case hs.late <- struct{}{}:
		default:
		}
	}
}
