package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/buf"
	"github.com/d74363f0/strand/internal/h1"
)

// mode is what a connection does with its input. The strand's.
type mode uint8

const (
	modeHead     mode = iota // reads heads and serves requests
	modeDrain                // discards what a handler left of its body
	modeLinger               // discards everything, until the client has read our last words
	modeHijacked             // somebody else's
	modeNext                 // another protocol's, of TLSNextProto; still counted here
	modeClosed               // nothing more
)

// Bounds that are not options.
const (
	readBlock   = 4 << 10          // bytes of the first Block for input
	maxPending  = 64 << 10         // queued output beyond which no further request is begun
	maxDrain    = 256 << 10        // bytes of an unread body that are discarded to keep the connection
	drainTime   = 5 * time.Second  // how long that may take
	maxLinger   = 16 << 20         // bytes that are discarded behind our last response
	lingerTime  = 2 * time.Second  // how long a client may go on sending behind our last response
	lingerMost  = 30 * time.Second // and how long if it reads that all the while
	newConnIdle = 5 * time.Second  // Shutdown closes a connection that sent nothing for this long
)

// conn is one connection of a Server: the strand.Handler that reads heads and serves them.
// Its fields are the strand's unless said.
type conn struct {
	scope *scope
	c     *strand.Conn
	in    *buf.Block // input that was read and not consumed; nil if none
	part  *partial   // a head that is not complete; nil if none
	extra *connExtra // what few connections need; see rare

	remote string // RemoteAddr of its requests, once there was one

	cur    atomic.Pointer[exchange] // the request being served; any goroutine reads it
	state  atomic.Uint32            // http.ConnState; any goroutine reads it
	opened uint32                   // when, in seconds of the wall clock
	turns  int32                    // requests served in this turn

	mode     mode
	deadline bool // a read deadline is set
	waiting  bool // no request is begun until the output has drained
	ended    bool // peerGone met the end of the input, which is not reported again
}

// partial is a head that is still arriving, or empty lines before one. Its bytes are in conn.in,
// and all of them have been scanned.
type partial struct {
	scan  h1.Scanner
	began time.Time // when the head's first byte was read; zero: there were only empty lines
}

// connExtra is what is made when somebody asks for it.
type connExtra struct {
	view *connView       // for ConnState and ConnContext
	ctx  context.Context // from ConnContext; nil: the scope's
	tls  *tls.ConnectionState

	began time.Time // when the head began of the request that is parsed, if that was before now

	drain      *drain // modeDrain
	lingered   int    // bytes discarded behind the last response
	lingerBy   int64  // until when, in Unix nanoseconds
	acked      uint64 // Conn.BytesAcked when last looked at while lingering
	lingerMost int64  // until when what the kernel holds is waited for, in Unix nanoseconds
	writeBy    int64  // when what is queued must have been sent, in Unix nanoseconds; 0: no limit
}

// rare returns the part of a connection that few need. An idle connection should have none.
func (hc *conn) rare() *connExtra {
	if hc.extra == nil {
		hc.extra = &connExtra{}
	}
	return hc.extra
}

// OnOpen admits the connection and starts its clocks.
func (hc *conn) OnOpen(*strand.Conn) { hc.open(nil) }

// open is OnOpen, for a connection with a handshake behind it if hs is not nil.
func (hc *conn) open(hs *handshake) {
	s, c := hc.scope.srv, hc.c
	hc.opened = uint32(time.Now().Unix())
	if !s.admit(hc, hs) {
		hc.mode = modeClosed
		hc.state.Store(uint32(http.StateClosed)) // ConnState never hears of it
		_ = c.Close()
		return
	}
	hc.setState(http.StateNew)
	if f := s.ConnContext; f != nil {
		ctx := f(hc.scope.ctx, hc.view())
		if ctx == nil {
			panic("http1: ConnContext returned a nil context")
		}
		hc.extra.ctx = ctx
	}
	c.SetMaxQueued(orDefault(s.MaxQueued, DefaultMaxQueued))
	if d := s.writeProgressTimeout(); d > 0 {
		c.SetWriteTimeout(d)
	}
	if hc.scope.tls != nil {
		hc.startTLS()
		return
	}
	if hs != nil {
		hc.secured(c)
		return
	}
	hc.begin()
}

