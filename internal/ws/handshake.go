package ws

import (
	"crypto/sha1"
	"encoding/base64"
	"strings"
)

// Version is the value of Sec-WebSocket-Version that RFC 6455 defines.
const Version = "13"

// acceptGUID is the constant of RFC 6455 section 1.3.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// Names of the handshake's fields, in the canonical form of net/http.
const (
	fieldKey      = "Sec-Websocket-Key"
	fieldVersion  = "Sec-Websocket-Version"
	fieldProtocol = "Sec-Websocket-Protocol"
	fieldAccept   = "Sec-Websocket-Accept"
)

// Request is what the server checks of an opening handshake. Header has the
// canonical keys of net/http, and does not hold the Host field.
type Request struct {
	Method string
	Major  int
	Minor  int
	Host   string
	Header map[string][]string
}

// CheckRequest validates a client's opening handshake (RFC 6455 section 4.2.1)
// except its Origin, and returns its key; or the error that says with which
// status to refuse it.
func CheckRequest(r Request) (key string, err *HandshakeError) {
	switch {
	case r.Method != "GET":
		return "", &HandshakeError{405, "method is not GET"}
	case r.Major < 1 || r.Major == 1 && r.Minor < 1:
		return "", &HandshakeError{400, "HTTP version below 1.1"}
	case r.Host == "":
		return "", &HandshakeError{400, "no Host"}
	case !hasToken(r.Header["Upgrade"], "websocket"):
		return "", &HandshakeError{426, "no Upgrade to websocket"}
	case !hasToken(r.Header["Connection"], "upgrade"):
		return "", &HandshakeError{400, "no Connection: Upgrade"}
	case hasBody(r.Header):
		return "", &HandshakeError{400, "handshake with a body"}
	}
	if err = checkVersion(r.Header[fieldVersion]); err != nil {
		return "", err
	}
	return checkKey(r.Header[fieldKey])
}

// hasBody reports whether the request announces a body, bytes of which could be
// taken for frames.
func hasBody(h map[string][]string) bool {
	if len(h["Transfer-Encoding"]) > 0 {
		return true
	}
	for _, v := range h["Content-Length"] {
		if strings.Trim(v, "0 \t") != "" {
			return true
		}
	}
	return false
}

// checkVersion tells a version that is not spoken here (426) from a field that
// is absent or no version at all (400).
func checkVersion(values []string) *HandshakeError {
	if len(values) != 1 {
		return &HandshakeError{400, "not one Sec-WebSocket-Version"}
	}
	v := trimOWS(values[0])
	if v == Version {
		return nil
	}
	if len(v) == 0 || len(v) > 3 || strings.Trim(v, "0123456789") != "" {
		return &HandshakeError{400, "malformed Sec-WebSocket-Version"}
	}
	return &HandshakeError{426, "unsupported Sec-WebSocket-Version"}
}

// checkKey wants one key of 16 bytes. The spare bits of the last character need
// not be zero: the example in RFC 6455 section 4.1 has them set.
func checkKey(values []string) (string, *HandshakeError) {
	if len(values) != 1 {
		return "", &HandshakeError{400, "not one Sec-WebSocket-Key"}
	}
	key := trimOWS(values[0])
	var raw [18]byte
	if len(key) != 24 {
		return "", &HandshakeError{400, "Sec-WebSocket-Key is not 16 bytes"}
	}
	if n, err := base64.StdEncoding.Decode(raw[:], []byte(key)); err != nil || n != 16 {
		return "", &HandshakeError{400, "Sec-WebSocket-Key is not 16 bytes"}
	}
	return key, nil
}

// AcceptKey returns the Sec-WebSocket-Accept that answers a key (RFC 6455
// section 4.2.2).
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + acceptGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// NewKey returns the Sec-WebSocket-Key made of 16 bytes of randomness.
func NewKey(random [16]byte) string {
	return base64.StdEncoding.EncodeToString(random[:])
}

