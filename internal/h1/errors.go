package h1

import "strconv"

// Error is a peer's mistake. Status is the HTTP status a server answers with before it
// closes the connection; Reason is one line for a person and holds no unescaped peer byte.
type Error struct {
	Status int
	Reason string
}

// Error returns the status and the reason.
func (e *Error) Error() string {
	return "http1: " + strconv.Itoa(e.Status) + " " + e.Reason
}

// The mistakes, each with the status it earns. They are shared values: compare with
// errors.Is, never change one.
var (
	ErrBareCR          = &Error{400, "carriage return not followed by line feed"}
	ErrBareLF          = &Error{400, "line feed not preceded by carriage return"}
	ErrLeadingLines    = &Error{400, "too many empty lines before the message"}
	ErrRequestLine     = &Error{400, "malformed request line: want method, one space, target, one space, HTTP/1.1"}
	ErrMethod          = &Error{400, "method is not a token"}
	ErrVersionSyntax   = &Error{400, "malformed HTTP version: want HTTP/1.1"}
	ErrVersion         = &Error{505, "HTTP version not supported: this server speaks HTTP/1.0 and HTTP/1.1"}
	ErrTarget          = &Error{400, "invalid request target"}
	ErrTargetFragment  = &Error{400, "request target contains a fragment"}
	ErrTargetUserinfo  = &Error{400, "request target contains userinfo"}
	ErrTargetStar      = &Error{400, "request target * is only for OPTIONS"}
	ErrLineTooLong     = &Error{414, "request line too long"}
	ErrHeaderTooLarge  = &Error{431, "header section too large"}
	ErrTooManyFields   = &Error{431, "too many header lines"}
	ErrFold            = &Error{400, "header line begins with white space (folded lines are refused)"}
	ErrNoColon         = &Error{400, "header line without a colon"}
	ErrFieldName       = &Error{400, "invalid header field name"}
	ErrHeadIncomplete  = &Error{400, "message head is incomplete"}
	ErrHeadTrailing    = &Error{400, "bytes behind the end of the message head"}
	ErrHostMissing     = &Error{400, "missing required Host header"}
	ErrHostDuplicate   = &Error{400, "more than one Host header"}
	ErrHost            = &Error{400, "invalid Host header"}
	ErrLength          = &Error{400, "invalid Content-Length"}
	ErrLengthDuplicate = &Error{400, "more than one Content-Length"}
	ErrLengthAndTE     = &Error{400, "both Content-Length and Transfer-Encoding"}
	ErrTE              = &Error{400, "invalid Transfer-Encoding: chunked must come once and last"}
	ErrTEDuplicate     = &Error{400, "more than one Transfer-Encoding header"}
	ErrTEVersion       = &Error{400, "Transfer-Encoding in an HTTP/1.0 message"}
	ErrTEUnknown       = &Error{501, "transfer coding not supported: only chunked is"}
	ErrExpect          = &Error{417, "expectation not supported: only 100-continue is"}
	ErrTrailerName     = &Error{400, "invalid field name in Trailer"}

	ErrChunkSize       = &Error{400, "invalid chunk size"}
	ErrChunkTooLarge   = &Error{400, "chunk size out of range"}
	ErrChunkExtension  = &Error{400, "invalid chunk extension"}
	ErrChunkLineLong   = &Error{400, "chunk extension too long"}
	ErrChunkOverhead   = &Error{400, "too much chunk framing for so little data"}
	ErrChunkEnd        = &Error{400, "chunk data not followed by CRLF"}
	ErrTrailerTooLarge = &Error{431, "trailer section too large"}
	ErrTrailerField    = &Error{400, "framing or routing field in the trailer section"}
)

// badByte reports a byte that may not stand where it was found, escaped.
func badByte(where string, c byte) error {
	const hex = "0123456789abcdef"
	return &Error{400, "invalid byte 0x" + string([]byte{hex[c>>4], hex[c&15]}) + " in " + where}
}
