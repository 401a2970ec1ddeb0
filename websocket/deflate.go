package websocket

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"

	"github.com/d74363f0/strand/internal/ws"
)

// deflateState is what a connection with permessage-deflate keeps: of the
// (large) machines none, only the windows of text that messages may refer to.
type deflateState struct {
	outBits, inBits int
	outKeep, inKeep bool   // context takeover
	out             []byte // the end of what was sent compressed; the Conn's mu guards it
	outUsed         bool   // out grew since the last heartbeat; the Conn's mu guards it
	in              []byte // the end of what was received compressed; strand only
}

// newDeflateState makes the state of one side of what was agreed.
func newDeflateState(d ws.Deflate, client bool) *deflateState {
	if client {
		return &deflateState{
			outBits: d.ClientBits, outKeep: !d.ClientNoTakeover,
			inBits: d.ServerBits, inKeep: !d.ServerNoTakeover,
		}
	}
	return &deflateState{
		outBits: d.ServerBits, outKeep: !d.ServerNoTakeover,
		inBits: d.ClientBits, inKeep: !d.ClientNoTakeover,
	}
}

// sentPrepared takes notice of a message that was compressed by itself: the
// peer's window has moved on.
func (d *deflateState) sentPrepared(payload string) {
	sent(d, payload)
}

// sent adds to the window of what was sent.
func sent[T []byte | string](d *deflateState, p T) {
	if d.outKeep {
		d.out = slide(d.out, p, 1<<d.outBits)
		d.outUsed = true
	}
}

// rest forgets what was sent if nothing has been for a while. Nobody is obliged
// to refer to it; what was received must be kept, since the peer may.
func (d *deflateState) rest() {
	if !d.outUsed {
		d.out = nil
	}
	d.outUsed = false
}

// slide appends p to a window of at most size bytes.
func slide[T []byte | string](window []byte, p T, size int) []byte {
	if len(p) >= size {
		return append(window[:0], p[len(p)-size:]...)
	}
	if over := len(window) + len(p) - size; over > 0 {
		window = window[:copy(window, window[over:])]
	}
	if need := len(window) + len(p); need > cap(window) {
		grown := make([]byte, len(window), min(max(2*cap(window), need, 256), size))
		copy(grown, window)
		window = grown
	}
	return append(window, p...)
}

// deflateTail is what ends every compressed message, and is not sent (RFC 7692
// section 7.2.1). inflateTail is that and an empty last block, so that the end of the
// message is the end of the stream.
const (
	deflateTail = "\x00\x00\xff\xff"
	inflateTail = deflateTail + "\x01\x00\x00\xff\xff"
)

// deflater is a pooled compressor. It is reset before each use, and nothing that
// it holds is ever handed out.
type deflater struct {
	w    *flate.Writer
	out  bytes.Buffer
	pool *sync.Pool
}

// deflaters are by window bits below 15, and by level for the full window.
var (
	windowPools [15]sync.Pool
	levelPools  [10]sync.Pool
)

// maxKept is the largest buffer that goes back to a pool.
const maxKept = 64 << 10

func takeDeflater(bits, level int) *deflater {
	pool := &levelPools[level]
	if bits < ws.MaxBits {
		pool = &windowPools[bits]
	}
	if z, ok := pool.Get().(*deflater); ok {
		return z
	}
	z := &deflater{pool: pool}
	var err error
	if bits < ws.MaxBits {
		z.w, err = flate.NewWriterWindow(&z.out, 1<<bits)
	} else {
		z.w, err = flate.NewWriter(&z.out, level)
	}
	if err != nil {
		panic("websocket: " + err.Error()) // the arguments are in range
	}
	return z
}

func (z *deflater) release() {
	if z.out.Cap() > maxKept {
		z.out = bytes.Buffer{}
	}
	z.out.Reset()
	// Not Reset, which would take the dictionary of the last ResetDict, the text
	// of another connection, for the next message's again (hazard 184).
	z.w.ResetDict(&z.out, nil)
	z.pool.Put(z)
}

