package h1

import (
	"slices"
	"strconv"
)

// AppendStatusLine appends a status line with its CRLF. A control byte in reason becomes a
// space; a code outside 100 to 999 is the caller's mistake and panics.
func AppendStatusLine(dst []byte, minor, code int, reason string) []byte {
	if code < 100 || code > 999 {
		panic("h1: invalid status code " + strconv.Itoa(code))
	}
	if minor > 0 {
		dst = append(dst, "HTTP/1.1 "...)
	} else {
		dst = append(dst, "HTTP/1.0 "...)
	}
	dst = append(dst, byte('0'+code/100), byte('0'+code/10%10), byte('0'+code%10), ' ')
	dst = appendClean(dst, reason)
	return append(dst, '\r', '\n')
}

// AppendField appends one header line. A name that is not a token drops the line, and a
// control byte in the value becomes a space, so that no caller can split a response.
func AppendField(dst []byte, name, value string) []byte {
	if !ValidToken(name) {
		return dst
	}
	dst = append(dst, name...)
	dst = append(dst, ':', ' ')
	dst = appendClean(dst, trimOWS(value))
	return append(dst, '\r', '\n')
}

// AppendFields appends the lines of a header map, sorted by name, without the names for
// which skip, if not nil, reports true.
func AppendFields(dst []byte, header map[string][]string, skip func(name string) bool) []byte {
	var array [16]string
	names := array[:0]
	for name := range header {
		if skip == nil || !skip(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range header[name] {
			dst = AppendField(dst, name, value)
		}
	}
	return dst
}

// AppendIntField appends one header line whose value is a number.
func AppendIntField(dst []byte, name string, n int64) []byte {
	if !ValidToken(name) {
		return dst
	}
	dst = append(dst, name...)
	dst = append(dst, ':', ' ')
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, '\r', '\n')
}

// AppendChunkSize appends the line that begins a chunk of n bytes. The data and a CRLF
// follow it. A size of zero is the last chunk: the trailer section and an empty line follow.
func AppendChunkSize(dst []byte, n int) []byte {
	if n < 0 {
		panic("h1: negative chunk size")
	}
	dst = strconv.AppendInt(dst, int64(n), 16)
	return append(dst, '\r', '\n')
}

// appendClean appends s with each control byte but HTAB replaced by a space.
func appendClean(dst []byte, s string) []byte {
	start := len(dst)
	dst = append(dst, s...)
	for i := start; ; i++ {
		if i += indexCTL(dst[i:]); i >= len(dst) {
			return dst
		}
		if dst[i] != '\t' {
			dst[i] = ' '
		}
	}
}
