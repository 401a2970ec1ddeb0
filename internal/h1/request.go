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

	// Fields holds the header lines in the order received, without Host and
	// Transfer-Encoding, and without Trailer if the body is chunked. ParseRequest appends
	// to the slice found here, cut to length 0, so that a caller can lend an array.
	Fields []Field

	ContentLength int64 // -1 if absent
	Chunked       bool  // the body is framed by chunks

	Close          bool // the connection ends after the response
	KeepAlive      bool // the client asked to keep the connection in so many words
	ExpectContinue bool // the client may wait for a 100 before it sends the body
	Upgrade        bool // the client offers to switch protocols; Fields say to which

	// Trailers are the names the client announced for a chunked body's trailer section.
	Trailers []string
}

// ParseRequest parses one complete head, from its request line to its empty line, into r.
// It keeps r.Fields as the place for the fields and overwrites all else. The error is an
// *Error; r is then unspecified. It does not allocate unless a field name is neither
// canonical nor common, r.Fields is too small, or trailers are announced.
func ParseRequest(head string, r *Request) error {
	*r = Request{Fields: r.Fields[:0]}
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
		if keep {
			r.Fields = append(r.Fields, f)
		}
	}
	if head[i+1] != '\n' {
		return ErrBareCR
	}
	if i+2 != len(head) {
		return ErrHeadTrailing
	}
	return r.finish(&m)
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
	if m.trailer && r.Chunked {
		if r.Trailers, r.Fields, err = trailerNames(r.Fields); err != nil {
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
