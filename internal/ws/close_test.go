package ws

import (
	"strings"
	"testing"
)

// hazard 95
func TestCloseCodes(t *testing.T) {
	for n := range 1 << 16 {
		want := n >= 1000 && n <= 1014 && n != 1004 && n != 1005 && n != 1006 || n >= 3000 && n <= 4999
		p := []byte{byte(n >> 8), byte(n), 'h', 'i'}
		c, reason, err := ParseClose(p)
		if want != (err == nil) || want && (int(c) != n || reason != "hi") {
			t.Fatalf("%d: %d %q %v", n, c, reason, err)
		}
		if !want && err != errCloseCode {
			t.Fatalf("%d: %v", n, err)
		}
		if n == 1005 {
			continue
		}
		out, err := AppendClose(nil, Code(n), "hi")
		if want != (err == nil) || want && string(out) != string(p) {
			t.Fatalf("append %d: % x %v", n, out, err)
		}
	}
}

// hazards 94, 95
func TestClosePayloads(t *testing.T) {
	tests := []struct {
		in   string
		code Code
		err  *Error
	}{
		{"", CodeNoStatus, nil},
		{"\x03", 0, errCloseShort},
		{"\x03\xe8", CodeNormal, nil},
		{"\x03\xe8" + strings.Repeat("r", 123), CodeNormal, nil},
		{"\x03\xe8" + strings.Repeat("r", 124), 0, errCloseLong},
		{"\x03\xe8\xce\xba\xe1\xbd\xb9\xed\xa0\x80", 0, errCloseUTF8},
		{"\x03\xe8\xe2\x82", 0, errCloseUTF8},
	}
	for _, tt := range tests {
		c, reason, err := ParseClose([]byte(tt.in))
		if c != tt.code || err != tt.err || err == nil && len(tt.in) > 2 && reason != tt.in[2:] {
			t.Errorf("%q: %d %q %v", tt.in, c, reason, err)
		}
	}
	if errCloseUTF8.Code != 1007 || errCloseShort.Code != 1002 || errCloseLong.Code != 1002 {
		t.Error("wrong close code for a bad payload")
	}
}

func TestAppendClose(t *testing.T) {
	for _, reason := range []string{strings.Repeat("r", 124), "\xff"} {
		if out, err := AppendClose([]byte("x"), CodeNormal, reason); err == nil || string(out) != "x" {
			t.Errorf("reason %q accepted", reason)
		}
	}
	if out, err := AppendClose(nil, CodeNoStatus, ""); err != nil || len(out) != 0 {
		t.Error("no empty payload for CodeNoStatus")
	}
	if _, err := AppendClose(nil, CodeNoStatus, "r"); err == nil {
		t.Error("a reason without a code")
	}
	for _, s := range []string{"short", strings.Repeat("é", 62), "x" + strings.Repeat("🙂", 40)} {
		got := TrimReason(s)
		if !strings.HasPrefix(s, got) || len(got) > MaxReason || len(got) < min(len(s), MaxReason-3) {
			t.Errorf("%q trimmed to %q", s, got)
		}
		if _, err := AppendClose(nil, CodeNormal, got); err != nil {
			t.Errorf("%q: %v", got, err)
		}
	}
}
