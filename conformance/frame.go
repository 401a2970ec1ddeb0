package conformance

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// Opcodes, RFC 6455 section 5.2.
const (
	opCont  = 0x0
	opText  = 0x1
	opBin   = 0x2
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xA
)

// Reserved bits as frame.rsv counts them.
const (
	rsv1 = 4
	rsv2 = 2
	rsv3 = 1
)

// lenForm chooses the width of the length field, right or wrong.
type lenForm int

const (
	formShortest lenForm = iota
	form16
	form64
)

// maxReply bounds a frame the peer may send, so that a broken length does not eat memory.
const maxReply = 128 << 20

// frame is one frame, lawful or not: the writer writes what the fields say.
type frame struct {
	fin     bool
	rsv     byte
	op      byte
	payload []byte
	form    lenForm
	declare int64    // length to declare instead of len(payload), if not 0
	topBit  bool     // set the top bit of a 64-bit length
	flip    bool     // mask where the role forbids it, or do not where it demands it
	key     *[4]byte // masking key; random if nil

	masked bool // as read
}

func (f frame) String() string {
	return fmt.Sprintf("frame{fin %v rsv %03b op %#x len %d}", f.fin, f.rsv, f.op, len(f.payload))
}

// appendFrame appends the bytes of f; mask and key are the caller's choice by role.
func appendFrame(b []byte, f frame, mask bool, key [4]byte) []byte {
	b0 := f.rsv<<4 | f.op
	if f.fin {
		b0 |= 0x80
	}
	var b1 byte
	if mask {
		b1 = 0x80
	}
	n := uint64(len(f.payload))
	if f.declare != 0 {
		n = uint64(f.declare)
	}
	form := f.form
	if form == formShortest && n > 125 {
		form = form16
	}
	if f.topBit || n > 0xffff {
		form = form64
	}
	switch form {
	case formShortest:
		b = append(b, b0, b1|byte(n))
	case form16:
		b = append(b, b0, b1|126)
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	case form64:
		if f.topBit {
			n |= 1 << 63
		}
		b = append(b, b0, b1|127)
		b = binary.BigEndian.AppendUint64(b, n)
	}
	if !mask {
		return append(b, f.payload...)
	}
	b = append(b, key[:]...)
	at := len(b)
	b = append(b, f.payload...)
	xor(b[at:], key)
	return b
}

func xor(p []byte, key [4]byte) {
	for len(p) >= 8 {
		k := binary.LittleEndian.Uint32(key[:])
		kk := uint64(k)<<32 | uint64(k)
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^kk)
		p = p[8:]
	}
	for i := range p {
		p[i] ^= key[i&3]
	}
}

// readFrame reads one frame and refuses what no endpoint may ever send: lengths that are
// not minimal, long or fragmented control frames.
func readFrame(br *bufio.Reader) (f frame, key [4]byte, err error) {
	var h [8]byte
	if _, err = io.ReadFull(br, h[:1]); err != nil {
		return f, key, err // a clean end is io.EOF here and nowhere else
	}
	b0 := h[0]
	if _, err = io.ReadFull(br, h[:1]); err != nil {
		return f, key, torn(err)
	}
	f.fin, f.rsv, f.op, f.masked = b0&0x80 != 0, b0>>4&7, b0&15, h[0]&0x80 != 0
	n, err := readLength(br, h[0]&0x7f)
	if err != nil {
		return f, key, err
	}
	if f.op >= 8 && (n > 125 || !f.fin) {
		return f, key, fmt.Errorf("peer broke 5.5: control frame with fin %v, length %d", f.fin, n)
	}
	if n > maxReply {
		return f, key, fmt.Errorf("peer declares a frame of %d bytes", n)
	}
	if f.masked {
		if _, err = io.ReadFull(br, key[:]); err != nil {
			return f, key, torn(err)
		}
	}
	f.payload = make([]byte, n)
	if _, err = io.ReadFull(br, f.payload); err != nil {
		return f, key, torn(err)
	}
	if f.masked {
		xor(f.payload, key)
	}
	return f, key, nil
}

func readLength(br *bufio.Reader, n7 byte) (uint64, error) {
	var h [8]byte
	switch n7 {
	case 126:
		if _, err := io.ReadFull(br, h[:2]); err != nil {
			return 0, torn(err)
		}
		n := uint64(binary.BigEndian.Uint16(h[:2]))
		if n < 126 {
			return 0, fmt.Errorf("peer broke 5.2: length %d in 16 bits", n)
		}
		return n, nil
	case 127:
		if _, err := io.ReadFull(br, h[:8]); err != nil {
			return 0, torn(err)
		}
		n := binary.BigEndian.Uint64(h[:8])
		if n < 1<<16 || n>>63 != 0 {
			return 0, fmt.Errorf("peer broke 5.2: length %#x in 64 bits", n)
		}
		return n, nil
	}
	return uint64(n7), nil
}

// torn makes the end of the stream inside a frame differ from the end between frames.
func torn(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
