package ws

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"testing"
)

func maskNaive(key uint32, dst, src []byte, pos int) {
	var k [4]byte
	binary.LittleEndian.PutUint32(k[:], key)
	for i := range src {
		dst[i] = src[i] ^ k[(pos+i)&3]
	}
}

func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(n)*2654435761 + 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func TestMaskEqualsNaive(t *testing.T) {
	const key = 0x04a3f21b
	src := pattern(300)
	for offset := range 9 {
		for n := range 260 {
			for pos := range 5 {
				want, got := bytes.Clone(src), bytes.Clone(src)
				maskNaive(key, want[offset:offset+n], src[offset:offset+n], pos)
				if next := Mask(key, got[offset:offset+n], pos); next != (pos+n)&3 {
					t.Fatalf("offset %d length %d pos %d: next %d", offset, n, pos, next)
				}
				if !bytes.Equal(got, want) {
					t.Fatalf("offset %d length %d pos %d: wrong bytes", offset, n, pos)
				}
				fresh := make([]byte, n+1)
				MaskTo(key, fresh, src[offset:offset+n], pos)
				if !bytes.Equal(fresh[:n], want[offset:offset+n]) || fresh[n] != 0 {
					t.Fatalf("offset %d length %d pos %d: MaskTo differs", offset, n, pos)
				}
			}
		}
	}
}

func TestMaskInPieces(t *testing.T) {
	const key = 0xdeadbeef
	src := pattern(200)
	want := make([]byte, len(src))
	maskNaive(key, want, src, 0)
	for a := range len(src) {
		for _, b := range []int{a, (a + len(src)) / 2, len(src)} {
			got := bytes.Clone(src)
			pos := Mask(key, got[:a], 0)
			pos = Mask(key, got[a:b], pos)
			Mask(key, got[b:], pos)
			if !bytes.Equal(got, want) {
				t.Fatalf("cut at %d and %d: wrong bytes", a, b)
			}
		}
	}
}

var benchSizes = []int{16, 64, 125, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10}

func BenchmarkMask(b *testing.B) {
	for _, n := range benchSizes {
		p := make([]byte, n)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.SetBytes(int64(n))
			pos := 0
			for b.Loop() {
				pos = Mask(0x12345678, p, pos)
			}
		})
	}
}

func BenchmarkMaskTo(b *testing.B) {
	for _, n := range benchSizes {
		p, q := make([]byte, n), make([]byte, n)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				MaskTo(0x12345678, q, p, 1)
			}
		})
	}
}
