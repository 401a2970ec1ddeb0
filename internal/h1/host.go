package h1

import (
	"net/netip"
	"strings"
)

// hostTab says which bytes may stand in a registered name or an IPv4 address. The
// sub-delimiters that RFC 3986 also allows occur in no name that resolves, and a comma or
// a semicolon here only serves to confuse the next parser.
var hostTab = func() (t [256]bool) {
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = true, true
	}
	for _, c := range "0123456789-._~%" {
		t[c] = true
	}
	return t
}()

// validHost reports whether s is a host with an optional port.
func validHost(s string) bool {
	if s == "" {
		return false
	}
	if s[0] == '[' {
		end := strings.IndexByte(s, ']')
		return end > 0 && validIPv6(s[1:end]) && validPort(s[end+1:])
	}
	i := 0
	dot := true // an empty label would end here
	for ; i < len(s) && s[i] != ':'; i++ {
		c := s[i]
		if !hostTab[c] || c == '.' && dot {
			return false
		}
		if c == '%' && (i+2 >= len(s) || unhex(s[i+1]) > 15 || unhex(s[i+2]) > 15) {
			return false
		}
		dot = c == '.'
	}
	return i > 0 && validPort(s[i:])
}

// validPort reports whether s is empty, or a colon and a port that may be empty.
func validPort(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != ':' || len(s) > len(":65535") {
		return false
	}
	port := 0
	for i := 1; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
		port = port*10 + int(s[i]-'0')
	}
	return port <= 65535
}

// validIPv6 reports whether s, the inside of brackets, is an IPv6 address, with a zone
// written as RFC 6874 asks or not.
func validIPv6(s string) bool {
	addr, zone, zoned := strings.Cut(s, "%25")
	if zoned && zone == "" {
		return false
	}
	for i := 0; i < len(zone); i++ {
		if !hostTab[zone[i]] || zone[i] == '%' {
			return false
		}
	}
	if strings.IndexByte(addr, '%') >= 0 {
		return false
	}
	ip, err := netip.ParseAddr(addr)
	return err == nil && ip.Is6()
}

// unhex returns the value of a hexadecimal digit, or more than 15.
func unhex(c byte) byte {
	switch {
	case c-'0' < 10:
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 0xff
}
