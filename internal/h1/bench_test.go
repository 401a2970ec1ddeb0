package h1

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func BenchmarkScan(b *testing.B) {
	for name, head := range map[string]string{"plaintext": plaintext, "browser": browser} {
		b.Run(name, func(b *testing.B) {
			in := []byte(head)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				var s Scanner
				if n, _ := s.Scan(in, &Limits{}); n != len(in) {
					b.Fatal(n)
				}
			}
		})
	}
}

func BenchmarkParseRequest(b *testing.B) {
	for name, head := range map[string]string{"plaintext": plaintext, "browser": browser} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(head)))
			b.ReportAllocs()
			for b.Loop() {
				var array [24]Field
				if _, _, err := ParseRequest(head, array[:]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseTarget(b *testing.B) {
	for name, target := range map[string]string{"path": "/plaintext", "query": "/search?q=strand&lang=en", "escaped": "/a%20b"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var u url.URL
			for b.Loop() {
				if err := ParseTarget("GET", target, &u); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCanonicalName(b *testing.B) {
	for _, name := range []string{"content-type", "x-unusual-name"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				canonicalName(name)
			}
		})
	}
}

func BenchmarkChunked(b *testing.B) {
	for name, in := range map[string]string{
		"4KiB": strings.Repeat("1000\r\n"+strings.Repeat("x", 4096)+"\r\n", 16) + "0\r\n\r\n",
		"1B":   strings.Repeat("1\r\nx\r\n", 4096) + "0\r\n\r\n",
	} {
		b.Run(name, func(b *testing.B) {
			src := []byte(in)
			dst := make([]byte, len(src))
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				var c Chunked
				if _, _, done, err := c.DecodeInto(dst, src); !done || err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendHead(b *testing.B) {
	h := http.Header{"Content-Type": {"text/plain"}, "Content-Length": {"13"}, "Date": {"Sun, 22 Nov 2026 10:00:00 GMT"}}
	dst := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendStatusLine(dst[:0], 1, 200, "OK")
		dst = AppendFields(dst, h, nil)
	}
}
