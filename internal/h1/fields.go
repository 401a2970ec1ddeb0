package h1

import "strings"

// Field is one header or trailer line. Name is in net/http's canonical form, Value without
// the white space around it.
type Field struct {
	Name  string
	Value string
}

// Classes of token bytes in tokenTab; zero is not a token byte.
const (
	tokenOther = 1 + iota
	tokenLower
	tokenUpper
)

// tokenTab says which bytes may stand in a token (RFC 9110, 5.6.2), and which are letters.
var tokenTab = func() (t [256]uint8) {
	for _, c := range "!#$%&'*+-.^_`|~0123456789" {
		t[c] = tokenOther
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c] = tokenLower
		t[c-'a'+'A'] = tokenUpper
	}
	return t
}()

// ValidToken reports whether s is a token: a method or a field name.
func ValidToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if tokenTab[s[i]] == 0 {
			return false
		}
	}
	return s != ""
}

// ValidValue reports whether s may be sent as a field value: no control byte but HTAB.
func ValidValue(s string) bool {
	for i := 0; ; i++ {
		if i = indexCTLFrom(s, i); i == len(s) {
			return true
		}
		if s[i] != '\t' {
			return false
		}
	}
}

// parseField reads the field line at head[i:] and returns where the next line begins. The
// caller has seen that the line is not empty.
func parseField(head string, i int) (f Field, next int, err error) {
	j, canonical := scanName(head, i)
	if j == len(head) {
		return f, 0, ErrHeadIncomplete
	}
	if head[j] != ':' || j == i {
		return f, 0, errName(head, i, j)
	}
	f.Name = head[i:j]
	if !canonical {
		f.Name = canonicalName(f.Name)
	}
	for j++; j < len(head) && isOWS(head[j]); j++ {
	}
	end := j
	for {
		end = indexCTLFrom(head, end)
		if end+1 >= len(head) {
			return f, 0, ErrHeadIncomplete
		}
		if head[end] != '\t' {
			break
		}
		end++
	}
	if head[end] != '\r' {
		return f, 0, errLineByte("header value", head[end])
	}
	if head[end+1] != '\n' {
		return f, 0, ErrBareCR
	}
	f.Value = trimRight(head[j:end])
	return f, end + 2, nil
}

// scanName returns the end of the token at s[i:], and whether it has canonical form.
func scanName(s string, i int) (end int, canonical bool) {
	canonical = true
	wrong := uint8(tokenLower) // the class that would break canonical form here
	for ; i < len(s); i++ {
		c := s[i]
		class := tokenTab[c]
		if class == 0 {
			break
		}
		if class == wrong {
			canonical = false
		}
		wrong = tokenUpper
		if c == '-' {
			wrong = tokenLower
		}
	}
	return i, canonical
}

// errName says why the name at head[i:j] is not one.
func errName(head string, i, j int) error {
	switch c := head[j]; {
	case i == j && isOWS(c):
		return ErrFold
	case c == '\r':
		return ErrNoColon
	case c == '\n':
		return ErrBareLF
	case j == i:
		return ErrFieldName
	default:
		return badByte("header field name", c)
	}
}

func isOWS(c byte) bool { return c == ' ' || c == '\t' }

func trimRight(s string) string {
	for len(s) > 0 && isOWS(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func trimOWS(s string) string {
	for len(s) > 0 && isOWS(s[0]) {
		s = s[1:]
	}
	return trimRight(s)
}

// nextElement cuts the first element off a comma-separated list.
func nextElement(list string) (element, rest string, more bool) {
	element, rest, more = strings.Cut(list, ",")
	return trimOWS(element), rest, more
}

// equalFold compares s with lower, which is lower-case ASCII. Unlike strings.EqualFold it
// does not take U+212A for a k.
func equalFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if tokenTab[c] == tokenUpper {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
