package ws

import "encoding/binary"

// UTF8 validates text that arrives in pieces. It fails at the first byte after
// which no continuation could make the text valid, so a connection can be failed
// before the message is complete. The zero value stands at the start of a text.
type UTF8 struct {
	need   uint8 // continuation bytes still to come
	lo, hi uint8 // bounds of the next one, if need is not zero
}

// lead says what may follow a first byte: how many continuation bytes, and the
// bounds of the first of them. These bounds are what excludes overlong forms,
// surrogates and values above U+10FFFF (RFC 3629 section 4).
type lead struct{ need, lo, hi uint8 }

var leads = makeLeads()

func makeLeads() (t [256]lead) {
	for b := 0xc2; b <= 0xdf; b++ {
		t[b] = lead{1, 0x80, 0xbf}
	}
	for b := 0xe0; b <= 0xef; b++ {
		t[b] = lead{2, 0x80, 0xbf}
	}
	for b := 0xf0; b <= 0xf4; b++ {
		t[b] = lead{3, 0x80, 0xbf}
	}
	t[0xe0].lo = 0xa0
	t[0xed].hi = 0x9f
	t[0xf0].lo = 0x90
	t[0xf4].hi = 0x8f
	return t
}

// Check takes the next piece of the text and returns the error with which to
// fail the connection if the text can no longer become valid. After an error the
// state is undefined until Reset.
func (u *UTF8) Check(p []byte) *Error {
	if u.Scan(p) >= 0 {
		return errUTF8
	}
	return nil
}

// Finish returns an error if the text ends inside a character, and otherwise
// leaves the state ready for the next text.
func (u *UTF8) Finish() *Error {
	if u.need != 0 {
		return errUTF8
	}
	return nil
}

// Reset forgets the text so far.
func (u *UTF8) Reset() { *u = UTF8{} }

// Scan takes the next piece of the text and returns the offset of the first
// byte of p that cannot be part of any valid text, or -1.
func (u *UTF8) Scan(p []byte) int {
	i := 0
	for u.need > 0 {
		if i == len(p) {
			return -1
		}
		if p[i] < u.lo || p[i] > u.hi {
			return i
		}
		u.need, u.lo, u.hi = u.need-1, 0x80, 0xbf
		i++
	}
	for {
		i += ascii(p[i:])
		if i == len(p) {
			return -1
		}
		n, bad := runes(p[i:])
		i += n
		if bad {
			return i
		}
		if i == len(p) {
			return -1
		}
		if len(p)-i <= int(leads[p[i]].need) {
			return u.begin(p, i)
		}
	}
}

// begin takes a character that p cuts short, whose first byte is at i.
func (u *UTF8) begin(p []byte, i int) int {
	l := leads[p[i]]
	*u = UTF8(l)
	for i++; i < len(p); i++ {
		if p[i] < u.lo || p[i] > u.hi {
			return i
		}
		u.need, u.lo, u.hi = u.need-1, 0x80, 0xbf
	}
	return -1
}

// ascii returns how many bytes at the start of p are below 0x80.
func ascii(p []byte) int {
	const high = 0x8080808080808080
	le := binary.LittleEndian
	n := 0
	for len(p) >= 32 {
		q := (*[32]byte)(p)
		if (le.Uint64(q[0:])|le.Uint64(q[8:])|le.Uint64(q[16:])|le.Uint64(q[24:]))&high != 0 {
			break
		}
		p = p[32:]
		n += 32
	}
	for len(p) >= 8 && le.Uint64(p)&high == 0 {
		p = p[8:]
		n += 8
	}
	for _, b := range p {
		if b >= 0x80 {
			break
		}
		n++
	}
	return n
}

// runes takes whole characters from p until it has met sixteen bytes of ASCII
// in a row, where ascii is the faster way, or a character that p cuts short, or
// a bad byte. It returns the offset where it stopped.
func runes(p []byte) (n int, bad bool) {
	plain := 0
	for n < len(p) && plain < 16 {
		b := p[n]
		if b < 0x80 {
			plain++
			n++
			continue
		}
		plain = 0
		l := leads[b]
		if l.need == 0 {
			return n, true
		}
		if len(p)-n <= int(l.need) {
			return n, false
		}
		if p[n+1] < l.lo || p[n+1] > l.hi {
			return n + 1, true
		}
		if l.need >= 2 && p[n+2]&0xc0 != 0x80 {
			return n + 2, true
		}
		if l.need == 3 && p[n+3]&0xc0 != 0x80 {
			return n + 3, true
		}
		n += int(l.need) + 1
	}
	return n, false
}
