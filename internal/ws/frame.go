package ws

import "encoding/binary"

// Opcode is the meaning of a frame (RFC 6455 section 5.2).
type Opcode uint8

// The opcodes that RFC 6455 defines; every other is reserved.
const (
	OpContinuation Opcode = 0
	OpText         Opcode = 1
	OpBinary       Opcode = 2
	OpClose        Opcode = 8
	OpPing         Opcode = 9
	OpPong         Opcode = 10
)

// Control reports whether the opcode is one of a control frame, which may stand
// between the fragments of a message.
func (o Opcode) Control() bool { return o&8 != 0 }

// Role is the side of the connection that sent a frame: clients mask, servers
// do not.
type Role uint8

// The two senders.
const (
	FromClient Role = iota
	FromServer
)

// MaxControl is the longest payload of a control frame, in bytes.
const MaxControl = 125

// MaxHeader is the longest frame header, in bytes.
const MaxHeader = 14

// Header is what precedes a frame's payload. Key holds the four bytes of the
// masking key in little-endian order, and means something only if Masked.
type Header struct {
	Length int64
	Key    uint32
	Op     Opcode
	Fin    bool
	RSV1   bool // the message is compressed (RFC 7692 section 6)
	Masked bool
}

const (
	bitFin  = 0x80
	bitRSV1 = 0x40
	bitRSV  = 0x30 // RSV2 and RSV3, which no extension known here uses
	bitMask = 0x80
)

// ParseHeader reads the header at the start of p, which the named role sent.
// compressed says whether per-message compression was negotiated, without which
// RSV1 is reserved. It returns the header and its length in bytes; or zero and
// nil if p ends before the header does, and what is known of h (its first byte's
// fields, if there is one); or the error with which to fail the
// connection, as soon as a byte of p makes the header wrong.
func ParseHeader(p []byte, from Role, compressed bool) (h Header, n int, err *Error) {
	if len(p) == 0 {
		return h, 0, nil
	}
	if err = h.setFirst(p[0], compressed); err != nil {
		return h, 0, err
	}
	if len(p) < 2 {
		return h, 0, nil
	}
	h.Masked = p[1]&bitMask != 0
	if h.Masked != (from == FromClient) {
		if h.Masked {
			return h, 0, errMasked
		}
		return h, 0, errUnmasked
	}
	if n, err = h.setLength(p); n == 0 || err != nil {
		return h, 0, err
	}
	if !h.Masked {
		return h, n, nil
	}
	if len(p) < n+4 {
		return h, 0, nil
	}
	h.Key = binary.LittleEndian.Uint32(p[n:])
	return h, n + 4, nil
}

// setFirst takes the byte of the flags and the opcode.
func (h *Header) setFirst(b byte, compressed bool) *Error {
	h.Fin = b&bitFin != 0
	h.RSV1 = b&bitRSV1 != 0
	h.Op = Opcode(b & 0x0f)
	if b&bitRSV != 0 || h.RSV1 && !compressed {
		return errRSV
	}
	switch h.Op {
	case OpText, OpBinary:
		return nil
	case OpContinuation, OpClose, OpPing, OpPong:
		// RFC 7692 section 6.1: only the first frame of a message carries it.
		if h.RSV1 {
			return errRSV1
		}
	default:
		return errOpcode
	}
	if h.Op.Control() && !h.Fin {
		return errControlFin
	}
	return nil
}

// setLength takes the payload length and returns the offset of what follows it,
// or zero if p is too short to know.
func (h *Header) setLength(p []byte) (int, *Error) {
	short := p[1] &^ bitMask
	if short <= 125 {
		h.Length = int64(short)
		return 2, nil
	}
	if h.Op.Control() {
		return 0, errControlLong
	}
	if short == 126 {
		if len(p) < 4 {
			return 0, nil
		}
		h.Length = int64(binary.BigEndian.Uint16(p[2:]))
		if h.Length <= 125 {
			return 0, errMinimal
		}
		return 4, nil
	}
	if len(p) > 2 && p[2]&0x80 != 0 {
		return 0, errTopBit
	}
	// Six zero bytes leave at most 65535, whatever the last two are.
	if len(p) >= 8 && binary.BigEndian.Uint64(p[:8])<<16 == 0 {
		return 0, errMinimal
	}
	if len(p) < 10 {
		return 0, nil
	}
	h.Length = int64(binary.BigEndian.Uint64(p[2:]))
	return 10, nil
}

// AppendHeader appends the shortest form of h to dst and returns the extended
// slice. h.Length must not be negative; a header that breaks the rules of
// ParseHeader otherwise is written as it is.
func AppendHeader(dst []byte, h Header) []byte {
	first := byte(h.Op)
	if h.Fin {
		first |= bitFin
	}
	if h.RSV1 {
		first |= bitRSV1
	}
	var mask byte
	if h.Masked {
		mask = bitMask
	}
	switch {
	case h.Length < 0:
		panic("ws: negative frame length")
	case h.Length <= 125:
		dst = append(dst, first, mask|byte(h.Length))
	case h.Length <= 0xffff:
		dst = append(dst, first, mask|126, byte(h.Length>>8), byte(h.Length))
	default:
		dst = append(dst, first, mask|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(h.Length))
	}
	if h.Masked {
		dst = binary.LittleEndian.AppendUint32(dst, h.Key)
	}
	return dst
}

// HeaderLen returns how many bytes AppendHeader appends for a payload of length
// bytes.
func HeaderLen(length int64, masked bool) int {
	n := 2
	if length > 0xffff {
		n = 10
	} else if length > 125 {
		n = 4
	}
	if masked {
		n += 4
	}
	return n
}
