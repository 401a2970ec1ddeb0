package soak

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Mark names one message: who sent it (worker and connection), as what kind, and which one of the connection it is.
// Every payload byte is a function of the seed, the Mark and the byte's offset, and whole cells of a payload can be
// turned back into their Mark, so that a byte in the wrong place names its owner.
type Mark struct {
	Worker uint16
	Kind   uint8
	Conn   uint32
	Seq    uint32
}

// SameConn reports whether both marks belong to one connection.
func (m Mark) SameConn(o Mark) bool { return m.Worker == o.Worker && m.Conn == o.Conn }

// String gives kind, worker, connection and sequence, as they travel in Content-Type and X-Soak.
func (m Mark) String() string {
	b := make([]byte, 0, 48)
	b = append(b, kindName(m.Kind)...)
	for _, v := range [...]uint32{uint32(m.Worker), m.Conn, m.Seq} {
		b = append(b, '.')
		b = strconv.AppendUint(b, uint64(v), 10)
	}
	return string(b)
}

// MarshalText makes a Mark readable in the JSON result.
func (m Mark) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// parseMark is the inverse of String.
func parseMark(s string) (Mark, bool) {
	f := strings.Split(s, ".")
	if len(f) != 4 {
		return Mark{}, false
	}
	k, ok := kindByName(f[0])
	if !ok {
		return Mark{}, false
	}
	w, err1 := strconv.ParseUint(f[1], 10, 16)
	c, err2 := strconv.ParseUint(f[2], 10, 32)
	q, err3 := strconv.ParseUint(f[3], 10, 32)
	if err1 != nil || err2 != nil || err3 != nil {
		return Mark{}, false
	}
	return Mark{Worker: uint16(w), Kind: k, Conn: uint32(c), Seq: uint32(q)}, true
}

// A Coding says how the cells of a payload are written.
type Coding uint8

const (
	// Binary is the cell itself: 16 bytes, any value, hard to compress.
	Binary Coding = iota
	// Hex is the cell in lower-case hexadecimal: 32 bytes of ASCII, legal in a text message cut anywhere.
	Hex
	// Words is a four-byte UTF-8 word per nibble: 128 bytes, full of repetitions for a compressor and of
	// multi-byte runes for a validator. Its payloads are multiples of four bytes.
	Words
	codings
)

// cellSize is the length of one encoded cell by Coding.
var cellSize = [codings]int{16, 32, 128}

// bitsPerByte is how much of a cell one byte of the Coding tells.
var bitsPerByte = [codings]int{8, 4, 1}

// words are the sixteen nibbles of the Words coding, four bytes each.
var words = [16]string{
	"elm ", "oak ", "ash ", "fir ", "yew ", "bay ", "fig ",
	"æg ", "øl ", "où ", "ñu ", "€ ", "→ ", "日 ", "😀", "🌲",
}

var wordNibble = func() map[string]byte {
	m := make(map[string]byte, len(words))
	for i, w := range words {
		m[w] = byte(i)
	}
	return m
}()

const cellMagic = 0x50a4

// A keyring turns marks into bytes and bytes into marks for one seed. It is safe for concurrent use.
type keyring struct {
	block cipher.Block
	seed  uint64
}

func newKeyring(seed uint64) *keyring {
	var k [16]byte
	binary.BigEndian.PutUint64(k[:8], seed)
	copy(k[8:], "strand/s")
	b, err := aes.NewCipher(k[:])
	if err != nil {
		panic(fmt.Sprintf("soak: a 16-byte key was refused: %v", err))
	}
	return &keyring{block: b, seed: seed}
}

// seal writes cell i of m over raw, 16 bytes: one AES block, so each of its bytes depends on all of the mark.
func (k *keyring) seal(raw []byte, m Mark, i int) {
	binary.BigEndian.PutUint32(raw[0:], m.Conn)
	binary.BigEndian.PutUint32(raw[4:], m.Seq)
	binary.BigEndian.PutUint32(raw[8:], uint32(i)<<8|uint32(m.Kind))
	binary.BigEndian.PutUint16(raw[12:], m.Worker)
	binary.BigEndian.PutUint16(raw[14:], cellMagic)
	k.block.Encrypt(raw, raw)
}