// begin starts the clocks of the first request.
func (hc *conn) begin() {
	if d := hc.scope.srv.idleTimeout(); d > 0 {
		hc.c.SetIdleTimeout(d)
	}
	if d := hc.scope.srv.readHeaderTimeout(); d > 0 {
		hc.setDeadline(time.Now().Add(d))
	}
}

func (hc *conn) setDeadline(t time.Time) {
	hc.deadline = true
	hc.c.SetReadDeadline(t)
}

func (hc *conn) clearDeadline() {
	if hc.deadline {
		hc.deadline = false
		hc.c.SetReadDeadline(time.Time{})
	}
}

// OnReadable reads and serves as many requests as there are, up to a limit.
func (hc *conn) OnReadable(c *strand.Conn) {
	switch hc.mode {
	case modeLinger:
		hc.discard()
	case modeHead, modeDrain:
		hc.turns = 0
		hc.run()
	}
	hc.settle()
}

// ReadAhead implements buf.AheadReader: it reads what is most often one head. An error shows again
// when readHead asks.
func (hc *conn) ReadAhead(buf.Ours) {
	if hc.mode != modeHead || hc.waiting || hc.in != nil {
		return
	}
	b, err := buf.TryTake(hc.c.ID(), readBlock)
	if err != nil {
		return // OnReadable asks again, where it can be told
	}
	n, _ := hc.c.Read(b.Tail())
	if n <= 0 {
		b.Release()
		return
	}
	b.Advance(n)
	hc.in = b
}

// OnDrained goes on with requests that waited for the client to read.
func (hc *conn) OnDrained(*strand.Conn) {
	if !hc.waiting {
		return
	}
	hc.waiting = false
	hc.c.ResumeRead()
	hc.resume(hc.c)
}

// resume is OnReadable for input that is in hc.in already. What it read may have been
// announced by an event that is spent with that, and only behind OnReadable does the engine
// look whether there is more; so an OnReadable follows.
func (hc *conn) resume(*strand.Conn) {
	if hc.mode == modeHead || hc.mode == modeDrain {
		hc.turns = 0
		hc.run()
	}
	hc.settle()
	if (hc.mode == modeHead || hc.mode == modeDrain) && !hc.waiting {
		hc.c.ResumeRead()
	}
}

// OnClose ends what still hangs on the connection.
func (hc *conn) OnClose(_ *strand.Conn, err error) {
	hc.cancelRequest()
	hc.release()
	if hc.mode != modeHijacked {
		hc.mode = modeClosed
		hc.scope.srv.leave(hc) // before code of the user's, which may panic
		defer hc.setState(http.StateClosed)
	}
	hc.logHandshake(err)
}

// OnHangup tells the running handler that its client has gone. It is called beside the
// strand.
func (hc *conn) OnHangup(c *strand.Conn) {
	ex := hc.cur.Load()
	switch {
	case ex == nil:
	case errors.Is(c.Flush(), net.ErrClosed): // the end of the connection, not of its input
		ex.ctx.cancel(context.Canceled)
	default:
		ex.hangup()
	}
}

