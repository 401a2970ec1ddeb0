package h1

import "strings"

// Request is a parsed request head. Every string in it is a substring of the head it was
// parsed from, or a constant.
type Request struct {
	Method string
	Target string // as sent; ParseTarget takes it apart
	Minor  int    // 0 for HTTP/1.0, 1 for HTTP/1.1

	// Host is the Host header. The authority of an absolute target comes before it.
	Host string

	ContentLength int64 // -1 if absent
	Chunked       bool  // the body is framed by chunks

	Close          bool // the connection ends after the response
	KeepAlive      bool // the client asked to keep the connection in so many words
	ExpectContinue bool // the client may wait for a 100 before it sends the body
	Upgrade        bool // the client offers to switch protocols; the Upgrade field says to which

	// Trailers are the names the client announced for a chunked body's trailer section.
	Trailers []string
}

// ParseRequest parses one complete head, from its request line to its empty line. It
// returns the header lines in the order received, appended to buf[:0], without Host and
// Transfer-Encoding; Trailer lines are missing too if the body is chunked, else last. An
// error is an *Error; the rest is then unspecified.
//
// It does not allocate unless a field name is neither canonical nor common, buf is too
// small, or trailers are announced. buf may be an array on the caller's stack: that is why
// the fields are no part of the Request, whose strings go on to the heap.
func ParseRequest(head string, buf []Field) (r Request, fields []Field, err error) {
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
		if keep {
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

// parseLine parses the request line and returns where the fields begin.
func (r *Request) parseLine(head string) (next int, err error) {
	end := indexCTLFrom(head, 0)
	if end+1 >= len(head) {
		return 0, ErrHeadIncomplete
	}
	if head[end] != '\r' {
		return 0, errLineByte("request line", head[end])
	}
	if head[end+1] != '\n' {
		return 0, ErrBareCR
	}
	method, rest, ok := strings.Cut(head[:end], " ")
	if !ok {
		return 0, ErrRequestLine
	}
	target, version, ok := strings.Cut(rest, " ")
	if !ok || target == "" {
		return 0, ErrRequestLine
	}
	if !ValidToken(method) {
		return 0, ErrMethod
	}
	if strings.IndexByte(target, '#') >= 0 {
		return 0, ErrTargetFragment
	}
	if r.Minor, err = parseVersion(version); err != nil {
		return 0, err
	}
	r.Method, r.Target = method, target
	return end + 2, nil
}

// finish decides what the fields mean together.
func (r *Request) finish(m *message) (err error) {
	if err := r.checkHost(m); err != nil {
		return err
	}
	if r.ContentLength, r.Chunked, err = m.framing(r.Minor); err != nil {
		return err
	}
	if m.hasExp && r.Minor > 0 { // RFC 9110, 10.1.1: ignored from HTTP/1.0
		if !equalFold(m.expect, "100-continue") {
			return ErrExpect
		}
		r.ExpectContinue = true
	}
	if r.Chunked {
		if r.Trailers, err = trailerNames(m.trailers); err != nil {
			return err
		}
	}
	r.Close = m.closes(r.Minor)
	r.KeepAlive = m.optKeep && !m.optClose
	r.Upgrade = m.optUpgr && m.upgrade && r.Minor > 0
	return nil
}

func (r *Request) checkHost(m *message) error {
	r.Host = m.host
	if m.hosts == 0 {
		if r.Minor > 0 {
			return ErrHostMissing
		}
		return nil
	}
	if m.host == "" {
		// Only a target without an authority leaves the field empty (RFC 9110, 7.2).
		if r.Minor == 0 || r.Target == "*" {
			return nil
		}
		return ErrHost
	}
	if !validHost(m.host) {
		return ErrHost
	}
	return nil
}
