package ws

import (
	"maps"
	"strings"
	"testing"
)

// goodRequest is the handshake of RFC 6455 section 1.2.
func goodRequest() Request {
	return Request{Method: "GET", Major: 1, Minor: 1, Host: "server.example.com", Header: map[string][]string{
		"Upgrade":               {"websocket"},
		"Connection":            {"Upgrade"},
		"Sec-Websocket-Key":     {"dGhlIHNhbXBsZSBub25jZQ=="},
		"Sec-Websocket-Version": {"13"},
	}}
}

// hazard 106
func TestCheckRequest(t *testing.T) {
	set := func(name string, values ...string) func(*Request) {
		return func(r *Request) {
			if len(values) == 0 {
				delete(r.Header, name)
				return
			}
			r.Header[name] = values
		}
	}
	tests := []struct {
		name   string
		change func(*Request)
		want   int // status, zero for accepted
	}{
		{"good", func(*Request) {}, 0},
		{"upgrade list", set("Upgrade", "h2c, websocket"), 0},
		{"upgrade in two fields", set("Upgrade", "h2c", "WebSocket"), 0},
		{"upgrade with a long s", set("Upgrade", "web\u017focket"), 426},
		{"upgrade with the Kelvin sign", set("Upgrade", "websoc\u212aet"), 426},
		{"upgrade with other bits", set("Upgrade", "7EBSOCKET"), 426},
		{"connection list", set("Connection", "keep-alive, Upgrade"), 0},
		{"connection in two fields", set("Connection", "keep-alive", " UPGRADE "), 0},
		{"key with spare bits", set("Sec-Websocket-Key", "AQIDBAUGBwgJCgsMDQ4PEC=="), 0},
		{"no body", set("Content-Length", "0"), 0},
		{"HTTP/2.0", func(r *Request) { r.Major, r.Minor = 2, 0 }, 0},
		{"POST", func(r *Request) { r.Method = "POST" }, 405},
		{"get", func(r *Request) { r.Method = "get" }, 405},
		{"HTTP/1.0", func(r *Request) { r.Minor = 0 }, 400},
		{"HTTP/0.9", func(r *Request) { r.Major, r.Minor = 0, 9 }, 400},
		{"no host", func(r *Request) { r.Host = "" }, 400},
		{"no upgrade", set("Upgrade"), 426},
		{"h2c", set("Upgrade", "h2c"), 426},
		{"websocket/13", set("Upgrade", "websocket/13"), 426},
		{"no connection", set("Connection"), 400},
		{"keep-alive", set("Connection", "keep-alive"), 400},
		{"no version", set("Sec-Websocket-Version"), 400},
		{"version 12", set("Sec-Websocket-Version", "12"), 426},
		{"version 0", set("Sec-Websocket-Version", "0"), 426},
		{"version 130", set("Sec-Websocket-Version", "130"), 426},
		{"version word", set("Sec-Websocket-Version", "abc"), 400},
		{"version list", set("Sec-Websocket-Version", "13, 12"), 400},
		{"version twice", set("Sec-Websocket-Version", "13", "13"), 400},
		{"no key", set("Sec-Websocket-Key"), 400},
		{"empty key", set("Sec-Websocket-Key", ""), 400},
		{"15-byte key", set("Sec-Websocket-Key", "AAAAAAAAAAAAAAAAAAAA"), 400},
		{"17-byte key", set("Sec-Websocket-Key", "AAAAAAAAAAAAAAAAAAAAAAA="), 400},
		{"18-byte key", set("Sec-Websocket-Key", "AAAAAAAAAAAAAAAAAAAAAAAA"), 400},
		{"key not base64", set("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25j!Q=="), 400},
		{"key twice", set("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="), 400},
		{"body", set("Content-Length", "5"), 400},
		{"chunked", set("Transfer-Encoding", "chunked"), 400},
	}
	for _, tt := range tests {
		r := goodRequest()
		tt.change(&r)
		before := maps.Clone(r.Header)
		key, err := CheckRequest(r)
		got := 0
		if err != nil {
			got = err.Code
		}
		if got != tt.want || (got == 0) != (len(key) == 24) {
			t.Errorf("%s: got %v and key %q, want %d", tt.name, err, key, tt.want)
		}
		if len(before) != len(r.Header) {
			t.Errorf("%s: header changed", tt.name)
		}
	}
}

