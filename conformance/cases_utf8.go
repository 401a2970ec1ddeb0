package conformance

import (
	"fmt"
	"unicode/utf8"
)

// sample is a named byte sequence.
type sample struct{ name, p string }

// validSamples are the edges of Unicode's Table 3-7 and some ordinary text.
func validSamples() []sample {
	s := []sample{
		{"ascii", "Hello"}, {"latin", "Hëllo µ@ßöäüàá"}, {"greek", "κόσμε"},
		{"cjk", "漢字かな交じり文"}, {"emoji", "👩‍👩‍👧‍👦 🏳️‍🌈"}, {"combining", "a\u0300\u0301\u0302"},
		{"bom", "\ufeffmarked"}, {"nul", "a\x00b"}, {"controls", "\x01\x1f\x7f\u0080\u009f"},
	}
	for _, r := range []rune{
		0, 0x7f, 0x80, 0x7ff, 0x800, 0xfff, 0x1000, 0xcfff, 0xd000, 0xd7ff, 0xe000, 0xfdd0, 0xfffd, 0xfffe, 0xffff,
		0x10000, 0x3ffff, 0x40000, 0xfffff, 0x100000, 0x10ffff,
	} {
		s = append(s, sample{fmt.Sprintf("u%04x", r), string(r)})
	}
	for plane := rune(1); plane <= 16; plane++ { // noncharacters are valid UTF-8
		s = append(s, sample{fmt.Sprintf("u%xfffe", plane), string(plane<<16|0xfffe) + string(plane<<16|0xffff)})
	}
	return s
}

// invalidSamples are sequences no position of a text may hold. Where truncated is true
// the sequence is a beginning that only its end makes wrong.
func invalidSamples() []sample {
	s := []sample{
		{"lone-80", "\x80"}, {"lone-bf", "\xbf"}, {"lone-2", "\x80\xbf"}, {"lone-6", "\x80\xbf\x80\xbf\x80\xbf"},
		{"overlong-slash-2", "\xc0\xaf"}, {"overlong-slash-3", "\xe0\x80\xaf"}, {"overlong-slash-4", "\xf0\x80\x80\xaf"},
		{"overlong-slash-5", "\xf8\x80\x80\x80\xaf"}, {"overlong-slash-6", "\xfc\x80\x80\x80\x80\xaf"},
		{"overlong-max-2", "\xc1\xbf"}, {"overlong-max-3", "\xe0\x9f\xbf"}, {"overlong-max-4", "\xf0\x8f\xbf\xbf"},
		{"overlong-max-5", "\xf8\x87\xbf\xbf\xbf"}, {"overlong-max-6", "\xfc\x83\xbf\xbf\xbf\xbf"},
		{"overlong-nul-2", "\xc0\x80"}, {"overlong-nul-3", "\xe0\x80\x80"}, {"overlong-nul-4", "\xf0\x80\x80\x80"},
		{"surrogate-d800", "\xed\xa0\x80"}, {"surrogate-db7f", "\xed\xad\xbf"}, {"surrogate-db80", "\xed\xae\x80"},
		{"surrogate-dbff", "\xed\xaf\xbf"}, {"surrogate-dc00", "\xed\xb0\x80"}, {"surrogate-dfff", "\xed\xbf\xbf"},
		{"surrogate-pair", "\xed\xa0\x80\xed\xb0\x80"}, {"surrogate-pair-last", "\xed\xaf\xbf\xed\xbf\xbf"},
		{"above-110000", "\xf4\x90\x80\x80"}, {"above-13ffff", "\xf4\xbf\xbf\xbf"}, {"above-f5", "\xf5\x80\x80\x80"},
		{"above-1fffff", "\xf7\xbf\xbf\xbf"}, {"five-200000", "\xf8\x88\x80\x80\x80"}, {"five-3ffffff", "\xfb\xbf\xbf\xbf\xbf"},
		{"six-4000000", "\xfc\x84\x80\x80\x80\x80"}, {"six-7fffffff", "\xfd\xbf\xbf\xbf\xbf\xbf"},
		{"fe", "\xfe"}, {"ff", "\xff"}, {"fe-ff", "\xfe\xfe\xff\xff"}, {"latin1", "caf\xe9 noir"}, {"utf16", "\xff\xfea\x00"},
		{"cut-2", "\xc2"}, {"cut-3-1", "\xe1"}, {"cut-3-2", "\xe1\x80"}, {"cut-4-1", "\xf1"}, {"cut-4-2", "\xf1\x80"}, {"cut-4-3", "\xf1\x80\x80"},
		{"cut-2-last", "\xdf"}, {"cut-3-last", "\xef\xbf"}, {"cut-4-last", "\xf4\x8f\xbf"}, {"cut-e0", "\xe0\xa0"}, {"cut-ed", "\xed\x9f"}, {"cut-f0", "\xf0\x90\x80"},
		{"long-2", "\xc2\x80\x80"}, {"long-3", "\xe1\x80\x80\x80"}, {"long-4", "\xf1\x80\x80\x80\x80"},
		{"cut-then-start", "\xe1\x80\xc2\x80"}, {"start-then-start", "\xc2\xc2\x80"},
		{"second-low-e0", "\xe0\x9f\x80"}, {"second-low-f0", "\xf0\x8f\x80\x80"}, {"third-bad", "\xe1\x80\x41"}, {"fourth-bad", "\xf1\x80\x80\x41"},
	}
	for b := 0xc0; b <= 0xff; b += 3 {
		s = append(s, sample{fmt.Sprintf("start-%x-space", b), string([]byte{byte(b), ' '})})
	}
	return s
}

