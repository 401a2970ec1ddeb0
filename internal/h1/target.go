package h1

import (
	"net/url"
	"strings"
)

// pathTab says which bytes stand for themselves in a path and are also written as
// themselves by net/url, so that a path of nothing else needs neither decoding nor RawPath.
var pathTab = func() (t [256]bool) {
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = true, true
	}
	for _, c := range "0123456789-_.~$&+,/:;=@" {
		t[c] = true
	}
	return t
}()

// ParseTarget parses a request target into *u as net/http does: origin-form,
// absolute-form, authority-form for CONNECT, * for OPTIONS. It refuses some targets that
// net/http takes: a fragment, userinfo, an absolute URI without a valid host, a * for
// another method. A plain path with or without a query costs no allocation.
func ParseTarget(method, target string, u *url.URL) error {
	if target == "" {
		return ErrTarget
	}
	if target[0] == '/' {
		return parseOrigin(target, u)
	}
	if target == "*" {
		if method != "OPTIONS" {
			return ErrTargetStar
		}
		*u = url.URL{Path: "*"}
		return nil
	}
	if !validTargetBytes(target) {
		return ErrTarget
	}
	if method == "CONNECT" {
		return parseAuthority(target, u)
	}
	return parseAbsolute(target, u)
}

func parseOrigin(target string, u *url.URL) error {
	i := 1
	for i < len(target) && pathTab[target[i]] {
		i++
	}
	if i == len(target) {
		*u = url.URL{Path: target}
		return nil
	}
	if !validTargetBytes(target[i:]) {
		return ErrTarget
	}
	if target[i] == '?' {
		*u = url.URL{Path: target[:i], RawQuery: target[i+1:], ForceQuery: i+1 == len(target)}
		return nil
	}
	return parseURI(target, u)
}

// validTargetBytes reports whether s has neither a control byte, nor a space, nor the
// start of a fragment.
func validTargetBytes(s string) bool {
	return indexCTLFrom(s, 0) == len(s) && strings.IndexByte(s, ' ') < 0 && strings.IndexByte(s, '#') < 0
}

func parseURI(s string, u *url.URL) error {
	parsed, err := url.ParseRequestURI(s)
	if err != nil {
		return ErrTarget
	}
	*u = *parsed
	return nil
}

// parseAuthority parses the target of a CONNECT, a host with a port. net/http sees it as a
// URL without scheme and path.
func parseAuthority(target string, u *url.URL) error {
	last := target[len(target)-1]
	if !isDigit(last) || strings.IndexByte(target, ':') < 0 || !validHost(target) {
		return ErrTarget // without a port there is nothing to connect to
	}
	if err := parseURI("http://"+target, u); err != nil {
		return err
	}
	u.Scheme = ""
	return nil
}

// parseAbsolute parses an absolute URI as a client sends it to a proxy.
func parseAbsolute(target string, u *url.URL) error {
	_, rest, ok := strings.Cut(target, "://")
	if !ok {
		return ErrTarget
	}
	authority := rest
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority = rest[:i]
	}
	if strings.IndexByte(authority, '@') >= 0 {
		return ErrTargetUserinfo
	}
	if !validHost(authority) {
		return ErrTarget
	}
	if err := parseURI(target, u); err != nil {
		return err
	}
	if u.Opaque != "" || u.Host == "" {
		return ErrTarget // the "://" was not where the scheme ends
	}
	return nil
}