// OnTimeout closes a connection that is idle or slow, with 408 if it is slow with a head.
func (hc *conn) OnTimeout(c *strand.Conn, t strand.Timeout) (keep bool) {
	switch t {
	case strand.TimeoutWrite:
		hc.cancelRequest()
		return false
	case strand.TimeoutTimer:
		hc.timer()
		return true
	case strand.TimeoutIdle:
		if hc.c.Buffered() > 0 {
			return true // a client that has a response to read is for the write timeout to judge
		}
	case strand.TimeoutRead:
		if hc.mode == modeHead && hc.part != nil && hc.part.scan.Started() {
			hc.reject(&h1.Error{Status: http.StatusRequestTimeout, Reason: "the request head took too long"})
			return true
		}
		if hc.mode == modeDrain { // it is sending still, and has an answer to read
			hc.linger()
			return true
		}
	}
	hc.close()
	return true
}

// timer ends a lingering close, and a connection whose client has not taken its response by
// the server's WriteTimeout.
func (hc *conn) timer() {
	switch now := time.Now().UnixNano(); {
	case hc.extra == nil:
	case hc.mustSend() && now >= hc.extra.writeBy:
		_ = hc.c.Abort()
	default:
		if hc.mode == modeLinger && now >= hc.extra.lingerBy && !hc.stillReads() {
			hc.close() // not a reset, which would take from the client what it has not read yet
		}
		hc.arm()
	}
}

// stillReads reports whether the client of a lingering connection takes what the kernel holds for it, and
// gives it more time if so.
func (hc *conn) stillReads() bool {
	x, now := hc.extra, time.Now()
	acked := hc.c.BytesAcked()
	moved := acked != x.acked
	x.acked = acked
	switch {
	case hc.c.Buffered() > 0: // that has the write timeout; to close now would be to stop reading
		x.lingerMost = now.Add(lingerMost).UnixNano()
	case !moved || acked == hc.c.BytesOut() || now.UnixNano() >= x.lingerMost || hc.scope.srv.inShutdown.Load():
		return false
	}
	x.lingerBy = now.Add(lingerTime).UnixNano()
	return true
}

// mustSend reports whether there is output that must have been sent by extra.writeBy.
func (hc *conn) mustSend() bool { return hc.extra.writeBy != 0 && hc.c.Buffered() > 0 }

// arm sets the timer to whatever comes first of what it is for.
func (hc *conn) arm() {
	var by int64
	if hc.mode == modeLinger {
		by = hc.extra.lingerBy
	}
	if hc.mustSend() && (by == 0 || hc.extra.writeBy < by) {
		by = hc.extra.writeBy
	}
	if by != 0 {
		hc.c.SetTimer(max(time.Until(time.Unix(0, by)), time.Millisecond))
	}
}

// bound gives what is queued until by, in Unix nanoseconds, or as long as it takes if that is 0.
func (hc *conn) bound(by int64) {
	if hc.extra != nil {
		hc.extra.writeBy = 0
	}
	if by != 0 && hc.c.Buffered() > 0 && hc.c.Flush() == nil && hc.c.Buffered() > 0 {
		hc.rare().writeBy = by
		hc.arm()
	}
}

// cancelRequest cancels the running request's context. Any goroutine.
func (hc *conn) cancelRequest() {
	if ex := hc.cur.Load(); ex != nil {
		ex.ctx.cancel(context.Canceled)
	}
}

// run serves requests until more input, or room for output, is needed.
func (hc *conn) run() {
	for {
		if hc.mode == modeDrain && !hc.drainBody() {
			return
		}
		if hc.mode != modeHead || hc.outputWaits() {
			return
		}
		if hc.turns >= int32(orDefault(hc.scope.srv.MaxPipelined, DefaultMaxPipelined)) {
			if hc.ended || hc.in != nil && hc.in.Len() > 0 {
				_ = hc.c.Post(hc.resume) // on an error the connection is closed
			}
			return
		}
		head, err := hc.readHead()
		if err != nil {
			hc.readFailed(err)
			return
		}
		hc.turns++
		if !hc.serve(head) {
			return
		}
	}
}

