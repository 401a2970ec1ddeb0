package load

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
)

// Idle holds open connections that do nothing.
type Idle struct {
	addr   netip.AddrPort
	proto  string
	table  *table
	fds    []int32
	stdlib []net.Conn
}

// idleSize is the one message, in bytes, that an idle connection has exchanged.
const idleSize = 64

// NewIdle prepares to hold connections of proto to addr: "tcp", "ws", "http" or
// "tls" (HTTP inside TLS).
func NewIdle(proto, addr string) (*Idle, error) {
	cfg := Config{Addr: addr, Proto: proto, Conns: 1, Size: idleSize}
	ap, err := cfg.check()
	if err != nil {
		return nil, err
	}
	return &Idle{addr: ap, proto: proto, table: newTable(1)}, nil
}

// Grow opens connections until there are n. Each has had one exchange, checked
// byte by byte, so that whatever a server makes on first use is there.
func (d *Idle) Grow(n int) error {
	for i := len(d.fds) + len(d.stdlib); i < n; i++ {
		if err := d.add(uint32(i)); err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
	}
	return nil
}

func (d *Idle) add(index uint32) error {
	if d.proto == "tls" {
		return d.addTLS()
	}
	fd, err := connect(d.addr, socketOptions{})
	if err != nil {
		return err
	}
	d.fds = append(d.fds, fd)
	switch d.proto {
	case "tcp":
		return exchange(fd, index, &tcpCodec{table: d.table, size: idleSize})
	case "ws":
		return exchange(fd, index, newWSCodec(d.table, idleSize))
	case "http":
		return getOnce(fd)
	}
	return fmt.Errorf("idle: unknown protocol %q", d.proto)
}

// exchange sends one message on a blocking socket and waits for its answer.
func exchange(fd int32, index uint32, cd codec) error {
	if err := cd.open(fd, index); err != nil {
		return err
	}
	c := &conn{fd: fd, index: index, off: offsetOf(index, 0)}
	head, body := cd.message(c)
	if err := writeAll(fd, append(bytes.Clone(head), body...)); err != nil {
		return err
	}
	p := make([]byte, 4096)
	for {
		n, err := readSome(fd, p)
		if err != nil {
			return err
		}
		whole, err := cd.feed(c, p[:n])
		if err != nil || whole == 1 {
			return err
		}
	}
}

const (
	idleGet  = "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
	idleBody = "Hello, World!"
)

func getOnce(fd int32) error {
	if err := writeAll(fd, []byte(idleGet)); err != nil {
		return err
	}
	head, rest, err := readHead(fd)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(head.field("Content-Length"))
	if head.status != http.StatusOK || err != nil {
		return fmt.Errorf("status %d, length %v", head.status, err)
	}
	p := make([]byte, 4096)
	for len(rest) < n {
		m, err := readSome(fd, p)
		if err != nil {
			return err
		}
		rest = append(rest, p[:m]...)
	}
	if string(rest) != idleBody {
		return fmt.Errorf("wrong body %q", rest)
	}
	return nil
}

// addTLS keeps only the socket: the client's own TLS state is garbage once the
// exchange is over, so that the load does not need memory for it.
func (d *Idle) addTLS() error {
	raw, err := net.Dial("tcp", d.addr.String())
	if err != nil {
		return err
	}
	d.stdlib = append(d.stdlib, raw)
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, ServerName: "127.0.0.1"})
	if _, err := io.WriteString(c, idleGet); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || string(body) != idleBody {
		return fmt.Errorf("status %d, body %q", resp.StatusCode, body)
	}
	return nil
}
