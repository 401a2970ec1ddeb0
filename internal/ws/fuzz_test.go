package ws

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzHeader checks every split of the input, and that what was parsed is
// written again as the same bytes.
func FuzzHeader(f *testing.F) {
	for _, s := range []string{
		"", "\x81", "\x81\x05Hello", "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "\x01\x03Hel", "\x80\x02lo",
		"\x89\x05Hello", "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "\x82\x7e\x01\x00", "\xc1\x07",
		"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00abcd", "\x88\x02\x03\xe8",
		"\x82\x7e\x00\x7d", "\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", "\x09\x80abcd", "\x83\x80abcd", "\xf1\x80abcd",
	} {
		f.Add([]byte(s), false, false)
		f.Add([]byte(s), true, true)
	}
	f.Fuzz(func(t *testing.T, p []byte, server, compressed bool) {
		from := FromClient
		if server {
			from = FromServer
		}
		p = p[:min(len(p), 2*MaxHeader)]
		h, n, err := parseSplit(t, p, from, compressed)
		if err != nil {
			if n != 0 || err.Code != CodeProtocol || err.Reason == "" {
				t.Fatalf("% x: %d %v", p, n, err)
			}
			return
		}
		if n == 0 {
			if len(p) >= MaxHeader {
				t.Fatalf("% x: not enough", p)
			}
			return
		}
		if got := AppendHeader(nil, h); !bytes.Equal(got, p[:n]) {
			t.Fatalf("% x written as % x", p[:n], got)
		}
	})
}

// FuzzMessage feeds a sequence of frames, one a pair of bytes, to the state
// machine and to a plain restatement of its rules.
func FuzzMessage(f *testing.F) {
	for _, s := range []string{"\x81\x01", "\x01\x01\x80\x01", "\x01\x01\x89\x00\x00\x05\x80\x01", "\x80\x01", "\x01\x01\x01\x01", "\xc1\xff\x02\xff\x80\xff"} {
		f.Add([]byte(s))
	}
	lim := Limits{Message: 1000, Fragments: 5}
	f.Fuzz(func(t *testing.T, p []byte) {
		var m Message
		open, size, frames := false, int64(0), 0
		for ; len(p) >= 2; p = p[2:] {
			h := Header{Fin: p[0]&bitFin != 0, RSV1: p[0]&bitRSV1 != 0, Op: Opcode(p[0] & 15), Length: int64(p[1]) * 3}
			if h.setFirst(p[0], true) != nil {
				return
			}
			err := m.Begin(h, lim)
			if h.Op.Control() {
				if err != nil || m.End(h) {
					t.Fatalf("control frame: %v", err)
				}
				continue
			}
			if open != (h.Op == OpContinuation) {
				if err == nil || err.Code != CodeProtocol {
					t.Fatalf("open %v, %+v: %v", open, h, err)
				}
				return
			}
			size, frames = size+h.Length, frames+1
			if err != nil {
				if err.Code != CodeTooBig || size <= lim.Message && frames <= lim.Fragments {
					t.Fatalf("%d bytes in %d frames: %v", size, frames, err)
				}
				return
			}
			if frames > lim.Fragments || size > lim.Message && !m.Compressed() {
				t.Fatalf("%d bytes in %d frames accepted", size, frames)
			}
			if m.End(h) != h.Fin || m.Open() == h.Fin {
				t.Fatalf("%+v: end", h)
			}
			if open = !h.Fin; !open {
				size, frames = 0, 0
			}
		}
	})
}

// FuzzUTF8 compares the validator with the definition at every split.
func FuzzUTF8(f *testing.F) {
	for _, s := range []string{"", "ascii only", "κόσμε", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\xaf", "\xe2\x82", "0123456789abcdef0123456789abcdefé"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		checkText(t, p[:min(len(p), 64)])
	})
}

// FuzzMask compares with the naive loop.
func FuzzMask(f *testing.F) {
	f.Add(uint32(0x01020304), []byte("Hello, masked world, this is longer than a word"), 0, 7)
	f.Add(uint32(0xff), pattern(200), 3, 64)
	f.Fuzz(func(t *testing.T, key uint32, p []byte, pos, cut int) {
		pos &= 3
		cut = min(max(cut, 0), len(p))
		want := make([]byte, len(p))
		maskNaive(key, want, p, pos)
		got := bytes.Clone(p)
		next := Mask(key, got[:cut], pos)
		Mask(key, got[cut:], next)
		if !bytes.Equal(got, want) {
			t.Fatalf("key %x pos %d cut %d: % x, want % x", key, pos, cut, got, want)
		}
	})
}

