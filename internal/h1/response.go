package h1

import "strings"

// Response is a parsed response head.
type Response struct {
	Minor  int // 0 for HTTP/1.0, 1 for HTTP/1.1
	Code   int // 100 to 999
	Reason string

	// Fields holds the header lines in the order received, without Transfer-Encoding, and
	// without Trailer if the body is chunked; ParseResponse appends as ParseRequest does.
	Fields []Field

	ContentLength int64 // -1 if absent
	Chunked       bool  // the body is framed by chunks
	Close         bool  // the connection ends with this message
	Upgrade       bool  // Upgrade is present and a connection option
	Trailers      []string
}

// ParseResponse parses one complete head, from its status line to its empty line, into r,
// as ParseRequest does for a request and under the same strict rules.
func ParseResponse(head string, r *Response) error {
	*r = Response{Fields: r.Fields[:0]}
	i, err := r.parseLine(head)
	if err != nil {
		return err
	}
	var m message
	for {
		if i+1 >= len(head) {
			return ErrHeadIncomplete
		}
		if head[i] == '\r' {
			break
		}
		f, next, err := parseField(head, i)
		if err != nil {
			return err
		}
		i = next
		keep, err := m.note(&f)
		if err != nil {
			return err
		}
		if keep || f.Name == "Host" {
			r.Fields = append(r.Fields, f)
		}
	}
	if head[i+1] != '\n' {
		return ErrBareCR
	}
	if i+2 != len(head) {
		return ErrHeadTrailing
	}
	if r.ContentLength, r.Chunked, err = m.framing(r.Minor); err != nil {
		return err
	}
	if m.trailer && r.Chunked {
		if r.Trailers, r.Fields, err = trailerNames(r.Fields); err != nil {
			return err
		}
	}
	r.Close = m.closes(r.Minor)
	r.Upgrade = m.optUpgr && m.upgrade && r.Minor > 0
	return nil
}

// parseLine parses the status line and returns where the fields begin.
func (r *Response) parseLine(head string) (next int, err error) {
	end := indexCTLFrom(head, 0)
	for end < len(head) && head[end] == '\t' {
		end = indexCTLFrom(head, end+1)
	}
	if end+1 >= len(head) {
		return 0, ErrHeadIncomplete
	}
	if head[end] != '\r' {
		return 0, errLineByte("status line", head[end])
	}
	if head[end+1] != '\n' {
		return 0, ErrBareCR
	}
	version, rest, ok := strings.Cut(head[:end], " ")
	if !ok {
		return 0, ErrStatusLine
	}
	if r.Minor, err = parseVersion(version); err != nil {
		return 0, err
	}
	code, reason, _ := strings.Cut(rest, " ")
	if len(code) != 3 || code[0] == '0' || !isDigit(code[0]) || !isDigit(code[1]) || !isDigit(code[2]) {
		return 0, ErrStatusLine
	}
	r.Code = int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0')
	r.Reason = reason
	return end + 2, nil
}

// BodyAllowed reports whether a response with this status to this method has a body
// (RFC 9112, 6.3): not one to HEAD, not 1xx, 204 or 304, not 2xx to CONNECT.
func BodyAllowed(method string, code int) bool {
	switch {
	case method == "HEAD", code < 200, code == 204, code == 304:
		return false
	case method == "CONNECT" && code < 300:
		return false
	}
	return true
}
