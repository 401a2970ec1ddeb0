package h1

import (
	"fmt"
	"strings"
	"testing"
)

// A hazard is one input and how its transcript must go: statuses lists, in order, 200 for
// each request understood and the status of the error that ended the connection, if any.
type hazard struct {
	n        int
	in       string
	statuses string
	contains string // in the transcript, if not empty
}

const (
	get  = "GET / HTTP/1.1\r\nHost: h\r\n"
	post = "POST / HTTP/1.1\r\nHost: h\r\n"
	te   = post + "Transfer-Encoding: "
	ch   = te + "chunked\r\n\r\n"
	next = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
)

var hazards = []hazard{
	{1, post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400", ""},
	{1, post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", "400", ""},
	{2, post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n5c\r\n" + next + "0\r\n\r\n", "400", ""},
	{3, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400", ""},
	{4, te + "chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400", ""},
	{4, te + "chunked, chunked\r\n\r\n0\r\n\r\n", "400", ""},
	{5, te + "chunked, gzip\r\n\r\n0\r\n\r\n", "400", ""},
	{5, te + "chunked, identity\r\n\r\n0\r\n\r\n", "400", ""},
	{6, te + "blegh\r\n\r\n" + next, "501", ""},
	{6, te + "xchunked\r\n\r\n" + next, "501", ""},
	{6, te + "identity\r\n\r\n" + next, "501", ""},
	{6, te + "gzip, chunked\r\n\r\n" + next, "501", ""},
	{7, te + ",chunked\r\n\r\n" + next, "400", ""},
	{7, te + "chunked,\r\n\r\n" + next, "400", ""},
	{7, te + "\x0bchunked\r\n\r\n" + next, "400", ""},
	{7, te + "\x0cchunked\r\n\r\n" + next, "400", ""},
	{7, te + "chunked\x00\r\n\r\n" + next, "400", ""},
	{7, te + "\xa0chunked\r\n\r\n" + next, "400", ""},
	{7, te + "\"chunked\"\r\n\r\n" + next, "400", ""},
	{7, te + "'chunked'\r\n\r\n" + next, "501", ""},
	{7, te + "chunk\r\n\r\n" + next, "501", ""},
	{7, te + "chunked;a=b\r\n\r\n" + next, "400", ""},
	{7, te + "\r\n\r\n" + next, "400", ""},
	{7, te + "\t ChunKed \t\r\n\r\n0\r\n\r\n", "200", "chunked=true"},
	{7, te + "chun\u212aed\r\n\r\n" + next, "400", ""}, // a Kelvin sign is no k
	{8, post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "400", ""},
	{8, post + " Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400", ""},
	{8, post + "Transfer_Encoding: chunked\r\n\r\n", "200", "chunked=false"},
	{8, post + "Transfer Encoding: chunked\r\n\r\n0\r\n\r\n", "400", ""},
	{8, post + "Transfer\r-Encoding: chunked\r\n\r\n0\r\n\r\n", "400", ""},
	{8, post + "Transf\x82r-Encoding: chunked\r\n\r\n0\r\n\r\n", "400", ""},
	{8, post + "tRANSFER-eNCODING: chunked\r\n\r\n0\r\n\r\n", "200", "chunked=true"},
	{9, post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "400", ""},
	{9, post + "Transfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n", "400", ""},
	{10, post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "400", ""},
	{10, post + "Content-Length: 5, 6\r\n\r\nhello", "400", ""},
	{11, post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "400", ""},
	{11, post + "Content-Length: 5, 5\r\n\r\nhello", "400", ""},
	{12, post + "Content-Length: +5\r\n\r\nhello", "400", ""},
	{13, post + "Content-Length: -1\r\n\r\n", "400", ""},
	{13, post + "Content-Length: -0\r\n\r\n", "400", ""},
	{13, post + "Content-Length: -48\r\n\r\n", "400", ""},
	{13, post + "Content-Length: -111111111111111111111111111\r\n\r\n", "400", ""},
	{14, post + "Content-Length: 0x10\r\n\r\n", "400", ""},
	{14, post + "Content-Length: 1_0\r\n\r\n", "400", ""},
	{14, post + "Content-Length: 1 0\r\n\r\n", "400", ""},
	{14, post + "Content-Length: 5abc\r\n\r\n", "400", ""},
	{14, post + "Content-Length: 5;\r\n\r\n", "400", ""},
	{14, post + "Content-Length: ١\r\n\r\n", "400", ""},
	{15, post + "Content-Length: 010\r\n\r\n0123456789" + next, "200 200", `body "0123456789"`},
	{16, post + "Content-Length: 2147483648\r\n\r\n", "200", "length=2147483648"},
	{16, post + "Content-Length: 4294967296\r\n\r\n", "200", "length=4294967296"},
	{16, post + "Content-Length: 9223372036854775807\r\n\r\n", "200", "length=9223372036854775807"},
	{16, post + "Content-Length: 9223372036854775808\r\n\r\n", "400", ""},
	{16, post + "Content-Length: 18446744073709551616\r\n\r\n", "400", ""},
	{16, post + "Content-Length: 18446744073709551621\r\n\r\nhello", "400", ""},
	{16, post + "Content-Length: " + strings.Repeat("9", 40) + "\r\n\r\n", "400", ""},
	{17, post + "Content-Length:\r\n\r\n", "400", ""},
	{17, post + "Content-Length: \r\nContent-Length: 5\r\n\r\nhello", "400", ""},
	{18, ch + "0x5\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{18, ch + "+5\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{18, ch + "-5\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{18, ch + "5_0\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{18, ch + " 5\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{18, ch + "5 \r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{18, ch + "\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{18, ch + ";a\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{18, ch + "g\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{18, ch + "5 ;a=b\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{18, ch + "A;x;y=\"z \\\" ;\"\r\n0123456789\r\n0\r\n\r\n", "200", `body "0123456789"`},
	{19, ch + "00000000000000005\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{19, ch + "0000000000000005\r\nhello\r\n0\r\n\r\n", "200", `body "hello"`},
	{19, ch + "10000000000000005\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{19, ch + "FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{19, ch + "80000000\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{19, ch + "7fffffff\r\nhello", "200", "short"},
	{20, ch + "5\nhello\r\n0\r\n\r\n", "200 400", ""},
	{20, ch + "5\r\nhello\r\n0\n\r\n", "200 400", ""},
	{21, ch + "5\rhello\r\n0\r\n\r\n", "200 400", ""},
	{21, ch + "5\r\r;\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{21, ch + "5\rX\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{22, ch + "5;a\nb\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{22, ch + "5;a\x00\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{22, ch + "5;a=\x01\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{22, ch + "5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{22, ch + "5;a=\"\\\r\n\"\r\nhello\r\n0\r\n\r\n", "200 400", ""},
	{25, ch + "5\r\nhelloX\r\n0\r\n\r\n", "200 400", ""},
	{25, ch + "5\r\nhelloXX0\r\n\r\n", "200 400", ""},
	{25, ch + "5\r\nhello0\r\n\r\n", "200 400", ""},
	{25, ch + "5\r\nhello\n0\r\n\r\n", "200 400", ""},
	{25, ch + "5\r\nhello\r0\r\n\r\n", "200 400", ""},
	{26, ch + "0\r\nContent-Length: 5\r\n\r\n" + next, "200 400", ""},
	{26, ch + "0\r\nTransfer-Encoding: chunked\r\n\r\n" + next, "200 400", ""},
	{26, ch + "0\r\nHost: evil\r\n\r\n" + next, "200 400", ""},
	{26, ch + "0\r\nAuthorization: evil\r\nX-Sum: 7\r\n\r\n" + next, "200 200", `trailer [{"X-Sum" "7"}]`},
	{26, ch + "0\r\nX-A : 7\r\n\r\n" + next, "200 400", ""},
	{26, ch + "0\r\nX-A: 7\r\n folded\r\n\r\n" + next, "200 400", ""},
	{26, ch + "0\r\nX-A: 7\n\r\n" + next, "200 400", ""},
	{26, ch + "0\r\nX-A: \x007\r\n\r\n" + next, "200 400", ""},
	{26, ch + "0\r\nno colon\r\n\r\n" + next, "200 400", ""},
	{26, ch + "0\r\n\rX", "200 400", ""},
	{26, ch + "0\r\n" + strings.Repeat("X: y\r\n", maxTrailerLine+1) + "\r\n", "200 431", ""},
	{26, ch + "0\r\nX: " + strings.Repeat("y", maxTrailer) + "\r\n\r\n", "200 431", ""},
	{26, te + "chunked\r\nTrailer: Content-Length\r\n\r\n0\r\n\r\n", "400", ""},
	{26, te + "chunked\r\nTrailer: x-a, X-B\r\n\r\n0\r\nX-A: 1\r\n\r\n", "200", `trailers=["X-A" "X-B"] []`},
	{27, ch + "5\r\nhel", "200", "short"},
	{27, post + "Content-Length: 5\r\n\r\nhel", "200", "short"},
	{28, "GET / HTTP/1.1\nHost: h\n\n", "400", ""},
	{28, "GET / HTTP/1.1\r\nHost: h\n\r\n", "400", ""},
	{28, "GET / HTTP/1.1\r\nHost: h\r\n\n", "400", ""},
	{28, "\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{29, "GET / HTTP/1.1\rHost: h\r\n\r\n", "400", ""},
	{29, get + "A: b\rc\r\n\r\n", "400", ""},
	{29, get + "A: b\r\r\n\r\n", "400", ""},
	{29, "\rGET / HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{30, get + "\rX: y\r\n\r\n", "400", ""},
	{30, get + "A: b\r\n\rX", "400", ""},
	{31, get + "A: b\r\n c\r\n\r\n", "400", ""},
	{31, get + "A: b\r\n\tc\r\n\r\n", "400", ""},
	{32, get + "A : b\r\n\r\n", "400", ""},
	{32, get + "A\t: b\r\n\r\n", "400", ""},
	{32, get + "Transfer-Encoding x: chunked\r\n\r\n", "400", ""},
	{33, "GET / HTTP/1.1\r\n Host: h\r\n\r\n", "400", ""},
	{33, "GET / HTTP/1.1\r\n \r\nHost: h\r\n\r\n", "400", ""},
	{34, get + ": x\r\n\r\n", "400", ""},
	{34, get + ":\r\n\r\n", "400", ""},
	{35, get + "nocolon\r\n\r\n", "400", ""},
	{35, get + "spl\r\nit: x\r\n\r\n", "400", ""},
	{37, get + "A: b\x00c\r\n\r\n", "400", ""},
	{37, get + "A: b\x1bc\r\n\r\n", "400", ""},
	{37, get + "A: b\x7fc\r\n\r\n", "400", ""},
	{37, get + "A: \xa0b\tc\xff\x85 \r\n\r\n", "200", `"\xa0b\tc\xff\x85"`},
	{38, "\x00" + next, "400", ""},
	{38, "\x0b" + next, "400", ""},
	{38, " " + next, "400", ""},
	{39, "\r\n" + next, "200", ""},
	{39, "\r\n\r\n\r\n\r\n" + next, "200", ""},
	{39, "\r\n\r\n\r\n\r\n\r\n" + next, "400", ""},
	{39, next + "\r\n" + next, "200 200", ""},
	{40, "GET / HTTP/1.1\r\n\r\n", "400", ""},
	{40, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400", ""},
	{40, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400", ""},
	{40, "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "400", ""},
	{40, "GET / HTTP/1.1\r\nHost:\r\n\r\n", "400", ""},
	{40, "CONNECT h:443 HTTP/1.1\r\n\r\n", "400", ""},
	{41, "GET http://b:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n", "200", `"http://b:81/x?y"`},
	{42, "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", "200", `CONNECT "//h:443"`},
	{42, "CONNECT h HTTP/1.1\r\nHost: h:443\r\n\r\n", "400", ""},
	{42, "CONNECT [::1] HTTP/1.1\r\nHost: h:443\r\n\r\n", "400", ""},
	{42, "CONNECT [::1]:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", "200", ""},
	{42, "CONNECT http://h:443/ HTTP/1.1\r\nHost: h:443\r\n\r\n", "400", ""},
	{43, "GET * HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{43, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "200", `OPTIONS "*"`},
	{44, "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{44, "GET /a#f HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{44, "GET /a?b#f HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{44, "GET /a\x00b HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{44, "GET /a\x1fb HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{44, "GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{44, "GET /a\x7fb HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{44, "GET /caf\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n", "200", `"/caf%C3%A9"`},
	{44, "GET /a\\b HTTP/1.1\r\nHost: h\r\n\r\n", "200", `"/a%5Cb"`},
	{44, "GET /a%00b HTTP/1.1\r\nHost: h\r\n\r\n", "200", `"/a%00b"`},
	{44, "GET /a%zzb HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{44, "GET /%c0%af HTTP/1.1\r\nHost: h\r\n\r\n", "200", `"/%c0%af"`},
	{44, "GET /%0d%0a?%0d%0a HTTP/1.1\r\nHost: h\r\n\r\n", "200", `"/%0d%0a?%0d%0a"`},
	{44, "GET /%2561 HTTP/1.1\r\nHost: h\r\n\r\n", "200", `"/%2561"`},
	{44, "GET a/b HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{44, "GET http:x HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{44, "GET http:/x://h/ HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{44, "GET http:x://h/ HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{44, "GET http:///x HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{44, "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{44, "GET http://h:99999/ HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{45, "G=\":<> / HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{45, "G\xe9T / HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{45, " / HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{45, strings.Repeat("G", DefaultRequestLine+1), "414", ""},
	{45, "get / HTTP/1.1\r\nHost: h\r\n\r\n", "200", "get "},
	{46, "GET / HTTP/1.32\r\nHost: h\r\n\r\n", "400", ""},
	{46, "GET / HTTP/1\r\nHost: h\r\n\r\n", "400", ""},
	{46, "GET / http/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{46, "GET / HTTP/9.9\r\nHost: h\r\n\r\n", "505", ""},
	{46, "GET / HTTP/1.2\r\nHost: h\r\n\r\n", "505", ""},
	{46, "GET / HTTP/4294967295.255\r\nHost: h\r\n\r\n", "400", ""},
	{46, "GET / HTTP/\r\r1.1\r\nHost: h\r\n\r\n", "400", ""},
	{46, "GET /  HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{46, "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", "400", ""},
	{46, "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", "400", ""},
	{46, "GET / HTTP/0.9\r\nHost: h\r\n\r\n", "505", ""},
	{47, "GET /\r\n\r\n", "400", ""},
	{47, "GET\r\n\r\n", "400", ""},
	{48, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505", ""},
	{48, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400", ""},
	{48, "\x80\x2e\x01\x03\x01\x00\x15\x00", "400", ""},
	{50, get + "Connection: close\r\n\r\n" + next, "200", ""},
	{50, "GET / HTTP/1.0\r\n\r\n" + next, "200", ""},
	{50, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n" + next, "200 200", ""},
	{53, strings.Repeat(next, 20), strings.TrimSuffix(strings.Repeat("200 ", 20), " "), ""},
	{55, next + "GET / HTTP/1.1\r\nHost : h\r\n\r\n" + next, "200 400", ""},
	{66, post + "Expect: x\r\nContent-Length: 5\r\n\r\nhello", "417", ""},
	{66, post + "Expect: 100-continue, x\r\nContent-Length: 5\r\n\r\nhello", "417", ""},
	{66, post + "Expect: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", "417", ""},
	{66, post + "Expect: 100-Continue \r\nContent-Length: 5\r\n\r\nhello", "200", "expect=true"},
	{66, "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", "200", "expect=false"},
	{66, "POST / HTTP/1.0\r\nExpect: x\r\nContent-Length: 5\r\n\r\nhello", "200", "expect=false"},
	{67, get + "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n", "200", "upgrade=true"},
	{67, get + "Upgrade: websocket\r\n\r\n", "200", "upgrade=false"},
	{67, get + "Connection: upgrade\r\n\r\n", "200", "upgrade=false"},
	{67, "GET / HTTP/1.0\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "200", "upgrade=false"},
}

func TestHazards(t *testing.T) {
	for i, h := range hazards {
		t.Run(fmt.Sprintf("%d/%d", h.n, i), func(t *testing.T) {
			got := transcript(h.in, nil, &Limits{})
			if len(h.in) < 4096 {
				got = checkSplits(t, h.in, &Limits{})
			}
			if s := statuses(got); s != h.statuses {
				t.Fatalf("hazard %d: %q\nanswered %q, want %q:\n%s", h.n, h.in, s, h.statuses, got)
			}
			if !strings.Contains(got, h.contains) {
				t.Fatalf("hazard %d: %q\nwant %s in\n%s", h.n, h.in, h.contains, got)
			}
		})
	}
}

// statuses reduces a transcript to what hazard.statuses holds.
func statuses(transcript string) string {
	var out []string
	for line := range strings.Lines(transcript) {
		switch {
		case strings.HasPrefix(line, "error http1: "):
			out = append(out, line[len("error http1: "):][:3])
		case strings.HasPrefix(line, "body "), strings.HasPrefix(line, "trailer "), line == "short\n":
		default:
			out = append(out, "200")
		}
	}
	return strings.Join(out, " ")
}

// hazard 36: no delimiter, control or eight-bit byte is part of a field name.
func TestNameBytes(t *testing.T) {
	const token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for c := range 256 {
		in := get + "X" + string([]byte{byte(c)}) + "Y: z\r\n\r\n"
		want := "400"
		if strings.IndexByte(token, byte(c)) >= 0 {
			want = "200"
		}
		if c == ':' {
			want = "200" // ends the name
		}
		if got := statuses(transcript(in, nil, &Limits{})); got != want {
			t.Errorf("byte %#x in a name: %s, want %s", c, got, want)
		}
		in = get + "X: y" + string([]byte{byte(c)}) + "z\r\n\r\n"
		want = "200"
		if c < 0x20 && c != '\t' || c == 0x7f {
			want = "400"
		}
		if got := statuses(transcript(in, nil, &Limits{})); got != want {
			t.Errorf("byte %#x in a value: %s, want %s", c, got, want)
		}
	}
}

// hazard 40
func TestHost(t *testing.T) {
	good := []string{"h", "a.b", "a.b.", "1.2.3.4", "a-b_c.com", "a:80", "a:", "a:65535", "[::1]", "[::1]:80",
		"[::1%25en0]:80", "[::ffff:1.2.3.4]", "%e4.com", "~u"}
	bad := []string{"u@h", "u:p@h", "h/p", "h p", "h:98777", "h:65536", "h:000080", "h:8a", "h:-1", "a..b", "a..b:",
		".a", ".", ":80", "::1", "[::1", "::1]", "[]", "[::1]x", "[1.2.3.4]", "[::1%en0]", "[::1%25]", "{", "h,i", "h;i",
		"h\\i", "h?", "h#", "\xff", "h%2", "h%zz", "h\ti", "a:80:80", "[::1]:80:80", "[::1]a:80"}
	for _, h := range good {
		if s := statuses(transcript("GET / HTTP/1.1\r\nHost: "+h+"\r\n\r\n", nil, &Limits{})); s != "200" {
			t.Errorf("Host %q: %s, want 200", h, s)
		}
	}
	for _, h := range bad {
		if s := statuses(transcript("GET / HTTP/1.1\r\nHost: "+h+"\r\n\r\n", nil, &Limits{})); s != "400" {
			t.Errorf("Host %q: %s, want 400", h, s)
		}
	}
}
