package h1

import "strings"

// Response is a parsed response head.
type Response struct {
	Minor  int // 0 for HTTP/1.0, 1 for HTTP/1.1
	Code   int // 100 to 999
	Reason string

	ContentLength int64 // -1 if absent
	Chunked       bool  // the body is framed by chunks
	Close         bool  // the connection ends with this message
	Upgrade       bool  // Upgrade is present and a connection option
	Trailers      []string
}

// ParseResponse parses one complete head, from its status line to its empty line, as
// ParseRequest does for a request and under the same strict rules.
func ParseResponse(head string, buf []Field) (r Response, fields []Field, err error) {
	i, err := r.parseLine(head)
	if err != nil {
		return r, nil, err
	}
	var m message
	fields = buf[:0]
	for {
		if i+1 >= len(head) {
			return r, nil, ErrHeadIncomplete
		}
		if head[i] == '\r' {
			break
		}
		f, next, err := parseField(head, i)
		if err != nil {
			return r, nil, err
		}
		i = next
		keep, err := m.note(&f)
		if err != nil {
			return r, nil, err
		}
		if keep || f.Name == "Host" {
			fields = append(fields, f)
		}
	}
	if head[i+1] != '\n' {
		return r, nil, ErrBareCR
	}
	if i+2 != len(head) {
		return r, nil, ErrHeadTrailing
	}
	if err := r.finish(&m); err != nil {
		return r, nil, err
	}
	if !r.Chunked {
		for _, v := range m.trailers {
			fields = append(fields, Field{"Trailer", v})
		}
	}
	return r, fields, nil
}

// finish decides what the fields mean together.
func (r *Response) finish(m *message) (err error) {
	if r.ContentLength, r.Chunked, err = m.framing(r.Minor); err != nil {
		return err
	}
	if r.Chunked {
		if r.Trailers, err = trailerNames(m.trailers); err != nil {
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
