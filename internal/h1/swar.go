package h1

import (
	"encoding/binary"
	"math/bits"
)

// Eight bytes are looked at in one 64-bit word. A borrow can only spoil bytes above the
// first hit, and only the lowest hit is used, so the answers are exact.
const (
	lanes01 = 0x0101010101010101
	lanes20 = 0x2020202020202020
	lanes7f = 0x7f7f7f7f7f7f7f7f
	lanes80 = 0x8080808080808080
)

// ctlMask has the high bit of the lowest lane that holds a control byte (below 0x20, or
// 0x7f) set; it is zero if there is none.
func ctlMask(v uint64) uint64 {
	del := v ^ lanes7f
	return ((v-lanes20)&^v | (del-lanes01)&^del) & lanes80
}

func isCTL(c byte) bool { return c < 0x20 || c == 0x7f }

// indexCTL returns the index of the first control byte of b, HTAB included, or len(b).
func indexCTL(b []byte) int {
	i := 0
	for ; len(b)-i >= 8; i += 8 {
		if m := ctlMask(binary.LittleEndian.Uint64(b[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for ; i < len(b); i++ {
		if isCTL(b[i]) {
			return i
		}
	}
	return len(b)
}

// indexCTLFrom is indexCTL for s[i:], with the result counted from the start of s.
func indexCTLFrom(s string, i int) int {
	for ; len(s)-i >= 8; i += 8 {
		w := s[i : i+8]
		v := uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 |
			uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
		if m := ctlMask(v); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for ; i < len(s); i++ {
		if isCTL(s[i]) {
			return i
		}
	}
	return len(s)
}
