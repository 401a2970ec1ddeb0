package ws

import "strconv"

// Error is a peer's violation of the framing rules. Code is the close code with
// which the connection must be failed; Reason is a fixed phrase that holds no
// byte of the peer, so it may be logged and sent as it is.
type Error struct {
	Code   Code
	Reason string
}

// Error returns the code and the reason.
func (e *Error) Error() string {
	return "websocket: " + strconv.Itoa(int(e.Code)) + ": " + e.Reason
}

// HandshakeError is why an opening handshake is refused. On the server's side
// Code is the HTTP status to answer with; on the client's side, where nothing is
// answered, it is zero. Reason is a fixed phrase without any byte of the peer.
type HandshakeError struct {
	Code   int
	Reason string
}

// Error returns the status and the reason.
func (e *HandshakeError) Error() string {
	if e.Code == 0 {
		return "websocket: handshake: " + e.Reason
	}
	return "websocket: handshake: " + strconv.Itoa(e.Code) + ": " + e.Reason
}

// Fields returns the name and value pairs that the refusal must carry beside
// its status (RFC 6455 section 4.4, RFC 9110 sections 15.5.6 and 15.5.22). major
// is the request's version of HTTP: from 2 on fields of the connection would make
// the whole response malformed (RFC 9113 section 8.2.2).
func (e *HandshakeError) Fields(major int) [][2]string {
	switch {
	case e.Code == 405:
		return [][2]string{{"Allow", "GET"}}
	case e.Code == 426 && major >= 2:
		return [][2]string{{"Sec-WebSocket-Version", Version}}
	case e.Code == 426:
		return [][2]string{
			{"Upgrade", "websocket"},
			{"Connection", "Upgrade"},
			{"Sec-WebSocket-Version", Version},
		}
	}
	return nil
}

// Errors are package variables, so that refusing a peer costs no allocation.
// They are never modified.
var (
	errRSV          = &Error{CodeProtocol, "reserved bit set"}
	errRSV1         = &Error{CodeProtocol, "compressed bit on a frame that may not carry it"}
	errOpcode       = &Error{CodeProtocol, "unknown opcode"}
	errControlFin   = &Error{CodeProtocol, "fragmented control frame"}
	errControlLong  = &Error{CodeProtocol, "control frame longer than 125 bytes"}
	errUnmasked     = &Error{CodeProtocol, "unmasked frame from a client"}
	errMasked       = &Error{CodeProtocol, "masked frame from a server"}
	errMinimal      = &Error{CodeProtocol, "payload length not in its shortest form"}
	errTopBit       = &Error{CodeProtocol, "payload length with the top bit set"}
	errContinuation = &Error{CodeProtocol, "continuation without a message"}
	errInterleaved  = &Error{CodeProtocol, "new message inside a fragmented one"}
	errMessageSize  = &Error{CodeTooBig, "message too big"}
	errFragments    = &Error{CodeTooBig, "message of too many fragments"}
	errUTF8         = &Error{CodeInvalidPayload, "text is not UTF-8"}
	errCloseShort   = &Error{CodeProtocol, "close frame with one byte"}
	errCloseLong    = &Error{CodeProtocol, "close frame longer than 125 bytes"}
	errCloseCode    = &Error{CodeProtocol, "close code that may not be sent"}
	errCloseUTF8    = &Error{CodeInvalidPayload, "close reason is not UTF-8"}
)