// FuzzClose checks that what is parsed is written again as the same bytes.
func FuzzClose(f *testing.F) {
	for _, s := range []string{"", "\x03", "\x03\xe8", "\x03\xe8bye", "\x03\xed", "\x13\x88", "\x03\xe8\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		c, reason, err := ParseClose(p)
		if err != nil {
			return
		}
		got, err := AppendClose(nil, c, reason)
		if err != nil || !bytes.Equal(got, p) {
			t.Fatalf("% x written as % x, %v", p, got, err)
		}
	})
}

// FuzzDeflate gives arbitrary fields to both sides of the negotiation.
func FuzzDeflate(f *testing.F) {
	for _, s := range []string{
		"permessage-deflate", "permessage-deflate; client_max_window_bits", `permessage-deflate; server_max_window_bits="10"`,
		"permessage-deflate; server_max_window_bits=16, permessage-deflate", "a;b=c;d=\"\\e\", permessage-deflate",
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=8",
	} {
		f.Add(s, 0, 0)
		f.Add(s, 9, 12)
	}
	f.Fuzz(func(t *testing.T, v string, serverBits, clientBits int) {
		wish := Deflate{ServerBits: serverBits, ClientBits: clientBits}
		agreed, response, ok := AcceptDeflate([]string{v}, wish)
		if ok != strings.HasPrefix(response, deflateName) || !ok && agreed != (Deflate{}) {
			t.Fatalf("%q: %v %q %+v", v, ok, response, agreed)
		}
		if ok {
			checkAgreed(t, v, agreed)
			// The answer must be what the grammar here reads as a good one.
			e, rest, good := nextExtension(response)
			if !good || rest != "" || e.name != deflateName {
				t.Fatalf("%q answered by malformed %q", v, response)
			}
			if _, good = parseDeflate(e.params); !good {
				t.Fatalf("%q answered by bad parameters %q", v, response)
			}
		}
		agreed, ok, err := CheckDeflate([]string{v}, wish)
		if ok && err != nil || err != nil && agreed != (Deflate{}) {
			t.Fatalf("%q: %+v %v %v", v, agreed, ok, err)
		}
		if ok {
			checkAgreed(t, v, agreed)
		}
	})
}

func checkAgreed(t *testing.T, v string, d Deflate) {
	t.Helper()
	if d.ServerBits < minBits || d.ServerBits > MaxBits || d.ClientBits < minBits || d.ClientBits > MaxBits {
		t.Fatalf("%q: agreed %+v", v, d)
	}
}

// FuzzHandshake gives arbitrary fields to the checks of both sides.
func FuzzHandshake(f *testing.F) {
	f.Add("GET", 1, "host", "websocket", "Upgrade", "dGhlIHNhbXBsZSBub25jZQ==", "13", "http://host", "chat")
	f.Add("GET", 1, "host", "h2c, WebSocket", "keep-alive, upgrade", "AQIDBAUGBwgJCgsMDQ4PEC==", "12", "null", "a,,b")
	f.Add("POST", 0, "", "", "", "AAAA", "x", "http://[::1]:1", "\x00")
	f.Fuzz(func(t *testing.T, method string, minor int, host, upgrade, connection, key, version, origin, protocol string) {
		h := map[string][]string{
			"Upgrade": {upgrade}, "Connection": {connection}, "Sec-Websocket-Key": {key},
			"Sec-Websocket-Version": {version}, "Sec-Websocket-Protocol": {protocol},
		}
		got, err := CheckRequest(Request{method, 1, minor, host, h})
		if err == nil && (len(got) != 24 || method != "GET" || minor < 1 || host == "") {
			t.Fatalf("accepted with key %q", got)
		}
		if err != nil && err.Code != 400 && err.Code != 405 && err.Code != 426 {
			t.Fatalf("status %d", err.Code)
		}
		if err := CheckOrigin([]string{origin}, host, []string{"*.example.com"}); err != nil && err.Code != 403 {
			t.Fatalf("status %d", err.Code)
		}
		if p := ChooseProtocol([]string{protocol}, []string{"chat", "a"}); p != "" && !strings.Contains(protocol, p) {
			t.Fatalf("chose %q from %q", p, protocol)
		}
		h["Sec-Websocket-Accept"] = []string{AcceptKey(key)}
		if p, err := CheckResponse(Response{101, 1, 1, h}, key, []string{"chat"}); err == nil && p != "chat" {
			t.Fatalf("response chose %q", p)
		}
	})
}

func BenchmarkParseHeader(b *testing.B) {
	p := []byte{0x82, 0xfe, 0x04, 0x00, 1, 2, 3, 4}
	b.ReportAllocs()
	for b.Loop() {
		if _, n, err := ParseHeader(p, FromClient, false); n != 8 || err != nil {
			b.Fatal(n, err)
		}
	}
}
