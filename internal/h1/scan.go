package h1

// Limits bounds what a message head may cost. A field that is zero or less means the
// default named beside it.
type Limits struct {
	RequestLine int // bytes of the first line without its CRLF; DefaultRequestLine
	HeaderBytes int // bytes of all header lines, CRLFs included; DefaultHeaderBytes
	HeaderLines int // header lines; DefaultHeaderLines
}

// Defaults for Limits.
const (
	DefaultRequestLine = 16 << 10
	DefaultHeaderBytes = 1 << 20
	DefaultHeaderLines = 1000
)

// maxLeadingCRLF empty lines may stand before a request line (RFC 9112, 2.2 asks for one).
const maxLeadingCRLF = 4

func orDefault(v, def int) int {
	if v <= 0 {
		return def
	}
	return v
}

type scanState uint8

const (
	scanLead    scanState = iota // empty lines before the message
	scanMethod                   // the method, up to its space
	scanFirst                    // the rest of the first line
	scanHeaders                  // header lines, up to the empty one
)

// Scanner finds where a request's head ends, however its bytes arrive. The zero value is
// ready. It examines each byte once, so its work is linear in the bytes received, and its
// answer does not depend on how they were split. It fails as soon as a byte arrives that no valid head can contain.
type Scanner struct {
	pos     int // first byte not examined
	start   int // where the message begins, behind skipped empty lines
	line    int // where the current line begins
	headers int // where the header lines begin
	lines   int // header lines completed
	empty   int // empty lines skipped
	state   scanState
}

// Start returns how many bytes of empty lines precede the message. It is valid once Scan
// has returned n > 0.
func (s *Scanner) Start() int { return s.start }

// Started reports whether a byte of the message itself has been seen.
func (s *Scanner) Started() bool { return s.state != scanLead }

// Scan examines b, which must hold every byte passed to the last call and may hold more
// behind them. It returns n > 0 when the head is complete: the message is b[s.Start():n],
// and the body, or the next message, begins at n. It returns 0 and no error when it needs
// more bytes, and an *Error when no further byte can make the head valid.
func (s *Scanner) Scan(b []byte, lim *Limits) (n int, err error) {
	if s.state == scanLead {
		if err := s.scanLead(b); err != nil || s.state == scanLead {
			return 0, err
		}
	}
	if s.state == scanMethod {
		if err := s.scanMethod(b, lim); err != nil || s.state == scanMethod {
			return 0, err
		}
	}
	if s.state == scanFirst {
		if err := s.scanFirst(b, lim); err != nil || s.state == scanFirst {
			return 0, err
		}
	}
	return s.scanHeaders(b, lim)
}

func (s *Scanner) scanLead(b []byte) error {
	for s.pos < len(b) {
		switch b[s.pos] {
		case '\n':
			return ErrBareLF
		case '\r':
			if s.pos+1 == len(b) {
				return nil
			}
			if b[s.pos+1] != '\n' {
				return ErrBareCR
			}
			if s.empty++; s.empty > maxLeadingCRLF {
				return ErrLeadingLines
			}
			s.pos += 2
		default:
			s.start, s.line = s.pos, s.pos
			s.state = scanMethod
			return nil
		}
	}
	return nil
}

func (s *Scanner) scanMethod(b []byte, lim *Limits) error {
	p := s.pos
	for p < len(b) && tokenTab[b[p]] != 0 {
		p++
	}
	s.pos = p
	if p-s.line > orDefault(lim.RequestLine, DefaultRequestLine) {
		return ErrLineTooLong
	}
	if p == len(b) {
		return nil
	}
	if b[p] != ' ' || p == s.line {
		return errFirstByte(b[p])
	}
	s.state = scanFirst
	return nil
}

// errFirstByte names what ended a method wrongly: binary garbage, a TLS ClientHello, a
// request line without a target.
func errFirstByte(c byte) error {
	if c == '\r' || c == ' ' {
		return ErrRequestLine
	}
	if c == '\n' {
		return ErrBareLF
	}
	return badByte("method", c)
}

func (s *Scanner) scanFirst(b []byte, lim *Limits) error {
	p := s.pos + indexCTL(b[s.pos:])
	s.pos = p
	if p-s.line > orDefault(lim.RequestLine, DefaultRequestLine) {
		return ErrLineTooLong
	}
	if p == len(b) {
		return nil
	}
	if b[p] != '\r' {
		return errLineByte("first line", b[p])
	}
	if p+1 == len(b) {
		return nil
	}
	if b[p+1] != '\n' {
		return ErrBareCR
	}
	if err := versionAtEnd(b[s.line:p]); err != nil {
		return err
	}
	s.pos, s.line, s.headers = p+2, p+2, p+2
	s.state = scanHeaders
	return nil
}

func errLineByte(where string, c byte) error {
	if c == '\n' {
		return ErrBareLF
	}
	return badByte(where, c)
}

func (s *Scanner) scanHeaders(b []byte, lim *Limits) (int, error) {
	maxBytes := orDefault(lim.HeaderBytes, DefaultHeaderBytes)
	maxLines := orDefault(lim.HeaderLines, DefaultHeaderLines)
	for s.pos < len(b) {
		if s.pos == s.line && (b[s.pos] == ' ' || b[s.pos] == '\t') {
			return 0, ErrFold
		}
		p := s.pos + indexCTL(b[s.pos:])
		s.pos = p
		if p-s.headers > maxBytes {
			return 0, ErrHeaderTooLarge
		}
		if p == len(b) {
			return 0, nil
		}
		if b[p] == '\t' {
			s.pos++
			continue
		}
		if b[p] != '\r' {
			return 0, errLineByte("header", b[p])
		}
		if p+1 == len(b) {
			return 0, nil
		}
		if b[p+1] != '\n' {
			return 0, ErrBareCR
		}
		if p == s.line {
			return p + 2, nil
		}
		if s.lines++; s.lines > maxLines {
			return 0, ErrTooManyFields
		}
		s.pos, s.line = p+2, p+2
	}
	return 0, nil
}

// versionAtEnd checks the version that ends a request line, so that another protocol is
// refused at its first line and not at a deadline.
func versionAtEnd(line []byte) error {
	const want = len(" HTTP/1.1")
	if len(line) < want {
		return ErrRequestLine
	}
	tail := line[len(line)-want:]
	if tail[0] != ' ' {
		return ErrRequestLine
	}
	_, err := parseVersion(string(tail[1:]))
	return err
}

// parseVersion returns the minor version of HTTP/1.0 or HTTP/1.1.
func parseVersion(v string) (minor int, err error) {
	switch v {
	case "HTTP/1.1":
		return 1, nil
	case "HTTP/1.0":
		return 0, nil
	}
	if len(v) == 8 && v[:5] == "HTTP/" && isDigit(v[5]) && v[6] == '.' && isDigit(v[7]) {
		return 0, ErrVersion
	}
	return 0, ErrVersionSyntax
}

func isDigit(c byte) bool { return c-'0' < 10 }