// wrongAt returns the offset of the first byte after which no text can become valid, or
// -1 if only its end is missing.
func wrongAt(p []byte) int {
	for i := 0; i < len(p); {
		r, n := utf8.DecodeRune(p[i:])
		if r != utf8.RuneError || n != 1 {
			i += n
			continue
		}
		for k := 1; i+k <= len(p); k++ {
			if !beginning(p[i : i+k]) {
				return i + k - 1
			}
		}
		return -1
	}
	return -1
}

// beginning says whether p is the beginning of some character.
func beginning(p []byte) bool {
	if utf8.FullRune(p) {
		r, _ := utf8.DecodeRune(p)
		return r != utf8.RuneError || string(p) == "\ufffd"
	}
	return true
}

func (s *list) validUTF8() {
	for _, v := range validSamples() {
		s.must("8.1-valid-"+v.name, fmt.Sprintf("valid text %+q", v.p), wantsEcho,
			echoes(segWhole, opText, []byte(v.p), 0), closes)
		s.must("8.1-valid-"+v.name+"-fragments", fmt.Sprintf("valid text %+q, one byte a fragment", v.p), wantsEcho,
			echoes(segWhole, opText, []byte(v.p), 1), closes)
		s.must("8.1-valid-"+v.name+"-chopped", fmt.Sprintf("valid text %+q, one byte a segment", v.p), wantsEcho,
			echoes(segBytes, opText, []byte("x"+v.p+"y"), 0), closes)
	}
	s.must("8.1-binary-anything", "a binary message need not be UTF-8", wantsEcho,
		echoes(segWhole, opBin, []byte("\xff\xfe\x80\xc0\xed\xa0\x80"), 0), closes)
	s.must("8.1-binary-anything-fragments", "fragments of a binary message need not be UTF-8", wantsEcho,
		echoes(segWhole, opBin, []byte("\xff\xfe\x80\xc0\xed\xa0\x80"), 2), closes)
	s.must("8.1-state-ends-with-message", "each message's text begins anew", "1007 for the second message",
		send(binf([]byte("\xe1")), text("good")), wantBin([]byte("\xe1")), wantText("good"), send(text("\x80")), fails(1007))
	s.must("8.1-ping-inside-character", "a ping between the fragments of one character", "pong, then echo",
		send(first("\xe1"), ping("\xff"), more("\x88"), ping(""), last("\xb4")), wantPong("\xff"), wantPong(""), wantText("\u1234"), closes)
}

// rest is the text after the wrong byte in cases that fail before it is sent.
const rest = " and a long rest that is never sent, because the peer has to fail before it arrives"

