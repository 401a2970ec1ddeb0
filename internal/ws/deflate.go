package ws

import "strconv"

// deflateName is the extension's name (RFC 7692 section 7).
const deflateName = "permessage-deflate"

// Names of its parameters (RFC 7692 section 7.1).
const (
	paramServerNoTakeover = "server_no_context_takeover"
	paramClientNoTakeover = "client_no_context_takeover"
	paramServerBits       = "server_max_window_bits"
	paramClientBits       = "client_max_window_bits"
)

// MaxBits is the window that holds unless a smaller one is agreed: 2^15 bytes.
const MaxBits = 15

// minBits is the smallest window that may be agreed: 2^8 bytes.
const minBits = 8

// Deflate is what both sides hold to once per-message compression is agreed, or
// what a side wishes for before it is. Server and Client name the side that
// compresses. Bits are from 8 to 15; a wish may be zero, which means 15.
type Deflate struct {
	ServerNoTakeover bool // each message of the server starts with an empty window
	ClientNoTakeover bool // each message of the client starts with an empty window
	ServerBits       int  // the server's window is 1<<ServerBits bytes at most
	ClientBits       int  // the client's window is 1<<ClientBits bytes at most
}

// normal clamps a wish to what can be agreed.
func (d Deflate) normal() Deflate {
	d.ServerBits = clampBits(d.ServerBits)
	d.ClientBits = clampBits(d.ClientBits)
	return d
}

func clampBits(n int) int {
	if n == 0 || n > MaxBits {
		return MaxBits
	}
	return max(n, minBits)
}

// said is the parameters of one offer or response as they were written. Bits
// are zero for an absent parameter and bare for one without a value.
type said struct {
	serverNo, clientNo     bool
	serverBits, clientBits int
}

const bare = -1

// parseDeflate reads the parameters of one permessage-deflate element. ok is
// false for an unknown or repeated parameter and for a bad value, any of which
// declines the offer or fails the response (RFC 7692 section 7.1).
func parseDeflate(params []param) (s said, ok bool) {
	for _, p := range params {
		switch p.name {
		case paramServerNoTakeover:
			ok = !s.serverNo && !p.has
			s.serverNo = true
		case paramClientNoTakeover:
			ok = !s.clientNo && !p.has
			s.clientNo = true
		case paramServerBits:
			ok = s.serverBits == 0 && p.has
			s.serverBits = parseBits(p.value)
			ok = ok && s.serverBits != 0
		case paramClientBits:
			ok = s.clientBits == 0
			s.clientBits = bare
			if p.has {
				s.clientBits = parseBits(p.value)
			}
			ok = ok && s.clientBits != 0
		default:
			ok = false
		}
		if !ok {
			return s, false
		}
	}
	return s, true
}

// parseBits takes 8 to 15 without a leading zero, and returns zero for all else.
func parseBits(v string) int {
	if len(v) == 1 && (v[0] == '8' || v[0] == '9') {
		return int(v[0] - '0')
	}
	if len(v) == 2 && v[0] == '1' && v[1] >= '0' && v[1] <= '5' {
		return 10 + int(v[1]-'0')
	}
	return 0
}

// AcceptDeflate is the server's side of the negotiation. offers is the values of
// the client's Sec-WebSocket-Extensions, wish what the server would like. It
// takes the first offer of permessage-deflate that it can satisfy and returns
// what is agreed with the field value that says so; ok is false if there is no
// such offer, or the field is malformed, and no compression is then agreed.
func AcceptDeflate(offers []string, wish Deflate) (agreed Deflate, response string, ok bool) {
	wish = wish.normal()
	for _, v := range offers {
		for v != "" {
			var e extension
			if e, v, ok = nextExtension(v); !ok {
				return Deflate{}, "", false
			}
			if agreed.ServerBits != 0 || e.name != deflateName {
				continue
			}
			if s, good := parseDeflate(e.params); good {
				agreed, response = s.accept(wish)
			}
		}
	}
	return agreed, response, agreed.ServerBits != 0
}

