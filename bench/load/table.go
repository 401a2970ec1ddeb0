package load

import "math/rand/v2"

// MaxMessage is the largest message, in bytes, that a load can send.
const MaxMessage = 64 << 10

// offsets is how many different messages a table holds. A message is a window
// of the table; windows start at multiples of four so that the masked copy
// stays aligned with its key.
const offsets = 1 << 16

// maskKey masks every frame sent. It is not zero, so a server must unmask, and
// always the same, so the client masks its table once and never again.
var maskKey = [4]byte{0x9d, 0x37, 0xe1, 0x5b}

// table holds the bytes of all messages. Nothing is copied or filled in to send
// one, which is what makes the client cheap.
type table struct {
	plain  []byte
	masked []byte
}

func newTable(seed uint64) *table {
	n := offsets*4 + MaxMessage
	t := &table{plain: make([]byte, n), masked: make([]byte, n)}
	r := rand.New(rand.NewPCG(seed, 0x5741))
	for i := range t.plain {
		t.plain[i] = byte(r.Uint32() >> 11)
		t.masked[i] = t.plain[i] ^ maskKey[i&3]
	}
	return t
}

// offsetOf says where the message number seq of connection index begins. The
// multipliers are odd, so that at one seq no two connections share a message:
// an answer that reaches the wrong connection is a wrong byte.
func offsetOf(index, seq uint32) int {
	return int((index*40503+seq*2654435761)&(offsets-1)) * 4
}