func (s *list) invalidUTF8() {
	for _, v := range invalidSamples() {
		whole := "good κόσμε " + v.p
		s.must("8.1-invalid-"+v.name, fmt.Sprintf("a text that ends with %+q", v.p), wants1007, send(text(whole)), fails(1007))
		s.must("8.1-invalid-"+v.name+"-alone", fmt.Sprintf("the text %+q", v.p), wants1007, send(text(v.p)), fails(1007))
		s.must("8.1-invalid-"+v.name+"-fragments", fmt.Sprintf("%+q in the middle of a text, one byte a fragment", v.p), wants1007,
			sendIn(segWhole, fragments(opText, []byte(v.p+" end"), 1, 0)...), fails(1007))
		s.must("8.1-invalid-"+v.name+"-chopped", fmt.Sprintf("%+q in the middle of a text, one byte a segment", v.p), wants1007,
			sendIn(segBytes, text("ok "+v.p+" end")), fails(1007))
		at := wrongAt([]byte(whole + "!"))
		upTo := (whole + "!")[:at+1]
		s.should("8.1-early-"+v.name, fmt.Sprintf("a frame with %+q, sent up to the first wrong byte", v.p), "Close 1007 before the frame is complete",
			sendCut(len(rest), text(upTo+rest)), fails(1007))
		s.should("8.1-early-"+v.name+"-fragment", fmt.Sprintf("a fragment that ends with the first wrong byte of %+q", v.p), "Close 1007 before the message is complete",
			send(first(upTo)), fails(1007))
	}
	for pos := range 24 {
		p := []byte("twenty-four bytes of it!")
		p[pos] = 0xff
		s.must(fmt.Sprintf("8.1-position-%d", pos), fmt.Sprintf("a wrong byte at offset %d of 24", pos), wants1007, send(text(string(p))), fails(1007))
		s.should(fmt.Sprintf("8.1-position-%d-early", pos), fmt.Sprintf("a wrong byte at offset %d of 24, and not a byte after it", pos),
			"Close 1007 before the frame is complete", sendCut(23-pos, frame{op: opText, payload: p}), fails(1007))
	}
	for _, n := range []int{4095, 4096, 4097, 65535, 65536, 200000} {
		s.must(fmt.Sprintf("8.1-far-%d", n), fmt.Sprintf("a wrong byte after %d good ones", n), wants1007,
			send(frame{fin: true, op: opText, payload: append(words(n), 0xff)}), fails(1007))
	}
	s.must("8.1-second-message", "a good text, then a wrong one", "echo, "+wants1007, send(text("good"), text("\xff"), ping("no")), wantText("good"), fails(1007))
	s.must("8.1-cut-at-final", "the last fragment ends inside a character", wants1007, send(first("a"), last("\xe1\x88")), fails(1007))
	s.must("8.1-cut-at-empty-final", "an empty last fragment after half a character", wants1007, send(first("a\xe1\x88"), last("")), fails(1007))
}

// splitUTF8 cuts texts at every byte, over fragments and over TCP.
func (s *list) splitUTF8() {
	const good = "κ1\u07ff\u0800\ud7ff\uffff\U00010000\U0010ffffz"
	for at := range len(good) + 1 {
		s.must(fmt.Sprintf("8.1-split-fragment-%d", at), fmt.Sprintf("a text with every kind of character, two fragments cut after byte %d", at), wantsEcho,
			send(first(good[:at]), last(good[at:])), wantText(good), closes)
		s.must(fmt.Sprintf("8.1-split-three-%d", at), fmt.Sprintf("the same with an empty fragment after byte %d", at), wantsEcho,
			send(first(good[:at]), more(""), last(good[at:])), wantText(good), closes)
	}
	for at := 1; at < len(good); at++ {
		s.must(fmt.Sprintf("8.1-split-tcp-%d", at), fmt.Sprintf("a text frame whose payload is cut after byte %d", at), wantsEcho, func(l *link) error {
			b := l.encode(text(good))
			l.write(segAt(len(b)-len(good)+at), b)
			return steps(wantText(good), closes)(l)
		})
	}
	const bad = "κόσμε\xed\xa0\x80edited"
	wrong := wrongAt([]byte(bad))
	for at := range len(bad) {
		s.must(fmt.Sprintf("8.1-split-bad-%d", at), fmt.Sprintf("a surrogate in a text of two fragments cut after byte %d", at), wants1007,
			send(first(bad[:at]), last(bad[at:])), fails(1007))
		if at > wrong {
			s.should(fmt.Sprintf("8.1-split-bad-%d-early", at), fmt.Sprintf("the same without its second fragment, cut after byte %d", at), "Close 1007 before the message is complete",
				send(first(bad[:at])), fails(1007))
		}
	}
}
