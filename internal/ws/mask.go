package ws

import (
	"encoding/binary"
	"math/bits"
)

// Mask combines b in place with the masking key (RFC 6455 section 5.3), which
// both masks and unmasks. pos is how many bytes of the frame's payload came
// before b; the return value is the pos for the bytes after it.
func Mask(key uint32, b []byte, pos int) int {
	return MaskTo(key, b, b, pos)
}

// MaskTo is Mask from src into dst, one pass instead of a copy and a pass. dst
// must be at least as long as src, and be either src itself or memory that does
// not overlap it.
func MaskTo(key uint32, dst, src []byte, pos int) int {
	dst = dst[:len(src)]
	next := (pos + len(src)) & 3
	key = bits.RotateLeft32(key, -8*(pos&3))
	if len(src) >= 8 {
		n := maskWords(uint64(key)<<32|uint64(key), dst, src)
		// Words are multiples of four bytes: the key's phase has not moved.
		dst, src = dst[n:], src[n:]
	}
	for i := range src {
		dst[i] = src[i] ^ byte(key)
		key = bits.RotateLeft32(key, -8)
	}
	return next
}

// maskWords masks all but the last few bytes, fewer than eight, and returns how
// many it did. The fixed-size views let the compiler drop the bounds checks.
func maskWords(k uint64, dst, src []byte) int {
	le := binary.LittleEndian
	n := 0
	for len(src) >= 64 {
		s, d := (*[64]byte)(src), (*[64]byte)(dst)
		le.PutUint64(d[0:], le.Uint64(s[0:])^k)
		le.PutUint64(d[8:], le.Uint64(s[8:])^k)
		le.PutUint64(d[16:], le.Uint64(s[16:])^k)
		le.PutUint64(d[24:], le.Uint64(s[24:])^k)
		le.PutUint64(d[32:], le.Uint64(s[32:])^k)
		le.PutUint64(d[40:], le.Uint64(s[40:])^k)
		le.PutUint64(d[48:], le.Uint64(s[48:])^k)
		le.PutUint64(d[56:], le.Uint64(s[56:])^k)
		src, dst = src[64:], dst[64:]
		n += 64
	}
	for len(src) >= 8 {
		s, d := (*[8]byte)(src), (*[8]byte)(dst)
		le.PutUint64(d[:], le.Uint64(s[:])^k)
		src, dst = src[8:], dst[8:]
		n += 8
	}
	return n
}
