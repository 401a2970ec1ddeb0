package h1

// How a field is treated when it comes in a trailer section (RFC 9110, 6.5.1).
type trailerTreatment uint8

const (
	trailerKept    trailerTreatment = iota
	trailerDropped                  // it would change how the message is understood
	trailerRefused                  // it would change where the message ends or goes
)

func trailerRule(name string) trailerTreatment {
	switch name {
	case "Transfer-Encoding", "Content-Length", "Host", "Trailer", "Connection", "Upgrade", "Expect":
		return trailerRefused
	case "Authorization", "Proxy-Authorization", "Proxy-Authenticate", "Www-Authenticate",
		"Cookie", "Set-Cookie", "Cache-Control", "Max-Forwards", "Te", "Pragma",
		"Keep-Alive", "Proxy-Connection", "Content-Encoding", "Content-Type", "Content-Range",
		"Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
		"If-Range", "Age", "Date", "Expires", "Location", "Retry-After", "Vary", "Warning",
		"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Origin":
		return trailerDropped
	}
	return trailerKept
}

// parseTrailer parses a whole trailer section, the empty line at its end included.
func parseTrailer(section string) (fields []Field, err error) {
	for i := 0; i < len(section) && section[i] != '\r'; {
		f, next, err := parseField(section, i)
		if err != nil {
			return nil, err
		}
		i = next
		switch trailerRule(f.Name) {
		case trailerRefused:
			return nil, ErrTrailerField
		case trailerKept:
			fields = append(fields, f)
		}
	}
	return fields, nil
}
