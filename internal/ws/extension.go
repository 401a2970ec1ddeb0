package ws

import "strings"

// extension is one element of Sec-WebSocket-Extensions (RFC 6455 section 9.1).
type extension struct {
	name   string
	params []param
}

// param is a parameter of an extension; has tells an absent value from "".
type param struct {
	name, value string
	has         bool
}

// nextExtension reads one element at the start of s and returns what follows it
// and its comma. ok is false if s is malformed; a nameless element is an empty one,
// which a list may have. It looks at each byte once and never goes back.
func nextExtension(s string) (e extension, rest string, ok bool) {
	s = skipOWS(s)
	if s == "" || s[0] == ',' {
		return e, strings.TrimPrefix(s, ","), true
	}
	if e.name, s = cutToken(s); e.name == "" {
		return e, "", false
	}
	for {
		s = skipOWS(s)
		if s == "" {
			return e, "", true
		}
		if s[0] == ',' {
			return e, s[1:], true
		}
		if s[0] != ';' {
			return e, "", false
		}
		var p param
		if p, s, ok = nextParam(skipOWS(s[1:])); !ok {
			return e, "", false
		}
		e.params = append(e.params, p)
	}
}

// nextParam reads name, name=token or name="quoted token".
func nextParam(s string) (p param, rest string, ok bool) {
	if p.name, s = cutToken(s); p.name == "" {
		return p, "", false
	}
	s = skipOWS(s)
	if s == "" || s[0] != '=' {
		return p, s, true
	}
	p.has = true
	s = skipOWS(s[1:])
	if s != "" && s[0] == '"' {
		p.value, s, ok = cutQuoted(s[1:])
		return p, s, ok
	}
	p.value, s = cutToken(s)
	return p, s, p.value != ""
}

// cutQuoted reads up to the closing quote. What is between the quotes must be a
// token once unquoted (RFC 6455 section 9.1), so a backslash can only stand
// before a byte that did not need one.
func cutQuoted(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '"' {
			return b.String(), s[i+1:], b.Len() > 0
		}
		if c == '\\' {
			if i++; i == len(s) {
				break
			}
			c = s[i]
		}
		if !tokenBytes[c] {
			break
		}
		b.WriteByte(c)
	}
	return "", "", false
}

func cutToken(s string) (token, rest string) {
	n := tokenLen(s)
	return s[:n], s[n:]
}

func skipOWS(s string) string { return strings.TrimLeft(s, " \t") }