func TestRefusalFields(t *testing.T) {
	fields := func(code, major int) string {
		var all []string
		for _, f := range (&HandshakeError{Code: code}).Fields(major) {
			all = append(all, f[0]+": "+f[1])
		}
		return strings.Join(all, "\n")
	}
	if got := fields(426, 1); got != "Upgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13" {
		t.Errorf("426: %q", got)
	}
	for _, major := range []int{2, 3} {
		if got := fields(426, major); got != "Sec-WebSocket-Version: 13" {
			t.Errorf("426 over HTTP/%d: %q", major, got)
		}
	}
	if got := fields(405, 1); got != "Allow: GET" {
		t.Errorf("405: %q", got)
	}
	if got := fields(400, 1); got != "" {
		t.Errorf("400: %q", got)
	}
}

func TestAcceptKey(t *testing.T) {
	if got := AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("got %q", got)
	}
	r := goodRequest()
	r.Header["Sec-Websocket-Key"] = []string{NewKey([16]byte{1, 2, 3})}
	if _, err := CheckRequest(r); err != nil {
		t.Errorf("NewKey makes a key that is refused: %v", err)
	}
}

func TestChooseProtocol(t *testing.T) {
	tests := []struct {
		offered, supported []string
		want               string
	}{
		{nil, []string{"chat"}, ""},
		{[]string{"chat"}, nil, ""},
		{[]string{"chat, superchat"}, []string{"superchat", "chat"}, "superchat"},
		{[]string{"chat", " superchat\t"}, []string{"superchat"}, "superchat"},
		{[]string{",, chat ,"}, []string{"chat"}, "chat"},
		{[]string{"Chat"}, []string{"chat"}, ""},
		{[]string{"chat, b@d"}, []string{"chat"}, ""},
		{[]string{"chat\r\nX: y"}, []string{"chat"}, ""},
		{[]string{"a, b"}, []string{"b", "b", "a"}, "b"},
		{[]string{""}, []string{""}, ""},
	}
	for _, tt := range tests {
		if got := ChooseProtocol(tt.offered, tt.supported); got != tt.want {
			t.Errorf("%q of %q: got %q, want %q", tt.supported, tt.offered, got, tt.want)
		}
	}
}

