package load

import (
	"encoding/binary"
	"errors"
)

const (
	opContinue = 0
	opText     = 1
	opBinary   = 2
	opClose    = 8
	opPing     = 9
	opPong     = 10
)

// frame is the state of reading one server frame.
type frame struct {
	head   [10]byte
	n      int // bytes of head that arrived
	left   int // payload bytes still to come
	op     byte
	fin    bool
	rsv1   bool
	inside bool // the header is complete
	mid    bool // a fragmented message is under way
}

// header takes header bytes from p and returns the rest. The frame is inside
// its payload when the header is complete.
func (f *frame) header(p []byte) ([]byte, error) {
	for len(p) > 0 {
		f.head[f.n] = p[0]
		f.n++
		p = p[1:]
		if f.n < 2 {
			continue
		}
		need := 2
		switch f.head[1] & 0x7f {
		case 126:
			need = 4
		case 127:
			need = 10
		}
		if f.n < need {
			continue
		}
		return p, f.begin(need)
	}
	return nil, nil
}

func (f *frame) begin(need int) error {
	if f.head[1]&0x80 != 0 {
		return errors.New("masked frame from the server")
	}
	switch need {
	case 2:
		f.left = int(f.head[1])
	case 4:
		f.left = int(binary.BigEndian.Uint16(f.head[2:]))
	default:
		f.left = int(binary.BigEndian.Uint64(f.head[2:]))
	}
	f.op = f.head[0] & 0x0f
	f.fin = f.head[0]&0x80 != 0
	f.inside = true
	f.n = 0
	switch {
	case f.head[0]&0x30 != 0:
		return errors.New("reserved bit set by the server")
	case f.op == opClose:
		return errors.New("close frame from the server")
	case f.op == opPing || f.op == opPong:
		return nil
	case f.op == opContinue && f.mid:
		return nil
	case f.mid || f.op == opContinue || f.op > opBinary:
		return errors.New("frame out of order from the server")
	}
	f.rsv1 = f.head[0]&0x40 != 0
	f.mid = true
	return nil
}

// data says whether the payload belongs to a message.
func (f *frame) data() bool { return f.op < opClose }

// complete says that the payload, perhaps an empty one, has all been read.
func (f *frame) complete() bool { return f.inside && f.left == 0 }

// end leaves the payload and says whether a message ended with it.
func (f *frame) end() bool {
	f.inside = false
	if !f.data() || !f.fin {
		return false
	}
	f.mid = false
	return true
}

// clientHeader is the header of a masked frame of n payload bytes.
func clientHeader(first byte, n int) []byte {
	h := []byte{first}
	switch {
	case n < 126:
		h = append(h, 0x80|byte(n))
	case n < 1<<16:
		h = append(h, 0x80|126)
		h = binary.BigEndian.AppendUint16(h, uint16(n))
	default:
		h = append(h, 0x80|127)
		h = binary.BigEndian.AppendUint64(h, uint64(n))
	}
	return append(h, maskKey[:]...)
}
