package conformance

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"
)

// link is one connection after its opening handshake, seen from the suite's side.
type link struct {
	c        net.Conn
	opt      *Options
	isClient bool // the suite plays the client, so it masks and the peer must not
	rng      *rand.Rand
	in       inbox

	tx *deflater // nil without permessage-deflate
	rx *inflater

	part     []byte // message in assembly, with its opcode and whether it is compressed
	partOp   byte
	partZ    bool
	partOpen bool
	closed   bool // the peer's Close frame was seen
	keys     map[[4]byte]int
	frames   int // frames seen from the peer
}

// inbox holds what the peer sent until the case asks, so that a peer that answers while
// the suite still writes never blocks.
type inbox struct {
	mu   sync.Mutex
	q    []frame
	keys [][4]byte
	err  error
	wake chan struct{}
	gate sync.Mutex // held by a case that does not read for a while
}

func newLink(c net.Conn, br *bufio.Reader, isClient bool, opt *Options, rng *rand.Rand) *link {
	l := &link{c: c, isClient: isClient, opt: opt, rng: rng, keys: map[[4]byte]int{}}
	l.in.wake = make(chan struct{}, 1)
	go l.in.fill(br) // ends when the case closes the connection
	return l
}

func (in *inbox) fill(br *bufio.Reader) {
	for {
		f, key, err := readFrame(br)
		in.gate.Lock()
		in.gate.Unlock() //lint:ignore SA2001 passing the gate is all
		in.mu.Lock()
		if err != nil {
			in.err = err
		} else {
			in.q = append(in.q, f)
			in.keys = append(in.keys, key)
		}
		in.mu.Unlock()
		select {
		case in.wake <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

var errSilent = errors.New("no answer")

func (in *inbox) pop(wait time.Duration) (frame, [4]byte, error) {
	t := time.NewTimer(wait)
	defer t.Stop()
	for {
		in.mu.Lock()
		if len(in.q) > 0 {
			f, k := in.q[0], in.keys[0]
			in.q, in.keys = in.q[1:], in.keys[1:]
			in.mu.Unlock()
			return f, k, nil
		}
		err := in.err
		in.mu.Unlock()
		if err != nil {
			return frame{}, [4]byte{}, err
		}
		select {
		case <-in.wake:
		case <-t.C:
			return frame{}, [4]byte{}, fmt.Errorf("%w within %v", errSilent, wait)
		}
	}
}

// event is what a case can wait for.
type event struct {
	op     byte // opText, opBin, opPong, opClose; opGone at the end of the stream
	data   []byte
	code   int // of a Close, 1005 if it has none
	err    error
	zipped bool // the message came compressed
}

const opGone = 0xff

func (e event) String() string {
	switch e.op {
	case opText, opBin:
		name := "text"
		if e.op == opBin {
			name = "binary"
		}
		if len(e.data) > 40 {
			return fmt.Sprintf("%s of %d bytes", name, len(e.data))
		}
		return fmt.Sprintf("%s %q", name, e.data)
	case opPong:
		return fmt.Sprintf("pong %q", e.data)
	case opClose:
		return fmt.Sprintf("Close %d %q", e.code, e.data)
	}
	return fmt.Sprintf("TCP closed (%v)", e.err)
}

// next returns the peer's next message, control frame or end. Its error is a broken rule
// on the peer's side, or silence.
func (l *link) next() (event, error) {
	for {
		f, key, err := l.in.pop(l.opt.Timeout)
		if err != nil {
			return l.ended(err)
		}
		if l.closed {
			return event{}, fmt.Errorf("peer broke 5.5.1: %v after its Close", f)
		}
		if err := l.lawful(f, key); err != nil {
			return event{}, err
		}
		if f.op == opPing {
			continue // a heartbeat: an answer could end up inside a frame that is half sent
		}
		if f.op >= 8 {
			return l.control(f)
		}
		done, err := l.data(f)
		if err != nil {
			return event{}, err
		}
		if done {
			return l.message()
		}
	}
}

func (l *link) ended(err error) (event, error) {
	if isEnd(err) {
		return event{op: opGone, err: err}, nil
	}
	return event{}, err
}

// isEnd says that the peer ended the connection, in order or with a reset.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}

func (l *link) lawful(f frame, key [4]byte) error {
	if f.masked == l.isClient {
		return fmt.Errorf("peer broke 5.1: %v masked %v", f, f.masked)
	}
	if f.masked {
		l.keys[key]++
	}
	l.frames++
	ok := f.rsv == 0 || f.rsv == rsv1 && l.rx != nil && (f.op == opText || f.op == opBin)
	if !ok {
		return fmt.Errorf("peer broke 5.2: %v", f)
	}
	switch f.op {
	case opCont, opText, opBin, opClose, opPing, opPong:
		return nil
	}
	return fmt.Errorf("peer broke 5.2: %v", f)
}

func (l *link) control(f frame) (event, error) {
	e := event{op: f.op, data: f.payload}
	if f.op != opClose {
		return e, nil
	}
	l.closed = true
	e.code = 1005
	if len(f.payload) == 0 {
		return e, nil
	}
	if len(f.payload) == 1 {
		return e, errors.New("peer broke 5.5.1: a Close with one byte")
	}
	e.code = int(f.payload[0])<<8 | int(f.payload[1])
	e.data = f.payload[2:]
	if !utf8.Valid(e.data) {
		return e, errors.New("peer broke 5.5.1: the reason is not UTF-8")
	}
	if !lawfulCode(e.code) {
		return e, fmt.Errorf("peer broke 7.4: Close code %d", e.code)
	}
	return e, nil
}

func lawfulCode(c int) bool {
	return c >= 1000 && c <= 1014 && c != 1004 && c != 1005 && c != 1006 || c >= 3000 && c <= 4999
}

func (l *link) data(f frame) (bool, error) {
	if (f.op == opCont) != l.partOpen {
		return false, fmt.Errorf("peer broke 5.4: %v, a message open: %v", f, l.partOpen)
	}
	if f.op != opCont {
		l.part, l.partOp, l.partZ, l.partOpen = nil, f.op, f.rsv&rsv1 != 0, true
	}
	if l.part == nil {
		l.part = f.payload
	} else {
		l.part = append(l.part, f.payload...)
	}
	if f.fin {
		l.partOpen = false
	}
	return f.fin, nil
}

func (l *link) message() (event, error) {
	e := event{op: l.partOp, data: l.part, zipped: l.partZ}
	l.part = nil
	if e.zipped {
		p, err := l.rx.message(e.data)
		if err != nil {
			return e, err
		}
		e.data = p
	}
	if e.op == opText && !utf8.Valid(e.data) {
		return e, errors.New("peer broke 8.1: a text message that is not UTF-8")
	}
	return e, nil
}

// encode returns the frames' bytes as the suite's role writes them.
func (l *link) encode(fs ...frame) []byte {
	var b []byte
	for _, f := range fs {
		var key [4]byte
		if f.key != nil {
			key = *f.key
		} else {
			l.rng.Read(key[:])
		}
		b = appendFrame(b, f, l.isClient != f.flip, key)
	}
	return b
}

// write sends b in the pieces seg cuts. A peer may have failed the connection already,
// so an error here is for the case to judge by what it reads.
func (l *link) write(seg segment, b []byte) {
	for len(b) > 0 {
		n, pause := seg(l.rng, len(b))
		l.c.SetWriteDeadline(time.Now().Add(l.opt.Timeout))
		if _, err := l.c.Write(b[:n]); err != nil {
			return
		}
		b = b[n:]
		if pause && len(b) > 0 {
			time.Sleep(50 * time.Microsecond) // so that the peer's reads end here too
		}
	}
}

// closeWrite ends the suite's direction only.
func (l *link) closeWrite() error {
	if c, ok := l.c.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return l.c.Close()
}

// segment says how many of n bytes go into the next write and whether to pause after it.
type segment func(rng *rand.Rand, n int) (int, bool)

func segWhole(_ *rand.Rand, n int) (int, bool) { return n, false }
func segBytes(*rand.Rand, int) (int, bool)     { return 1, true }

// segRandom makes cuts of very different sizes, most of them with a pause.
func segRandom(rng *rand.Rand, n int) (int, bool) {
	k := 1 + rng.Intn(1<<(1+rng.Intn(16)))
	if n > 1<<20 {
		k += 1 << 16
	}
	return min(k, n), rng.Intn(4) != 0
}

func segEvery(k int) segment {
	return func(_ *rand.Rand, n int) (int, bool) { return min(k, n), k < 2048 }
}

// segAt cuts once, after k bytes.
func segAt(k int) segment {
	first := true
	return func(_ *rand.Rand, n int) (int, bool) {
		if first && k > 0 && k < n {
			first = false
			return k, true
		}
		return n, false
	}
}

// differ describes where two messages part, without printing megabytes.
func differ(got, want []byte) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d bytes, not %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			return fmt.Sprintf("byte %d is %#x, not %#x", i, got[i], want[i])
		}
	}
	return ""
}

func same(a, b []byte) bool { return bytes.Equal(a, b) }