func TestCheckResponse(t *testing.T) {
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	tests := []struct {
		name         string
		status       int
		field, value string
		protocol     string
		ok           bool
	}{
		{"good", 101, "X", "", "", true},
		{"chosen", 101, "Sec-Websocket-Protocol", "b", "b", true},
		{"not offered", 101, "Sec-Websocket-Protocol", "c", "", false},
		{"two chosen", 101, "Sec-Websocket-Protocol", "a, b", "", false},
		{"status", 200, "X", "", "", false},
		{"upgrade", 101, "Upgrade", "h2c", "", false},
		{"upgrade case", 101, "Upgrade", "WebSocket", "", true},
		{"upgrade with a long s", 101, "Upgrade", "web\u017focket", "", false},
		{"upgrade with the Kelvin sign", 101, "Upgrade", "websoc\u212aet", "", false},
		{"upgrade list", 101, "Upgrade", "websocket, h2c", "", false},
		{"connection", 101, "Connection", "close", "", false},
		{"accept", 101, "Sec-Websocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOp=", "", false},
		{"accept case", 101, "Sec-Websocket-Accept", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "", false},
	}
	for _, tt := range tests {
		h := map[string][]string{
			"Upgrade":              {"websocket"},
			"Connection":           {"Upgrade"},
			"Sec-Websocket-Accept": {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
		}
		h[tt.field] = []string{tt.value}
		got, err := CheckResponse(Response{tt.status, 1, 1, h}, key, []string{"a", "b"})
		if (err == nil) != tt.ok || got != tt.protocol {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
	good := map[string][]string{
		"Upgrade":              {"websocket"},
		"Connection":           {"Upgrade"},
		"Sec-Websocket-Accept": {AcceptKey(key)},
	}
	if _, err := CheckResponse(Response{101, 1, 0, good}, key, nil); err == nil {
		t.Error("a response of HTTP/1.0 was accepted")
	}
	if _, err := CheckResponse(Response{Status: 101}, key, nil); err == nil {
		t.Error("an empty response was accepted")
	}
}

// hazard 108
func TestCheckOrigin(t *testing.T) {
	tests := []struct {
		origin, host string
		allowed      []string
		ok           bool
	}{
		{"http://example.com", "example.com", nil, true},
		{"https://example.com", "example.com", nil, true},
		{"https://EXAMPLE.com", "Example.COM", nil, true},
		{"http://example.com:80", "example.com", nil, true},
		{"https://example.com", "example.com:443", nil, true},
		{"http://example.com:8080", "example.com:8080", nil, true},
		{"http://[::1]:8080", "[::1]:8080", nil, true},
		{"http://[::1]", "[::1]:80", nil, true},
		{"http://example.com:8080", "example.com", nil, false},
		{"http://example.com", "example.com:8080", nil, false},
		{"http://example.com", "example.com:443", nil, false},
		{"http://evil.com", "example.com", nil, false},
		{"http://example.com.evil.com", "example.com", nil, false},
		{"http://evilexample.com", "example.com", []string{"*.example.com"}, false},
		{"null", "example.com", nil, false},
		{"null", "example.com", []string{"*"}, false},
		{"null", "example.com", []string{"null"}, true},
		{"", "example.com", []string{"*"}, false},
		{"example.com", "example.com", []string{"*"}, false},
		{"http://user@example.com", "example.com", nil, false},
		{"http://example.com/", "example.com", nil, false},
		{"http://example.com?x", "example.com", nil, false},
		{"file://", "example.com", nil, false},
		{"file://", "", nil, false},
		{"file://", "example.com", []string{"*"}, true},
		{"file://", "example.com", []string{"file://"}, true},
		{"file://", "example.com", []string{"FILE://*"}, true},
		{"file://", "example.com", []string{"", "**", "null", "*.example.com", "http://*"}, false},
		{"file:", "example.com", []string{"*"}, false},
		{"file:x", "example.com", []string{"*"}, false},
		{"file:///x", "example.com", []string{"*", "file://*"}, false},
		{"http://", "", nil, false},
		{"http://[::1]:3000", "example.com", []string{"http://[::1]:3000"}, true},
		{"http://[2001:DB8::1]:3000", "example.com", []string{"[2001:db8::1]:3000"}, true},
		{"http://[2001:db8::1]", "example.com", []string{"HTTP://[2001:DB8::1]"}, true},
		{"http://[::2]:3000", "example.com", []string{"http://[::1]:3000"}, false},
		{"http://app.example.com", "example.com", []string{"app.example.com"}, true},
		{"chrome-extension://abc", "abc", nil, false},
		{"chrome-extension://abc", "example.com", []string{"chrome-extension://abc"}, true},
		{"https://app.example.com", "example.com", []string{"*.example.com"}, true},
		{"https://app.example.com:444", "example.com", []string{"*.example.com"}, false},
		{"https://app.example.com", "example.com", []string{"https://*.Example.com"}, true},
		{"http://app.example.com", "example.com", []string{"https://*.example.com"}, false},
		{"https://anything.org:1", "example.com", []string{"*"}, true},
		{"https://other.org", "example.com", []string{"[", "other.org"}, true},
	}
	for _, tt := range tests {
		err := CheckOrigin([]string{tt.origin}, tt.host, tt.allowed)
		if (err == nil) != tt.ok {
			t.Errorf("%s to %s, allowed %q: %v", tt.origin, tt.host, tt.allowed, err)
		}
		if err != nil && err.Code != 403 {
			t.Errorf("%s: status %d", tt.origin, err.Code)
		}
	}
	if CheckOrigin(nil, "example.com", nil) != nil {
		t.Error("a client without Origin was refused")
	}
	if CheckOrigin([]string{"http://example.com", "http://example.com"}, "example.com", []string{"*"}) == nil {
		t.Error("two Origin fields were accepted")
	}
}

func TestCheckPatterns(t *testing.T) {
	good := []string{"*", "null", "file://", "*.example.com", "https://*.example.com:8443", "[::1]:3000", "http://[2001:db8::1]", "[a-z].example.com", ""}
	if bad, ok := CheckPatterns(good); !ok {
		t.Errorf("%q is malformed", bad)
	}
	for _, p := range []string{"[", "http://[a", "[]", "[a-]", "*.example.com\\", "*a[", "x*["} {
		if bad, ok := CheckPatterns(append(good, p)); ok || bad != p {
			t.Errorf("%q: %q, %v", p, bad, ok)
		}
	}
}