// accept answers one well-formed offer. Every such offer can be satisfied, since
// every window size and both kinds of takeover are implemented.
func (s said) accept(wish Deflate) (Deflate, string) {
	d := wish
	r := deflateName
	if d.ServerNoTakeover = wish.ServerNoTakeover || s.serverNo; d.ServerNoTakeover {
		r += "; " + paramServerNoTakeover
	}
	// The server may demand this of a client that did not offer it (section 7.1.1.2).
	if d.ClientNoTakeover = wish.ClientNoTakeover || s.clientNo; d.ClientNoTakeover {
		r += "; " + paramClientNoTakeover
	}
	// Offered windows are upper bounds (section 7.1.2). A smaller server window
	// than the client knows of is harmless, so it is only said when asked for.
	if s.serverBits != 0 {
		d.ServerBits = min(wish.ServerBits, s.serverBits)
		r += "; " + paramServerBits + "=" + strconv.Itoa(d.ServerBits)
	}
	switch s.clientBits {
	case 0: // the client cannot be told to use less
		d.ClientBits = MaxBits
	case bare:
		d.ClientBits = wish.ClientBits
	default:
		d.ClientBits = min(wish.ClientBits, s.clientBits)
	}
	if d.ClientBits < MaxBits {
		r += "; " + paramClientBits + "=" + strconv.Itoa(d.ClientBits)
	}
	return d, r
}

// OfferDeflate returns the value of Sec-WebSocket-Extensions with which a client
// that wishes for the given parameters offers compression.
func OfferDeflate(wish Deflate) string {
	wish = wish.normal()
	r := deflateName
	if wish.ServerNoTakeover {
		r += "; " + paramServerNoTakeover
	}
	if wish.ClientNoTakeover {
		r += "; " + paramClientNoTakeover
	}
	if wish.ServerBits < MaxBits {
		r += "; " + paramServerBits + "=" + strconv.Itoa(wish.ServerBits)
	}
	r += "; " + paramClientBits
	if wish.ClientBits < MaxBits {
		r += "=" + strconv.Itoa(wish.ClientBits)
	}
	return r
}

// CheckDeflate is the client's side of the negotiation: it validates the values
// of Sec-WebSocket-Extensions in a response to OfferDeflate(wish). Without any
// value, ok is false and no compression is agreed. An error fails the handshake.
func CheckDeflate(values []string, wish Deflate) (agreed Deflate, ok bool, err *HandshakeError) {
	for _, v := range values {
		for v != "" {
			var e extension
			if e, v, ok = nextExtension(v); !ok {
				return Deflate{}, false, &HandshakeError{0, "malformed extensions"}
			}
			if e.name == "" {
				continue
			}
			if agreed.ServerBits != 0 || e.name != deflateName {
				return Deflate{}, false, &HandshakeError{0, "extension that was not offered"}
			}
			s, good := parseDeflate(e.params)
			if !good {
				return Deflate{}, false, &HandshakeError{0, "malformed compression parameters"}
			}
			if agreed, err = s.confirm(wish.normal()); err != nil {
				return Deflate{}, false, err
			}
		}
	}
	return agreed, agreed.ServerBits != 0, nil
}

// confirm compares a response with what was offered (RFC 7692 section 7.1).
func (s said) confirm(wish Deflate) (Deflate, *HandshakeError) {
	d := wish
	if wish.ServerNoTakeover && !s.serverNo {
		return d, &HandshakeError{0, "server keeps its context"}
	}
	d.ServerNoTakeover = s.serverNo
	d.ClientNoTakeover = wish.ClientNoTakeover || s.clientNo
	if s.serverBits > wish.ServerBits || s.serverBits == 0 && wish.ServerBits < MaxBits {
		return d, &HandshakeError{0, "server window larger than offered"}
	}
	if s.serverBits != 0 {
		d.ServerBits = s.serverBits
	}
	if s.clientBits == bare || s.clientBits > wish.ClientBits {
		return d, &HandshakeError{0, "client window larger than offered"}
	}
	if s.clientBits != 0 {
		d.ClientBits = s.clientBits
	}
	return d, nil
}