// outputWaits reports whether the client must read what it asked for before it is given
// more (hazard 65).
func (hc *conn) outputWaits() bool {
	limit := min(maxPending, orDefault(hc.scope.srv.MaxQueued, DefaultMaxQueued)/2) // there is room for what the server writes itself
	if hc.c.Buffered() <= limit {
		return false
	}
	if hc.c.Flush() != nil || hc.c.Buffered() <= limit {
		return false
	}
	hc.waiting = true
	hc.c.PauseRead()
	if hc.c.Buffered() == 0 { // it drained before we said that we wait
		hc.waiting = false
		hc.c.ResumeRead()
		return false
	}
	return true
}

// readHead returns the next complete head as one string. strand.ErrWouldBlock means that it
// has not arrived; an *h1.Error that it never will.
func (hc *conn) readHead() (string, error) {
	var local h1.Scanner
	scan := &local
	if hc.part != nil {
		scan = &hc.part.scan
	}
	for {
		if hc.in != nil && hc.in.Len() > 0 {
			n, err := scan.Scan(hc.in.Data(), &hc.scope.lim)
			if err != nil {
				return "", err
			}
			if n > 0 {
				head := string(hc.in.Data()[scan.Start():n])
				hc.in.Consume(n)
				hc.headDone()
				hc.clearDeadline()
				return head, nil
			}
		}
		if err := hc.fill(); err != nil {
			if hc.in != nil && hc.in.Len() > 0 {
				hc.keepPartial(scan)
			}
			return "", err
		}
	}
}

// keepPartial keeps the state of a head that has begun to arrive and gives it a deadline
// that no further byte moves (hazard 60). With empty lines, of which the scanner allows few, no
// request begins: behind them the connection is as idle as before.
func (hc *conn) keepPartial(scan *h1.Scanner) {
	if hc.part == nil {
		hc.part = &partial{scan: *scan}
	}
	if !hc.part.scan.Started() || !hc.part.began.IsZero() {
		return
	}
	now := time.Now()
	hc.part.began = now
	hc.setState(http.StateActive)
	if d := hc.scope.srv.readHeaderTimeout(); d > 0 && !hc.deadline {
		hc.setDeadline(now.Add(d))
	}
}

// headDone notes that a head is complete, and when it began if it came in parts: its
// body's time is the rest.
func (hc *conn) headDone() {
	if hc.part != nil && !hc.part.began.IsZero() && hc.scope.srv.ReadTimeout > 0 {
		hc.rare().began = hc.part.began
	} else if hc.extra != nil {
		hc.extra.began = time.Time{}
	}
	hc.part = nil
}

// fill reads more input behind what hc.in holds. There is no Block before there may be input.
func (hc *conn) fill() error {
	if hc.in == nil {
		if _, err := hc.c.Read(nil); err != nil {
			return err
		}
		hc.in = buf.Take(hc.c.ID(), readBlock)
	}
	if len(hc.in.Tail()) == 0 {
		hc.grow()
	}
	n, err := hc.c.Read(hc.in.Tail())
	hc.in.Advance(n)
	return err
}

// grow makes room behind the bytes of hc.in.
func (hc *conn) grow() {
	if hc.in.Len() < hc.in.Cap()/2 {
		hc.in.Compact()
		return
	}
	hc.moveTo(2 * hc.in.Cap())
}

func (hc *conn) moveTo(size int) {
	next := buf.Take(hc.c.ID(), size)
	next.Append(hc.in.Data())
	hc.in.Release()
	hc.in = next
}

// peerGone looks for the end of the input behind a request that has been read whole, where
// no event will tell of it any more. It costs a system call only if there is news.
func (hc *conn) peerGone() bool {
	if hc.in != nil && hc.in.Len() > 0 { // more requests: the end is behind them, if it is not ours
		_, err := hc.c.Read(nil)
		return err != nil && errors.Is(err, net.ErrClosed)
	}
	err := hc.fill()
	hc.ended = err != nil && err != strand.ErrWouldBlock
	return hc.ended
}

