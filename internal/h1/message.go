package h1

// message collects what the fields of one head say about framing and the connection,
// while they are parsed and before it is known what they mean together.
type message struct {
	length   int64 // Content-Length, if lengths > 0
	lengths  int   // Content-Length lines
	codings  int   // Transfer-Encoding lines
	hosts    int   // Host lines
	host     string
	coding   string
	expect   string
	hasExp   bool
	upgrade  bool     // an Upgrade line that is not empty
	trailers []string // values of Trailer lines
	optClose bool     // Connection options
	optKeep  bool
	optUpgr  bool
}

// note records a field that means something to the framing. It reports whether the field
// stays among the fields a handler sees; Host, Transfer-Encoding and Trailer do not, as in
// net/http, but Trailer comes back if the body is not chunked.
func (m *message) note(f *Field) (keep bool, err error) {
	switch f.Name {
	case "Host":
		if m.hosts++; m.hosts > 1 {
			return false, ErrHostDuplicate
		}
		m.host = f.Value
		return false, nil
	case "Content-Length":
		if m.lengths++; m.lengths > 1 {
			return false, ErrLengthDuplicate
		}
		m.length, err = parseLength(f.Value)
		return true, err
	case "Transfer-Encoding":
		if m.codings++; m.codings > 1 {
			return false, ErrTEDuplicate
		}
		m.coding = f.Value
		return false, nil
	case "Connection":
		m.noteConnection(f.Value)
	case "Expect":
		if m.hasExp && equalFold(f.Value, "100-continue") {
			return true, nil // it cannot mend the one before
		}
		m.hasExp, m.expect = true, f.Value
	case "Upgrade":
		m.upgrade = m.upgrade || f.Value != ""
	case "Trailer":
		m.trailers = append(m.trailers, f.Value)
		return false, nil
	}
	return true, nil
}

func (m *message) noteConnection(list string) {
	for more := true; more; {
		var option string
		option, list, more = nextElement(list)
		switch {
		case equalFold(option, "close"):
			m.optClose = true
		case equalFold(option, "keep-alive"):
			m.optKeep = true
		case equalFold(option, "upgrade"):
			m.optUpgr = true
		}
	}
}

// framing decides between length and chunks (RFC 9112, 6.3). It returns length -1 and
// chunked false when the head announces neither.
func (m *message) framing(minor int) (length int64, chunked bool, err error) {
	if m.codings == 0 {
		if m.lengths == 0 {
			return -1, false, nil
		}
		return m.length, false, nil
	}
	if minor == 0 {
		return 0, false, ErrTEVersion
	}
	if m.lengths > 0 {
		return 0, false, ErrLengthAndTE
	}
	if err := checkCoding(m.coding); err != nil {
		return 0, false, err
	}
	return -1, true, nil
}

// closes reports whether the connection ends with this message.
func (m *message) closes(minor int) bool {
	return m.optClose || minor == 0 && !m.optKeep
}

// checkCoding accepts the one coding there is, chunked. A list that is well formed and
// ends in chunked, or names another coding alone, is unknown; all else is malformed.
func checkCoding(list string) error {
	if equalFold(list, "chunked") {
		return nil
	}
	chunks, last := 0, false
	for more := true; more; {
		var coding string
		coding, list, more = nextElement(list)
		if !ValidToken(coding) {
			return ErrTE
		}
		if last = equalFold(coding, "chunked"); last {
			chunks++
		}
	}
	if chunks > 1 || chunks == 1 && !last {
		return ErrTE
	}
	return ErrTEUnknown
}

// parseLength reads a Content-Length: digits only, and no more than an int64 holds.
func parseLength(s string) (int64, error) {
	if s == "" {
		return 0, ErrLength
	}
	var n int64
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return 0, ErrLength
		}
		d := int64(s[i] - '0')
		if n > (1<<63-1-d)/10 {
			return 0, ErrLength
		}
		n = n*10 + d
	}
	return n, nil
}

// trailerNames reads the names announced in the values of Trailer lines.
func trailerNames(values []string) (names []string, err error) {
	for _, list := range values {
		for more := true; more; {
			var name string
			name, list, more = nextElement(list)
			if name == "" {
				continue
			}
			if !ValidToken(name) {
				return nil, ErrTrailerName
			}
			name = canonicalName(name)
			if trailerRule(name) == trailerRefused {
				return nil, ErrTrailerName
			}
			names = append(names, name)
		}
	}
	return names, nil
}
