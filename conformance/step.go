package conformance

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// step is a part of a case on an open connection.
type step func(*link) error

func steps(ss ...step) step {
	return func(l *link) error {
		for i, s := range ss {
			if err := s(l); err != nil {
				return fmt.Errorf("step %d: %w", i+1, err)
			}
		}
		return nil
	}
}

func text(p string) frame  { return frame{fin: true, op: opText, payload: []byte(p)} }
func binf(p []byte) frame  { return frame{fin: true, op: opBin, payload: p} }
func ping(p string) frame  { return frame{fin: true, op: opPing, payload: []byte(p)} }
func pong(p string) frame  { return frame{fin: true, op: opPong, payload: []byte(p)} }
func first(p string) frame { return frame{op: opText, payload: []byte(p)} }
func more(p string) frame  { return frame{op: opCont, payload: []byte(p)} }
func last(p string) frame  { return frame{fin: true, op: opCont, payload: []byte(p)} }

func closeRaw(p []byte) frame { return frame{fin: true, op: opClose, payload: p} }

func closef(code int, reason string) frame {
	return closeRaw(append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...))
}

// send writes the frames in one piece.
func send(fs ...frame) step { return sendIn(segWhole, fs...) }

// sendIn writes the frames in the pieces seg cuts.
func sendIn(seg segment, fs ...frame) step {
	return func(l *link) error {
		l.write(seg, l.encode(fs...))
		return nil
	}
}

// sendAt writes the frames in two pieces, cut after n bytes.
func sendAt(n int, fs ...frame) step {
	return func(l *link) error {
		l.write(segAt(n), l.encode(fs...))
		return nil
	}
}

// sendCut writes the frames' bytes less the last n.
func sendCut(n int, fs ...frame) step {
	return func(l *link) error {
		b := l.encode(fs...)
		l.write(segWhole, b[:len(b)-n])
		return nil
	}
}

// want waits for exactly one message.
func want(op byte, p []byte) step {
	return func(l *link) error {
		e, err := l.next()
		if err != nil {
			return err
		}
		w := event{op: op, data: p}
		if e.op != op {
			return fmt.Errorf("got %v, want %v", e, w)
		}
		if !same(e.data, p) {
			return fmt.Errorf("got %v, want %v: %s", e, w, differ(e.data, p))
		}
		return nil
	}
}

func wantText(p string) step { return want(opText, []byte(p)) }
func wantBin(p []byte) step  { return want(opBin, p) }
func wantPong(p string) step { return want(opPong, []byte(p)) }

// fails expects a Close with one of the codes, and the end of TCP, without any byte more
// from the suite.
func fails(codes ...int) step {
	return func(l *link) error {
		e, err := l.next()
		if err != nil {
			return err
		}
		if e.op != opClose || !slices.Contains(codes, e.code) {
			return fmt.Errorf("got %v, want Close %s", e, codeList(codes))
		}
		return gone(l)
	}
}

func codeList(codes []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(codes), "[]"), " ", " or ")
}

// gone expects the end of TCP. A server has to end it itself (RFC 6455 7.1.1); a client
// may wait for the suite's end first.
func gone(l *link) error {
	if !l.isClient {
		l.closeWrite()
	}
	e, err := l.next()
	if err != nil {
		return fmt.Errorf("TCP is not closed: %w", err)
	}
	if e.op != opGone {
		return fmt.Errorf("got %v, want TCP closed", e)
	}
	return nil
}

// dropped expects the end of TCP, with a Close before it or without.
func dropped(l *link) error {
	for {
		e, err := l.next()
		if err != nil {
			return fmt.Errorf("TCP is not closed: %w", err)
		}
		if e.op == opGone {
			return nil
		}
		if e.op != opClose {
			return fmt.Errorf("got %v, want TCP closed", e)
		}
		if !l.isClient {
			l.closeWrite()
		}
	}
}

// closes runs the closing handshake and so proves that nothing else was on its way.
func closes(l *link) error {
	return steps(send(closef(1000, "")), answersClose(1000))(l)
}

// answersClose expects the peer's Close with one of the codes in answer to the suite's.
func answersClose(codes ...int) step { return fails(codes...) }

// either tries alternatives that differ in their first event only: an exact echo or a
// failure with one of the codes.
func echoOrFail(op byte, p []byte, codes ...int) step {
	return func(l *link) error {
		e, err := l.next()
		if err != nil {
			return err
		}
		if e.op == opClose && slices.Contains(codes, e.code) {
			return gone(l)
		}
		if e.op != op || !same(e.data, p) {
			return fmt.Errorf("got %v, want %v or Close %s", e, event{op: op, data: p}, codeList(codes))
		}
		return closes(l)
	}
}

// sendZ compresses a message as negotiated and writes it in frames of at most k bytes of
// payload (0: one frame).
func sendZ(op byte, p []byte, k int) step {
	return func(l *link) error {
		l.write(segWhole, l.encode(fragments(op, l.tx.message(p), k, rsv1)...))
		return nil
	}
}

// fragments cuts a payload into frames of k bytes, or makes one frame if k is 0.
func fragments(op byte, p []byte, k int, rsv byte) []frame {
	if k <= 0 || len(p) == 0 {
		return []frame{{fin: true, op: op, rsv: rsv, payload: p}}
	}
	var fs []frame
	for at := 0; at < len(p); at += k {
		end := min(at+k, len(p))
		f := frame{fin: end == len(p), payload: p[at:end]}
		if at == 0 {
			f.op, f.rsv = op, rsv
		}
		fs = append(fs, f)
	}
	return fs
}

// echoes sends one message in frames of k bytes and expects it back.
func echoes(seg segment, op byte, p []byte, k int) step {
	return steps(sendIn(seg, fragments(op, p, k, 0)...), want(op, p))
}
