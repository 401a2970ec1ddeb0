package h1

// commonNames are the field names for which another spelling is made canonical without an
// allocation.
var commonNames = []string{
	"Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Accept-Ranges",
	"Access-Control-Request-Headers", "Access-Control-Request-Method", "Age", "Allow",
	"Alt-Used", "Authorization", "Cache-Control", "Cdn-Loop", "Cf-Connecting-Ip", "Cf-Ray",
	"Connection", "Content-Disposition", "Content-Encoding", "Content-Language",
	"Content-Length", "Content-Location", "Content-Range", "Content-Type", "Cookie", "Date",
	"Dnt", "Etag", "Expect", "Expires", "Forwarded", "From", "Grpc-Timeout", "Host",
	"Http2-Settings", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range",
	"If-Unmodified-Since", "Keep-Alive", "Last-Modified", "Link", "Location", "Max-Forwards",
	"Origin", "Pragma", "Priority", "Proxy-Authorization", "Proxy-Connection", "Range",
	"Referer", "Retry-After", "Sec-Ch-Ua", "Sec-Ch-Ua-Mobile", "Sec-Ch-Ua-Platform",
	"Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User",
	"Sec-Websocket-Accept", "Sec-Websocket-Extensions", "Sec-Websocket-Key",
	"Sec-Websocket-Protocol", "Sec-Websocket-Version", "Server", "Set-Cookie", "Te",
	"Traceparent", "Tracestate", "Trailer", "Transfer-Encoding", "Upgrade",
	"Upgrade-Insecure-Requests", "User-Agent", "Vary", "Via", "X-Amzn-Trace-Id",
	"X-Api-Key", "X-Correlation-Id", "X-Csrf-Token", "X-Forwarded-For", "X-Forwarded-Host",
	"X-Forwarded-Port", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Real-Ip",
	"X-Request-Id", "X-Requested-With",
}

// longestCommon bounds the stack buffer of canonicalName.
const longestCommon = 32

var byLowerName = func() map[string]string {
	m := make(map[string]string, len(commonNames))
	for _, name := range commonNames {
		b := []byte(name)
		for i, c := range b {
			b[i] = toLower(c)
		}
		m[string(b)] = name
	}
	return m
}()

func toLower(c byte) byte {
	if tokenTab[c] == tokenUpper {
		return c + 'a' - 'A'
	}
	return c
}

// canonicalName returns the token name with each word's first letter in upper case and
// the others in lower case, as net/http writes it.
func canonicalName(name string) string {
	if len(name) <= longestCommon {
		var buf [longestCommon]byte
		for i := 0; i < len(name); i++ {
			buf[i] = toLower(name[i])
		}
		if common, ok := byLowerName[string(buf[:len(name)])]; ok {
			return common
		}
	}
	b := make([]byte, len(name))
	first := true
	for i := range b {
		c := toLower(name[i])
		if first && tokenTab[c] == tokenLower {
			c -= 'a' - 'A'
		}
		b[i] = c
		first = c == '-'
	}
	return string(b)
}
