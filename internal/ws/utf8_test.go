package ws

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// firstBad finds the same as UTF8.Scan from the definition: the first byte after
// which no continuation makes the text valid.
func firstBad(p []byte) int {
	for i := range p {
		if !canBeCompleted(p[:i+1]) {
			return i
		}
	}
	return -1
}

func canBeCompleted(p []byte) bool {
	if utf8.Valid(p) {
		return true
	}
	for _, a := range []byte{0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf} {
		for _, tail := range [][]byte{{a}, {a, 0x80}, {a, 0x80, 0x80}} {
			if utf8.Valid(append(p[:len(p):len(p)], tail...)) {
				return true
			}
		}
	}
	return false
}

// checkText compares the validator with the definition, whole and cut in two and
// in three at every place.
func checkText(t *testing.T, p []byte) {
	t.Helper()
	want := firstBad(p)
	for i := 0; i <= len(p); i++ {
		for j := i; j <= len(p); j++ {
			var u UTF8
			got, base := -1, 0
			for _, piece := range [][]byte{p[:i], p[i:j], p[j:]} {
				if k := u.Scan(piece); k >= 0 {
					got = base + k
					break
				}
				base += len(piece)
			}
			if got != want {
				t.Fatalf("% x cut at %d and %d: first bad %d, want %d", p, i, j, got, want)
			}
			if got < 0 && (u.Finish() == nil) != utf8.Valid(p) {
				t.Fatalf("% x cut at %d and %d: Finish says %v", p, i, j, u.Finish())
			}
		}
	}
}

// hazard 94
func TestUTF8(t *testing.T) {
	texts := []string{
		"", "a", "κόσμε", "Hello-µ@ßöäüàá-UTF-8!!", "日本語", "\U00010000\U0010ffff", "\u0000\u007f",
		"\ud7ff\ue000\ufffd\ufffe\uffff", "\u0080\u07ff\u0800",
		"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xe0\xa0",
		"\xed\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80",
		"\xf4\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff",
		"κόσμε\xf4\x90\x80\x80edited", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64",
		strings.Repeat("x", 15) + "é", strings.Repeat("x", 16) + "é", strings.Repeat("x", 17) + "éé\xe2\x82",
		"é" + strings.Repeat("x", 16) + "é" + strings.Repeat("y", 33) + "\xff",
		"é" + strings.Repeat("x", 17) + "\xe2\x82", "é" + strings.Repeat("x", 16) + "\x80",
	}
	for _, s := range texts {
		checkText(t, []byte(s))
	}
}

func TestUTF8EverySequence(t *testing.T) {
	for a := range 256 {
		for b := range 256 {
			for _, c := range []byte{0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff} {
				p := []byte{'x', byte(a), byte(b), c, 0x80}
				var u UTF8
				if got, want := u.Scan(p), firstBad(p); got != want {
					t.Fatalf("% x: first bad %d, want %d", p, got, want)
				}
			}
		}
	}
}

func TestUTF8StateAfterText(t *testing.T) {
	var u UTF8
	if u.Check([]byte("\xe2\x82")) != nil || u.Finish() != errUTF8 {
		t.Fatal("a text that ends inside a character was accepted")
	}
	u.Reset()
	if u.Check([]byte("\xac")) != errUTF8 {
		t.Error("Reset kept the previous text")
	}
}

func BenchmarkUTF8(b *testing.B) {
	kinds := []struct{ name, unit string }{
		{"ascii", "The quick brown fox jumps over the lazy dog. "},
		{"latin", "Überfällige Größen für die Straßenbahn à Évian. "},
		{"cjk", "日本語のテキストを検証する"},
		{"emoji", "🙂🙃🤖🚀"},
	}
	for _, k := range kinds {
		for _, n := range benchSizes {
			p := []byte(strings.Repeat(k.unit, n/len(k.unit)+1))
			b.Run(k.name+"/"+strconv.Itoa(n), func(b *testing.B) {
				b.SetBytes(int64(n))
				for b.Loop() {
					var u UTF8
					u.Scan(p[:n])
				}
			})
		}
	}
}
