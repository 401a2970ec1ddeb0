package load

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
)

const (
	wsKey  = "dGhlIHNhbXBsZSBub25jZQ=="
	wsGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
)

var wsAccept = func() string {
	sum := sha1.Sum([]byte(wsKey + wsGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}()

const offer = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n"

// upgrade performs the opening handshake of RFC 6455 on a blocking socket.
func upgrade(fd int32, deflate bool) error {
	req := "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + wsKey + "\r\n"
	if deflate {
		req += offer
	}
	if err := writeAll(fd, []byte(req+"\r\n")); err != nil {
		return err
	}
	head, rest, err := readHead(fd)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("upgrade: %d bytes after the answer", len(rest))
	}
	if head.status != http.StatusSwitchingProtocols {
		return fmt.Errorf("upgrade: status %d", head.status)
	}
	if got := head.field("Sec-WebSocket-Accept"); got != wsAccept {
		return fmt.Errorf("upgrade: accept key %q, want %q", got, wsAccept)
	}
	if !deflate {
		return nil
	}
	ext := head.field("Sec-WebSocket-Extensions")
	if !strings.Contains(ext, "permessage-deflate") || !strings.Contains(ext, "server_no_context_takeover") {
		return fmt.Errorf("upgrade: extensions %q, want permessage-deflate without takeover", ext)
	}
	return nil
}

// responseHead is the status and the fields of an HTTP answer.
type responseHead struct {
	status int
	lines  []string
}

func (h responseHead) field(name string) string {
	for _, l := range h.lines {
		k, v, ok := strings.Cut(l, ":")
		if ok && strings.EqualFold(k, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// readHead reads an HTTP answer's head from a blocking socket and returns it
// with the bytes that came after it.
func readHead(fd int32) (responseHead, []byte, error) {
	var buf []byte
	p := make([]byte, 4096)
	for {
		n, err := readSome(fd, p)
		if err != nil {
			return responseHead{}, nil, err
		}
		buf = append(buf, p[:n]...)
		end := bytes.Index(buf, []byte("\r\n\r\n"))
		if end < 0 {
			continue
		}
		lines := strings.Split(string(buf[:end]), "\r\n")
		var h responseHead
		if _, err := fmt.Sscanf(lines[0], "HTTP/1.1 %d", &h.status); err != nil {
			return h, nil, fmt.Errorf("status line %q", lines[0])
		}
		h.lines = lines[1:]
		return h, buf[end+4:], nil
	}
}