// compress returns p compressed, which may refer to dict. The result is good
// until release.
func (z *deflater) compress(p, dict []byte) []byte {
	z.out.Reset()
	z.w.ResetDict(&z.out, dict)
	// Writing to a bytes.Buffer cannot fail.
	_, _ = z.w.Write(p)
	_ = z.w.Flush()
	return bytes.TrimSuffix(z.out.Bytes(), []byte(deflateTail))
}

// sendDeflatedLocked compresses a message and gives it to the transport.
func (c *Conn) sendDeflatedLocked(d *deflateState, h ws.Header, p []byte) error {
	z := takeDeflater(d.outBits, c.o.Compression.level())
	defer z.release()
	h.RSV1 = true
	if err := c.sendLocked(h, z.compress(p, d.out)); err != nil {
		return err
	}
	sent(d, p)
	return nil
}

// inflater is a pooled decompressor, reset before each use (hazard 103).
type inflater struct {
	r   io.ReadCloser
	src bytes.Reader
	buf [16 << 10]byte
}

var inflaters sync.Pool

func takeInflater() *inflater {
	if f, ok := inflaters.Get().(*inflater); ok {
		return f
	}
	f := new(inflater)
	f.r = flate.NewReader(&f.src)
	return f
}

func (f *inflater) release() {
	f.src.Reset(nil)
	// A Resetter always, and never an error from it.
	_ = f.r.(flate.Resetter).Reset(&f.src, nil)
	inflaters.Put(f)
}

// maxStreams bounds the final blocks in one message, after each of which the
// decompressor starts again (hazard 102).
const maxStreams = 64

// inflation is one compressed message being read.
type inflation struct {
	c     *Conn
	d     *deflateState
	op    ws.Opcode
	text  ws.UTF8
	total int64
	msg   []byte
}

// inflate decompresses a whole message and delivers it. data is ours to append to.
func (c *Conn) inflate(op ws.Opcode, data []byte) {
	f := takeInflater()
	defer f.release()
	i := inflation{c: c, d: c.deflate(), op: op}
	f.src.Reset(append(data, inflateTail...))
	for range maxStreams {
		_ = f.r.(flate.Resetter).Reset(&f.src, i.d.in)
		ok, end := i.stream(f)
		if !ok {
			return
		}
		// A last block of the peer's own ended the stream early; unless only what
		// was added here is left, another follows.
		if end && (f.src.Len() == 0 || f.src.Len() == len(inflateTail)) {
			i.finish()
			return
		}
	}
	c.fail(InvalidPayload, "corrupt compressed data", nil)
}

// stream reads to the end of one deflate stream. ok is false if the connection
// has ended.
func (i *inflation) stream(f *inflater) (ok, end bool) {
	for {
		n, err := f.r.Read(f.buf[:])
		if n > 0 && !i.take(f.buf[:n]) {
			return false, false
		}
		if err == io.EOF {
			return true, true
		}
		if err != nil {
			i.c.fail(InvalidPayload, "corrupt compressed data", nil)
			return false, false
		}
	}
}

// take adds a piece of the decompressed message.
func (i *inflation) take(p []byte) bool {
	c := i.c
	i.total += int64(len(p))
	if limit := c.o.limits().Message; limit > 0 && i.total > limit {
		c.fail(TooBig, "message too big", nil)
		return false
	}
	if i.op == ws.OpText && !c.checkText(&i.text, p, false) {
		return false
	}
	if i.d.inKeep {
		i.d.in = slide(i.d.in, p, 1<<i.d.inBits)
	}
	if c.kind == inPieces {
		c.piece(i.op, append([]byte(nil), p...), false)
		return c.state.Load() == stateOpen
	}
	i.msg = append(i.msg, p...)
	return true
}

// finish delivers the message.
func (i *inflation) finish() {
	c := i.c
	if i.op == ws.OpText && !c.checkText(&i.text, nil, true) {
		return
	}
	if i.msg == nil {
		i.msg = []byte{}
	}
	c.deliver(i.op, i.msg[:len(i.msg):len(i.msg)])
}