// settle gives back what an idle connection does not need.
func (hc *conn) settle() {
	if hc.in == nil || hc.mode == modeHijacked {
		return
	}
	n := hc.in.Len()
	if n == 0 {
		hc.release()
		return
	}
	if hc.in.Cap() > 1024 && n <= hc.in.Cap()/4 {
		hc.moveTo(n)
	}
}

func (hc *conn) release() {
	if hc.in != nil {
		hc.in.Release()
		hc.in = nil
	}
}

// readFailed handles what ended the reading of a head.
func (hc *conn) readFailed(err error) {
	if err == strand.ErrWouldBlock {
		return
	}
	if bad, ok := err.(*h1.Error); ok {
		if hc.isPreface() {
			hc.handOver(protoH2C)
			return
		}
		hc.setState(http.StateActive)
		hc.reject(bad)
		return
	}
	hc.close() // the end of the input, between requests or within a head
}

// close closes the connection once everything written has been sent.
func (hc *conn) close() {
	if hc.mode != modeHijacked && hc.mode != modeNext {
		hc.mode = modeClosed
		_ = hc.c.Close() // an error says that it is closed
	}
}

// closeIfIdle closes the connection if it is between requests. Any goroutine.
func (hc *conn) closeIfIdle() {
	switch http.ConnState(hc.state.Load()) {
	case http.StateIdle:
		if hc.cur.Load() != nil {
			return
		}
	case http.StateNew:
		if time.Now().Unix()-int64(hc.opened) < int64(newConnIdle/time.Second) {
			return
		}
	default:
		return
	}
	_ = hc.c.Post(func(*strand.Conn) { // on an error it is closed
		if hc.mode == modeHead && hc.cur.Load() == nil && hc.noHead() {
			hc.close()
		}
	})
}

// noHead reports whether nothing of a head is here, not even unscanned.
func (hc *conn) noHead() bool {
	if hc.part != nil {
		return !hc.part.scan.Started()
	}
	return hc.in == nil || hc.in.Len() == 0
}

// setState records the connection's state and tells ConnState. Without that hook nobody asks
// whether a connection that was idle before is active: see closeIfIdle.
func (hc *conn) setState(st http.ConnState) {
	if st == http.StateActive && hc.scope.srv.ConnState == nil && http.ConnState(hc.state.Load()) == http.StateIdle {
		return
	}
	if http.ConnState(hc.state.Load()) == st && st != http.StateNew {
		return
	}
	hc.state.Store(uint32(st))
	if f := hc.scope.srv.ConnState; f != nil {
		f(hc.view(), st)
	}
}

// linger ends a connection whose client may still be sending: we say that we are done and
// discard what comes, so that no reset destroys the response (hazard 84).
func (hc *conn) linger() {
	hc.release()
	hc.part = nil
	hc.rare().drain = nil
	hc.clearDeadline()
	hc.mode = modeLinger
	_ = hc.c.Flush() // errors show in the reads that follow
	if hc.c.CloseWrite() != nil {
		hc.close()
		return
	}
	if hc.scope.srv.writeProgressTimeout() <= 0 {
		hc.c.SetWriteTimeout(lingerMost) // or nothing would bound what is queued
	}
	now := time.Now()
	hc.extra.lingered, hc.extra.lingerBy, hc.extra.lingerMost = 0, now.Add(lingerTime).UnixNano(), now.Add(lingerMost).UnixNano()
	hc.extra.acked = hc.c.BytesAcked()
	hc.arm()
	hc.discard()
}

// discard reads and forgets until the client has closed, too.
func (hc *conn) discard() {
	b := buf.Take(hc.c.ID(), readBlock)
	defer b.Release()
	for {
		n, err := hc.c.Read(b.Tail())
		if hc.extra.lingered += n; hc.extra.lingered > maxLinger {
			hc.c.PauseRead() // TCP pushes back; the timer ends it
			return
		}
		if err == strand.ErrWouldBlock {
			return
		}
		if err != nil {
			hc.close()
			return
		}
	}
}

