package ws

import "testing"

// hazards 89, 90, 92, 93
func TestMessageSequences(t *testing.T) {
	text := Header{Op: OpText, Length: 10}
	last := Header{Op: OpContinuation, Length: 10, Fin: true}
	more := Header{Op: OpContinuation, Length: 10}
	ping := Header{Op: OpPing, Length: 10, Fin: true}
	whole := Header{Op: OpBinary, Length: 10, Fin: true}
	tests := []struct {
		name   string
		frames []Header
		lim    Limits
		want   *Error // of the last frame
	}{
		{"whole", []Header{whole, whole}, Limits{}, nil},
		{"fragmented", []Header{text, more, last, text, last}, Limits{}, nil},
		{"ping between", []Header{text, ping, more, ping, ping, last, ping}, Limits{Message: 30, Fragments: 3}, nil},
		{"continuation first", []Header{last}, Limits{}, errContinuation},
		{"continuation first, more", []Header{more}, Limits{}, errContinuation},
		{"continuation after end", []Header{text, last, last}, Limits{}, errContinuation},
		{"new inside", []Header{text, text}, Limits{}, errInterleaved},
		{"whole inside", []Header{text, ping, whole}, Limits{}, errInterleaved},
		{"at the limit", []Header{text, more, last}, Limits{Message: 30}, nil},
		{"over the limit", []Header{text, more, last}, Limits{Message: 29}, errMessageSize},
		{"limit is a message's", []Header{whole, whole, whole}, Limits{Message: 10}, nil},
		{"fragments", []Header{text, more, last}, Limits{Fragments: 3}, nil},
		{"too many fragments", []Header{text, more, last}, Limits{Fragments: 2}, errFragments},
		{"huge", []Header{{Op: OpBinary, Length: 1 << 62}}, Limits{Message: 1 << 30}, errMessageSize},
		{"sum overflows", []Header{{Op: OpBinary, Length: 1<<63 - 1}, last}, Limits{}, errMessageSize},
		{"compressed near the limit", []Header{{Op: OpBinary, Length: 120, RSV1: true}}, Limits{Message: 100}, nil},
		{"compressed over", []Header{{Op: OpBinary, Length: 165, RSV1: true}}, Limits{Message: 100}, errMessageSize},
		{"compressed, without a limit", []Header{{Op: OpBinary, Length: 1 << 40, RSV1: true}}, Limits{}, nil},
		{"compressed at its limit", []Header{{Op: OpBinary, Length: 90, RSV1: true}, more}, Limits{Compressed: 100}, nil},
		{"compressed over its limit", []Header{{Op: OpBinary, Length: 91, RSV1: true}, more}, Limits{Compressed: 100}, errMessageSize},
		{"the limit of compressed ones", []Header{{Op: OpBinary, Length: 101}}, Limits{Compressed: 100}, nil},
		{"compressed, no overflow", []Header{{Op: OpBinary, Length: 5, RSV1: true}}, Limits{Message: 1<<63 - 1}, nil},
	}
	for _, tt := range tests {
		var m Message
		for i, h := range tt.frames {
			early := m.Check(h.Op)
			if i < len(tt.frames)-1 && early != nil || early != nil && early != tt.want {
				t.Errorf("%s: frame %d: Check says %v", tt.name, i, early)
			}
			err := m.Begin(h, tt.lim)
			if i < len(tt.frames)-1 {
				if err != nil {
					t.Fatalf("%s: frame %d: %v", tt.name, i, err)
				}
				m.End(h)
				continue
			}
			if err != tt.want {
				t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
			}
		}
	}
}

func TestMessageState(t *testing.T) {
	var m Message
	first := Header{Op: OpText, Length: 3, RSV1: true}
	if m.Open() || m.Begin(first, Limits{}) != nil || !m.Open() || m.End(first) {
		t.Fatal("first frame")
	}
	if m.Op() != OpText || !m.Compressed() || m.Size() != 3 {
		t.Fatalf("%+v", m)
	}
	if p := (Header{Op: OpPing, Fin: true, Length: 9}); m.Begin(p, Limits{}) != nil || m.End(p) || m.Size() != 3 {
		t.Fatal("a ping changed the message")
	}
	last := Header{Fin: true, Length: 4}
	if m.Begin(last, Limits{}) != nil || m.Size() != 7 || !m.Compressed() || !m.End(last) || m != (Message{}) {
		t.Fatalf("last frame: %+v", m)
	}
}
