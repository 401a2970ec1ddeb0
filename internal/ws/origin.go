package ws

import (
	"net/url"
	"path"
	"strings"
)

// CheckOrigin decides whether a page may open a connection (RFC 6455 section
// 10.2). origins is the values of the Origin field and host is the request's
// Host. Without an Origin the client is not a browser, and is let through. An
// Origin whose host and port are those of host is let through, where the default
// port of its scheme equals no port. Any other must match one of allowed, in any
// case: by being the same, or as a pattern as of path.Match, for the origin's host
// and port, or with "://" in it for the whole origin. An origin without a host, as
// "file://", can only match the latter and "*". "null" must be allowed by that
// name. Malformed patterns match nothing but themselves (CheckPatterns).
func CheckOrigin(origins []string, host string, allowed []string) *HandshakeError {
	if len(origins) == 0 {
		return nil
	}
	if len(origins) > 1 {
		return &HandshakeError{403, "several Origin fields"}
	}
	origin := strings.ToLower(trimOWS(origins[0]))
	if origin == "null" {
		return allowedByName(origin, allowed)
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || !strings.Contains(origin, "://") || u.User != nil ||
		u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return &HandshakeError{403, "malformed Origin"}
	}
	if u.Host != "" && sameHost(u, strings.ToLower(host)) {
		return nil
	}
	for _, p := range allowed {
		if allows(strings.ToLower(p), origin, u.Host) {
			return nil
		}
	}
	return &HandshakeError{403, "foreign Origin"}
}

// allows reports whether a pattern lets an origin in. All are in lower case.
func allows(pattern, origin, host string) bool {
	subject := host
	if strings.Contains(pattern, "://") {
		subject = origin
	} else if host == "" {
		return pattern == "*"
	}
	if pattern == subject { // an IPv6 address is a class of characters to path.Match
		return true
	}
	ok, err := path.Match(pattern, subject)
	return ok && err == nil
}

// CheckPatterns returns the first of a server's patterns that is malformed, and
// would never match.
func CheckPatterns(allowed []string) (bad string, ok bool) {
	for _, p := range allowed {
		if _, err := path.Match(p, ""); err != nil {
			return p, false
		}
	}
	return "", true
}

func allowedByName(name string, allowed []string) *HandshakeError {
	for _, p := range allowed {
		if strings.EqualFold(p, name) {
			return nil
		}
	}
	return &HandshakeError{403, "opaque Origin"}
}

// sameHost compares an origin with a Host. A server behind a proxy cannot know
// which scheme the client used, so the scheme of the origin decides what a
// missing port means on both sides.
func sameHost(origin *url.URL, host string) bool {
	var standard string
	switch origin.Scheme {
	case "http", "ws":
		standard = ":80"
	case "https", "wss":
		standard = ":443"
	default:
		return false
	}
	return trimPort(origin.Host, standard) == trimPort(host, standard)
}

// trimPort removes the standard port. The colons of an IPv6 address are before
// its bracket, so a suffix cannot be one of them unless the brackets are missing,
// which no valid Host is.
func trimPort(host, standard string) string {
	return strings.TrimSuffix(host, standard)
}
