package ws

import "unicode/utf8"

// Code is the status of a close frame (RFC 6455 section 7.4).
type Code uint16

// The codes that RFC 6455 and the IANA registry define. NoStatus, Abnormal and
// TLSHandshake describe an end and are never sent.
const (
	CodeNormal          Code = 1000
	CodeGoingAway       Code = 1001
	CodeProtocol        Code = 1002
	CodeUnsupported     Code = 1003
	CodeNoStatus        Code = 1005
	CodeAbnormal        Code = 1006
	CodeInvalidPayload  Code = 1007
	CodePolicy          Code = 1008
	CodeTooBig          Code = 1009
	CodeMandatory       Code = 1010
	CodeInternal        Code = 1011
	CodeServiceRestart  Code = 1012
	CodeTryAgainLater   Code = 1013
	CodeBadGateway      Code = 1014
	CodeTLSHandshake    Code = 1015
	codeFirstLibrary    Code = 3000
	codeLastApplication Code = 4999
)

// MaxReason is the longest reason of a close frame, in bytes.
const MaxReason = MaxControl - 2

// Sendable reports whether the code may stand in a close frame.
func (c Code) Sendable() bool {
	switch {
	case c >= 1000 && c <= 1003, c >= 1007 && c <= 1014:
		return true
	}
	return c >= codeFirstLibrary && c <= codeLastApplication
}

// ParseClose reads the payload of a close frame. An empty one has the code
// CodeNoStatus. The reason is a copy.
func ParseClose(p []byte) (Code, string, *Error) {
	switch {
	case len(p) == 0:
		return CodeNoStatus, "", nil
	case len(p) == 1:
		return 0, "", errCloseShort
	case len(p) > MaxControl:
		return 0, "", errCloseLong
	}
	c := Code(p[0])<<8 | Code(p[1])
	if !c.Sendable() {
		return 0, "", errCloseCode
	}
	if !utf8.Valid(p[2:]) {
		return 0, "", errCloseUTF8
	}
	return c, string(p[2:]), nil
}

// AppendClose appends the payload of a close frame to dst. CodeNoStatus makes
// an empty payload, whose reason must be empty. The error says why a code or a
// reason may not be sent; dst is then returned as it was.
func AppendClose(dst []byte, c Code, reason string) ([]byte, *Error) {
	if c == CodeNoStatus && reason == "" {
		return dst, nil
	}
	if !c.Sendable() {
		return dst, errCloseCode
	}
	if len(reason) > MaxReason {
		return dst, errCloseLong
	}
	if !utf8.ValidString(reason) {
		return dst, errCloseUTF8
	}
	dst = append(dst, byte(c>>8), byte(c))
	return append(dst, reason...), nil
}

// TrimReason returns the longest prefix of reason that fits a close frame
// without cutting a character in two.
func TrimReason(reason string) string {
	if len(reason) <= MaxReason {
		return reason
	}
	n := MaxReason
	for n > 0 && !utf8.RuneStart(reason[n]) {
		n--
	}
	return reason[:n]
}
