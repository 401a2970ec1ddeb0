package soak

import (
	"encoding/binary"
	"fmt"
)

// WebSocket opcodes, RFC 6455 section 5.2.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// appendFrame appends one frame; mask nil means unmasked, which is a server's frame.
func appendFrame(dst []byte, fin, rsv1 bool, op byte, mask *[4]byte, p []byte) []byte {
	b0 := op
	if fin {
		b0 |= 0x80
	}
	if rsv1 {
		b0 |= 0x40
	}
	var m byte
	if mask != nil {
		m = 0x80
	}
	dst = append(dst, b0)
	switch n := len(p); {
	case n < 126:
		dst = append(dst, m|byte(n))
	case n < 65536:
		dst = append(dst, m|126, byte(n>>8), byte(n))
	default:
		dst = append(dst, m|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	if mask == nil {
		return append(dst, p...)
	}
	dst = append(dst, mask[:]...)
	at := len(dst)
	dst = append(dst, p...)
	maskBytes(*mask, dst[at:])
	return dst
}

func maskBytes(mask [4]byte, p []byte) {
	k := binary.NativeEndian.Uint32(mask[:])
	k2 := uint64(k) | uint64(k)<<32
	for len(p) >= 8 {
		binary.NativeEndian.PutUint64(p, binary.NativeEndian.Uint64(p)^k2)
		p = p[8:]
	}
	for i := range p {
		p[i] ^= mask[i&3]
	}
}

// A frame is one received frame.
type frame struct {
	fin, rsv1 bool
	op        byte
	masked    bool
	payload   []byte
}

// A flawError is a peer's offence against the protocol.
type flawError string

func (e flawError) Error() string { return string(e) }

// readFrame appends the next frame's payload to dst. masked says which side the peer is on; limit bounds the payload.
func readFrame(x *wire, dst []byte, masked bool, limit int) (frame, error) {
	var f frame
	h, err := x.full(make([]byte, 0, 14), 2)
	if err != nil {
		if len(h) > 0 {
			err = fmt.Errorf("within a frame's head: %w", err)
		}
		return f, err
	}
	f.fin, f.rsv1, f.op, f.masked = h[0]&0x80 != 0, h[0]&0x40 != 0, h[0]&15, h[1]&0x80 != 0
	if h[0]&0x30 != 0 || f.op > opBinary && f.op < opClose || f.op > opPong {
		return f, flawError(fmt.Sprintf("a frame that begins %02x %02x", h[0], h[1]))
	}
	if f.masked != masked {
		return f, flawError("a frame masked as if from the other side")
	}
	n := uint64(h[1] & 0x7f)
	if f.op >= opClose && (n > 125 || !f.fin || f.rsv1) {
		return f, flawError(fmt.Sprintf("a control frame that begins %02x %02x", h[0], h[1]))
	}
	if n, err = frameLength(x, n); err != nil {
		return f, err
	}
	if n > uint64(limit) {
		return f, flawError(fmt.Sprintf("a frame that declares %d bytes", n))
	}
	var mask []byte
	if masked {
		if mask, err = x.full(nil, 4); err != nil {
			return f, err
		}
	}
	at := len(dst)
	f.payload, err = x.full(dst, int(n))
	if masked {
		maskBytes([4]byte(mask), f.payload[at:])
	}
	return f, err
}

func frameLength(x *wire, n uint64) (uint64, error) {
	if n < 126 {
		return n, nil
	}
	size := 2
	if n == 127 {
		size = 8
	}
	b, err := x.full(nil, size)
	if err != nil {
		return 0, err
	}
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	if v < 126 || size == 8 && v < 65536 {
		return 0, flawError(fmt.Sprintf("a length of %d written in %d bytes", v, size))
	}
	return v, nil
}