// ChooseProtocol returns the first of the server's subprotocols, which are in
// its order of preference, that the client offers, or "" if there is none or the
// client's list is malformed. offered is the values of Sec-WebSocket-Protocol.
// Names are compared exactly.
func ChooseProtocol(offered, supported []string) string {
	if len(offered) == 0 || len(supported) == 0 {
		return ""
	}
	rank := make(map[string]int, len(supported))
	for i, s := range supported {
		if _, twice := rank[s]; !twice {
			rank[s] = i
		}
	}
	best := len(supported)
	for _, v := range offered {
		for s := range strings.SplitSeq(v, ",") {
			s = trimOWS(s)
			if s != "" && !IsToken(s) {
				return ""
			}
			if i, ok := rank[s]; ok && s != "" && i < best {
				best = i
			}
		}
	}
	if best == len(supported) {
		return ""
	}
	return supported[best]
}

// Response is what the client checks of the answer to its handshake. Header has
// the canonical keys of net/http.
type Response struct {
	Status int
	Major  int
	Minor  int
	Header map[string][]string
}

// CheckResponse validates a server's answer to a handshake with the given key
// that offered the given subprotocols (RFC 6455 section 4.2.2), except its
// extensions, and returns the subprotocol that the server chose, or "".
func CheckResponse(r Response, key string, protocols []string) (string, *HandshakeError) {
	accept := r.Header[fieldAccept]
	switch {
	case r.Status != 101:
		return "", &HandshakeError{0, "status is not 101"}
	case r.Major != 1 || r.Minor < 1:
		return "", &HandshakeError{0, "HTTP version is not 1.1"}
	case !onlyToken(r.Header["Upgrade"], "websocket"):
		return "", &HandshakeError{0, "no Upgrade to websocket"}
	case !hasToken(r.Header["Connection"], "upgrade"):
		return "", &HandshakeError{0, "no Connection: Upgrade"}
	case len(accept) != 1 || trimOWS(accept[0]) != AcceptKey(key):
		return "", &HandshakeError{0, "wrong Sec-WebSocket-Accept"}
	}
	chosen := r.Header[fieldProtocol]
	if len(chosen) == 0 {
		return "", nil
	}
	if len(chosen) == 1 {
		name := trimOWS(chosen[0])
		for _, p := range protocols {
			if p == name {
				return p, nil
			}
		}
	}
	return "", &HandshakeError{0, "subprotocol that was not offered"}
}

// hasToken reports whether a comma-separated list, which may be spread over
// several values, has the token, in any case. token is in lower case.
func hasToken(values []string, token string) bool {
	for _, v := range values {
		for s := range strings.SplitSeq(v, ",") {
			if equalFold(trimOWS(s), token) {
				return true
			}
		}
	}
	return false
}

// onlyToken reports whether the field has exactly one value, the token, in any
// case. token is in lower case.
func onlyToken(values []string, token string) bool {
	return len(values) == 1 && equalFold(trimOWS(values[0]), token)
}

// equalFold reports whether s is lower but for the case of its ASCII letters.
// strings.EqualFold takes characters for letters that no token has, such as the long
// s (RFC 9110 section 5.6.2).
func equalFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		b := s[i]
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		if b != lower[i] {
			return false
		}
	}
	return true
}

// trimOWS removes what RFC 9110 section 5.6.3 calls optional whitespace.
func trimOWS(s string) string { return strings.Trim(s, " \t") }

// IsToken reports whether s is a token (RFC 9110 section 5.6.2), which is what
// names of subprotocols must be. The empty string is none.
func IsToken(s string) bool {
	return s != "" && tokenLen(s) == len(s)
}

// tokenLen returns how many bytes at the start of s may stand in a token.
func tokenLen(s string) int {
	for i := range len(s) {
		if !tokenBytes[s[i]] {
			return i
		}
	}
	return len(s)
}

var tokenBytes = makeTokenBytes()

func makeTokenBytes() (t [256]bool) {
	const marks = "!#$%&'*+-.^_`|~"
	const digits = "0123456789"
	const letters = "abcdefghijklmnopqrstuvwxyz"
	for _, b := range []byte(marks + digits + letters + strings.ToUpper(letters)) {
		t[b] = true
	}
	return t
}
