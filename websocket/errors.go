package websocket

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/d74363f0/strand"
)

// Code is the status of a close frame (RFC 6455 section 7.4).
type Code uint16

// The codes that RFC 6455 and the IANA registry define. NoStatus and Abnormal
// are never sent: they tell a handler how the connection ended.
const (
	Normal         Code = 1000
	GoingAway      Code = 1001
	ProtocolError  Code = 1002
	Unsupported    Code = 1003
	NoStatus       Code = 1005
	Abnormal       Code = 1006
	InvalidPayload Code = 1007
	Policy         Code = 1008
	TooBig         Code = 1009
	Mandatory      Code = 1010
	Internal       Code = 1011
	ServiceRestart Code = 1012
	TryAgainLater  Code = 1013
	BadGateway     Code = 1014
)

// CloseError is why a connection ended; Handler.OnClose always receives one. If
// there was a close frame, Code and Reason are those of the first one, and Local
// says that it was ours. If the peer did not answer ours, Cause is what happened
// instead, io.EOF when it just hung up; but no answer is waited for when ours
// failed the connection, and then Cause is the mistake, if that was not the peer's.
// Without a close frame, Code is Abnormal and Cause is the reason: ErrClosed, and Local,
// when the engine was closed.
type CloseError struct {
	Code   Code   // of the close frame, or Abnormal
	Reason string // not escaped: it may be a peer's text
	Local  bool   // this side closed or failed the connection
	Cause  error  // what lies behind; nil for a closing handshake, and for the peer's mistake
}

// Error returns the code, the reason (quoted) and the cause.
func (e *CloseError) Error() string {
	s := "websocket: closed: " + strconv.Itoa(int(e.Code))
	if e.Reason != "" {
		s += " " + strconv.QuoteToASCII(e.Reason)
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *CloseError) Unwrap() error { return e.Cause }

// HandshakeError is why an opening handshake was refused. Status is the HTTP
// status that Accept answered, or that Dial received; zero if Dial did not
// believe the answer.
type HandshakeError struct {
	Status int
	Reason string
}

// Error returns the status and the reason.
func (e *HandshakeError) Error() string {
	if e.Status == 0 {
		return "websocket: handshake: " + e.Reason
	}
	return "websocket: handshake: " + strconv.Itoa(e.Status) + ": " + e.Reason
}

var (
	// ErrClosed is returned by writes after the connection closed, or began to.
	ErrClosed error = fmt.Errorf("websocket: %w", net.ErrClosed)

	// ErrQueueFull is returned by a write when the peer has left so much of what
	// was written before unread that the queue is at its limit. Nothing of the
	// message was sent. It is also returned by Conn.Writer while messages wait in
	// the queue. It is strand's error of the same name.
	ErrQueueFull = strand.ErrQueueFull

	// ErrStreaming is returned by Conn.Writer while another Writer is open.
	ErrStreaming = errors.New("websocket: another message is being streamed")

	// ErrControlTooLong is returned for a ping of more than 125 bytes.
	ErrControlTooLong = errors.New("websocket: control payload longer than 125 bytes")

	// ErrCloseFrame is returned for a close code that may not be sent, and for a
	// reason that is not UTF-8 or longer than 123 bytes.
	ErrCloseFrame = errors.New("websocket: bad close code or reason")

	// ErrMessageType is returned for a message that is neither Text nor Binary.
	ErrMessageType = errors.New("websocket: bad message type")

	// errDead is the cause when a heartbeat found the peer gone.
	errDead = errors.New("websocket: peer does not answer pings")

	// errCloseTimeout is the cause when the peer never answered our close frame.
	errCloseTimeout = errors.New("websocket: peer does not answer the close frame")

	// errProxyHead is returned for a proxy that answers more than a head may be.
	errProxyHead = errors.New("websocket: the head of the proxy's response is longer than 64 KiB")

	errPanic  = errors.New("websocket: panic in the handler")
	errSlow   = errors.New("websocket: peer reads too slowly")
	errAdopt  = errors.New("websocket: connection ended during the handshake")
	errNoConn = errors.New("websocket: the ResponseWriter cannot be hijacked")
)