const hexDigits = "0123456789abcdef"

// appendCell seals the cell at the end of the room it takes and spreads it from the front, each byte after it is read.
func (k *keyring) appendCell(dst []byte, m Mark, c Coding, i int) []byte {
	at := len(dst)
	dst = slices.Grow(dst, cellSize[c])[:at+cellSize[c]]
	cell := dst[at:]
	raw := cell[len(cell)-16:]
	k.seal(raw, m, i)
	switch c {
	case Hex:
		for j := range raw {
			b := raw[j]
			cell[2*j], cell[2*j+1] = hexDigits[b>>4], hexDigits[b&15]
		}
	case Words:
		for j := range raw {
			b := raw[j]
			copy(cell[8*j:], words[b>>4])
			copy(cell[8*j+4:], words[b&15])
		}
	}
	return dst
}

// appendPayload appends bytes [off, off+n) of m's payload to dst.
func (k *keyring) appendPayload(dst []byte, m Mark, c Coding, off, n int) []byte {
	size := cellSize[c]
	end := len(dst) + n
	dst = slices.Grow(dst, n+size)
	i := off / size
	if skip := off % size; skip > 0 && n > 0 {
		cell := k.appendCell(make([]byte, 0, 128), m, c, i)
		dst = append(dst, cell[skip:min(size, skip+n)]...)
		i++
	}
	for len(dst) < end {
		dst = k.appendCell(dst, m, c, i)
		i++
	}
	return dst[:end]
}

// An origin is a place in a message: the owner of a byte found somewhere.
type origin struct {
	mark   Mark
	coding Coding
	off    int
}

// identify returns the owner of the cell p begins with, if p begins with a whole cell of this seed.
func (k *keyring) identify(p []byte) (origin, bool) {
	if len(p) < 16 {
		return origin{}, false
	}
	raw := make([]byte, 16)
	copy(raw, p)
	if o, ok := k.open(raw, Binary); ok {
		return o, true
	}
	if len(p) >= 32 && isHex(p[0]) {
		if _, err := hex.Decode(raw, p[:32]); err == nil {
			if o, ok := k.open(raw, Hex); ok {
				return o, true
			}
		}
	}
	if len(p) < 128 {
		return origin{}, false
	}
	for i := range raw {
		hi, ok1 := wordNibble[string(p[i*8:i*8+4])]
		lo, ok2 := wordNibble[string(p[i*8+4:i*8+8])]
		if !ok1 || !ok2 {
			return origin{}, false
		}
		raw[i] = hi<<4 | lo
	}
	return k.open(raw, Words)
}

func isHex(b byte) bool { return b >= '0' && b <= '9' || b >= 'a' && b <= 'f' }

// open is the inverse of seal; it writes over raw.
func (k *keyring) open(raw []byte, c Coding) (origin, bool) {
	k.block.Decrypt(raw, raw)
	if binary.BigEndian.Uint16(raw[14:]) != cellMagic {
		return origin{}, false
	}
	m := Mark{
		Conn:   binary.BigEndian.Uint32(raw[0:]),
		Seq:    binary.BigEndian.Uint32(raw[4:]),
		Kind:   raw[11],
		Worker: binary.BigEndian.Uint16(raw[12:]),
	}
	cell := int(binary.BigEndian.Uint32(raw[8:]) >> 8)
	// 16 bits of magic alone would name a stranger once in 65,536 tries: what no run sends is refused too.
	if !kindKnown(m.Kind) || m.Worker >= maxWorkers || cell > 1<<20 {
		return origin{}, false
	}
	return origin{mark: m, coding: c, off: cell * cellSize[c]}, true
}