// baseContext returns what a request's context descends from.
func (hc *conn) baseContext() context.Context {
	if hc.extra != nil && hc.extra.ctx != nil {
		return hc.extra.ctx
	}
	return hc.scope.ctx
}

// tlsState returns the state of the TLS session, nil without one.
func (hc *conn) tlsState() *tls.ConnectionState {
	if hc.extra != nil && hc.extra.tls != nil {
		return hc.extra.tls
	}
	state := hc.c.TLS()
	if state != nil {
		hc.rare().tls = state
	}
	return state
}

func (hc *conn) remoteAddr() string {
	if hc.remote == "" {
		if addr := hc.c.RemoteAddr(); addr != nil {
			hc.remote = addr.String()
		}
	}
	return hc.remote
}

// view returns the net.Conn that stands for the connection in hooks.
func (hc *conn) view() *connView {
	x := hc.rare()
	if x.view == nil {
		x.view = &connView{hc}
	}
	return x.view
}

// connView is the net.Conn of ConnState and ConnContext: it names a connection, can close it
// and bound its reads and writes. The bytes are the server's.
type connView struct{ hc *conn }

var errNotYours = errors.New("http1: the server reads and writes this connection; Hijack it first")

func (v *connView) Read([]byte) (int, error)  { return 0, errNotYours }
func (v *connView) Write([]byte) (int, error) { return 0, errNotYours }
func (v *connView) LocalAddr() net.Addr       { return v.hc.c.LocalAddr() }
func (v *connView) RemoteAddr() net.Addr      { return v.hc.c.RemoteAddr() }

// Close ends the connection, and the context of a request that is running.
func (v *connView) Close() error {
	err := v.hc.c.Close()
	v.hc.cancelRequest()
	return err
}

func (v *connView) SetDeadline(t time.Time) error {
	return errors.Join(v.SetReadDeadline(t), v.SetWriteDeadline(t))
}

func (v *connView) SetReadDeadline(t time.Time) error {
	v.hc.c.SetReadDeadline(t)
	return nil
}

// SetWriteDeadline bounds the writes of the running request.
func (v *connView) SetWriteDeadline(t time.Time) error {
	if ex := v.hc.cur.Load(); ex != nil {
		return ex.res.SetWriteDeadline(t)
	}
	return nil
}

// drain is what is left of a request's body after its handler returned.
type drain struct {
	left    int64       // bytes, if the length was declared
	chunked *h1.Chunked // else
	budget  int         // bytes that may still be discarded
}

// drainBody discards the rest of a body and reports whether it is all gone.
func (hc *conn) drainBody() bool {
	d := hc.extra.drain
	for {
		if hc.in != nil && hc.in.Len() > 0 {
			done, err := d.take(hc.in)
			if err != nil || d.budget < 0 {
				hc.linger() // never parse what is left as a request (hazard 49)
				return false
			}
			if done {
				hc.extra.drain = nil
				hc.clearDeadline()
				hc.mode = modeHead
				hc.setState(http.StateIdle)
				return true
			}
		}
		err := hc.fill()
		if err == strand.ErrWouldBlock {
			return false
		}
		if err != nil {
			hc.close()
			return false
		}
	}
}

// take discards what it can of the bytes in b.
func (d *drain) take(b *buf.Block) (done bool, err error) {
	if d.chunked == nil {
		n := int(min(int64(b.Len()), d.left))
		b.Consume(n)
		d.left -= int64(n)
		d.budget -= n
		return d.left == 0, nil
	}
	for b.Len() > 0 {
		n, _, done, err := d.chunked.Decode(b.Data(), b.Len())
		b.Consume(n)
		d.budget -= n
		if done || err != nil {
			return done, err
		}
	}
	return false, nil
}
