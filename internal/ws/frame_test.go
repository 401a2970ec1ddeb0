package ws

import (
	"bytes"
	"testing"
)

// parseSplit parses p as it would arrive byte by byte, and fails the test if the
// outcome differs from that of the whole.
func parseSplit(t *testing.T, p []byte, from Role, compressed bool) (Header, int, *Error) {
	t.Helper()
	h, n, err := ParseHeader(p, from, compressed)
	for i := range len(p) + 1 {
		hi, ni, erri := ParseHeader(p[:i], from, compressed)
		if erri == nil && ni == 0 {
			continue
		}
		if erri != err || ni != n || err == nil && hi != h {
			t.Fatalf("% x cut at %d: %v %d %v, whole: %v %d %v", p, i, hi, ni, erri, h, n, err)
		}
		if ni != 0 && ni != i {
			t.Fatalf("% x: header of %d bytes known only after %d", p, ni, i)
		}
		return h, n, err
	}
	if n != 0 || err != nil {
		t.Fatalf("% x: whole gives %d %v, no prefix does", p, n, err)
	}
	return h, n, err
}

// hazards 85, 86, 87, 88, 91, 92, 101
func TestHeaderErrors(t *testing.T) {
	key := []byte{1, 2, 3, 4}
	cat := func(p ...byte) []byte { return append(p, key...) }
	tests := []struct {
		name       string
		in         []byte
		from       Role
		compressed bool
		want       *Error
		after      int // bytes after which the error must be known
	}{
		{"unmasked client", []byte{0x81, 0x05}, FromClient, false, errUnmasked, 2},
		{"masked server", cat(0x81, 0x85), FromServer, false, errMasked, 2},
		{"rsv1", cat(0xc1, 0x80), FromClient, false, errRSV, 1},
		{"rsv2", cat(0xa1, 0x80), FromClient, false, errRSV, 1},
		{"rsv3", cat(0x91, 0x80), FromClient, true, errRSV, 1},
		{"rsv2 beside compressed rsv1", cat(0xe1, 0x80), FromClient, true, errRSV, 1},
		{"rsv1 on ping", cat(0xc9, 0x80), FromClient, true, errRSV1, 1},
		{"rsv1 on close", cat(0xc8, 0x80), FromClient, true, errRSV1, 1},
		{"rsv1 on continuation", cat(0xc0, 0x80), FromClient, true, errRSV1, 1},
		{"fragmented ping", cat(0x09, 0x80), FromClient, false, errControlFin, 1},
		{"fragmented close", cat(0x08, 0x80), FromClient, false, errControlFin, 1},
		{"ping of 126", cat(0x89, 0xfe, 0, 126), FromClient, false, errControlLong, 2},
		{"pong of 64 KiB", cat(0x8a, 0xff, 0, 0, 0, 0, 0, 1, 0, 0), FromClient, false, errControlLong, 2},
		{"126 for 125", cat(0x82, 0xfe, 0, 125), FromClient, false, errMinimal, 4},
		{"126 for 0", []byte{0x82, 126, 0, 0}, FromServer, false, errMinimal, 4},
		{"127 for 65535", cat(0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff), FromClient, false, errMinimal, 8},
		{"127 for 1", []byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0, 1}, FromServer, false, errMinimal, 8},
		{"top bit", cat(0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1), FromClient, false, errTopBit, 3},
	}
	for op := byte(0); op < 16; op++ {
		if op >= 3 && op <= 7 || op >= 11 {
			tests = append(tests, struct {
				name       string
				in         []byte
				from       Role
				compressed bool
				want       *Error
				after      int
			}{"opcode", cat(0x80|op, 0x80), FromClient, false, errOpcode, 1})
		}
	}
	for _, tt := range tests {
		if _, _, err := parseSplit(t, tt.in, tt.from, tt.compressed); err != tt.want {
			t.Errorf("%s: % x: got %v, want %v", tt.name, tt.in, err, tt.want)
		}
		if _, _, err := ParseHeader(tt.in[:tt.after], tt.from, tt.compressed); err != tt.want {
			t.Errorf("%s: % x: got %v, want %v", tt.name, tt.in[:tt.after], err, tt.want)
		}
		if _, _, err := ParseHeader(tt.in[:tt.after-1], tt.from, tt.compressed); err != nil {
			t.Errorf("%s: % x: error before it is certain", tt.name, tt.in[:tt.after-1])
		}
		if tt.want.Code != 1002 {
			t.Errorf("%s: code %d", tt.name, tt.want.Code)
		}
	}
}

func TestHeaderRoundTrip(t *testing.T) {
	lengths := []int64{0, 1, 125, 126, 127, 255, 256, 65535, 65536, 1 << 31, 1 << 62, 1<<63 - 1}
	ops := []Opcode{OpContinuation, OpText, OpBinary, OpClose, OpPing, OpPong}
	for _, from := range []Role{FromClient, FromServer} {
		for _, length := range lengths {
			for _, op := range ops {
				for flags := range 4 {
					h := Header{Length: length, Op: op, Fin: flags&1 != 0, RSV1: flags&2 != 0}
					if op.Control() && (length > MaxControl || !h.Fin) || h.RSV1 && op != OpText && op != OpBinary {
						continue
					}
					if from == FromClient {
						h.Masked, h.Key = true, 0xa1b2c3d4
					}
					prefix := []byte("before")
					p := AppendHeader(prefix, h)[len(prefix):]
					if len(p) != HeaderLen(length, h.Masked) || len(p) > MaxHeader {
						t.Fatalf("%+v: %d bytes", h, len(p))
					}
					got, n, err := parseSplit(t, append(p, "payload"...), from, true)
					if err != nil || n != len(p) || got != h {
						t.Fatalf("%+v became %+v, %d, %v", h, got, n, err)
					}
				}
			}
		}
	}
}

func TestHeaderKeyOrder(t *testing.T) {
	// The masked "Hello" of RFC 6455 section 5.7.
	p := []byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}
	h, n, err := ParseHeader(p, FromClient, false)
	if err != nil || n != 6 || h.Length != 5 {
		t.Fatal(h, n, err)
	}
	Mask(h.Key, p[n:], 0)
	if string(p[n:]) != "Hello" {
		t.Errorf("unmasked %q", p[n:])
	}
	if !bytes.Equal(AppendHeader(nil, h), p[:6]) {
		t.Error("header not written as it was read")
	}
}

func TestAppendHeaderNegative(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a negative length was written")
		}
	}()
	AppendHeader(nil, Header{Length: -1})
}
