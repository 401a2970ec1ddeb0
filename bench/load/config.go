package load

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Config says what one measurement does.
type Config struct {
	// Addr is the server, an IPv4 address and port.
	Addr string `json:"addr"`
	// Proto is "tcp", "ws", "ws-deflate", "ws-broadcast", "http-echo" or "http-get".
	Proto string `json:"proto"`
	// Conns is how many connections are opened.
	Conns int `json:"conns"`
	// Active is how many of them send; 0 means all.
	Active int `json:"active"`
	// Slow is how many subscribers of a broadcast, the last ones, stop reading until
	// the end; with SlowReads they read as the others do. Either way their
	// connections hold little and their latencies do not count.
	Slow      int  `json:"slow"`
	SlowReads bool `json:"slow_reads"`
	// Fill is how many messages of a broadcast pass at full speed before the warming
	// begins; Pace is the time from one message to the next from then on, if the
	// subscribers keep up.
	Fill int           `json:"fill"`
	Pace time.Duration `json:"pace"`
	// Drops is the path where the server says what it dropped: see account.
	Drops string `json:"drops"`
	// Path is what http-get asks for. Body is the answer, and if it is empty the
	// answer is Size bytes of Document.
	Path string `json:"path"`
	Body string `json:"body"`
	// Pipeline is how many requests http-get sends at once; 0 for one.
	Pipeline int `json:"pipeline"`
	// Size is the payload of a message in bytes, at most MaxMessage, or of http-get
	// the length of the document.
	Size int `json:"size"`
	// Warm passes before counting begins; Duration is counted.
	Warm     time.Duration `json:"warm"`
	Duration time.Duration `json:"duration"`
	// PID is the server's process, whose processor time is read at both ends of
	// Duration; 0 for none.
	PID int `json:"pid"`
	// Seed makes the bytes of the messages.
	Seed uint64 `json:"seed"`
}

// Result is what one measurement found. All times are nanoseconds.
type Result struct {
	Ops       uint64  `json:"ops"`
	Seconds   float64 `json:"seconds"`
	P50       int64   `json:"p50"`
	P99       int64   `json:"p99"`
	P999      int64   `json:"p999"`
	Max       int64   `json:"max"`
	ServerCPU int64   `json:"server_cpu"`
	LoadCPU   int64   `json:"load_cpu"`
	// Of a broadcast with slow subscribers: how many messages were published, and of
	// those meant for slow subscribers how many each of them read in the end and how
	// many the server says it dropped.
	Published   uint64 `json:"published"`
	SlowRead    uint64 `json:"slow_read"`
	SlowDropped uint64 `json:"slow_dropped"`
	// MessageP99 is the median over the messages of the time in which 99 of 100
	// subscribers had one: what stops the machine now and then does not show in it.
	MessageP99 int64 `json:"message_p99"`
	// Wrong is why the measurement is void, empty if it is not.
	Wrong string `json:"wrong"`
}

func (c *Config) check() (netip.AddrPort, error) {
	addr, err := netip.ParseAddrPort(c.Addr)
	if err != nil {
		return addr, err
	}
	if !addr.Addr().Is4() || !addr.Addr().IsLoopback() {
		return addr, fmt.Errorf("load: %s is not an IPv4 loopback address", c.Addr)
	}
	if c.Conns < 1 || c.Active < 0 || c.Active > c.Conns || c.Slow < 0 || c.Slow >= c.Conns {
		return addr, errors.New("load: connection counts out of range")
	}
	if c.Size < 1 || c.Size > MaxMessage && c.Proto != "http-get" {
		return addr, fmt.Errorf("load: size %d out of range", c.Size)
	}
	if c.Active == 0 {
		c.Active = c.Conns
	}
	return addr, nil
}

func (c *Config) codec() (codec, error) {
	switch c.Proto {
	case "tcp":
		return &tcpCodec{table: newTable(c.Seed), size: c.Size}, nil
	case "ws", "ws-broadcast":
		return newWSCodec(newTable(c.Seed), c.Size), nil
	case "ws-deflate":
		return newDeflateCodec(c.Size, c.Seed)
	case "http-echo":
		return newHTTPEcho(newTable(c.Seed), c.Size), nil
	case "http-get":
		return newHTTPGet(c.Path, c.document(), c.Pipeline), nil
	}
	return nil, fmt.Errorf("load: unknown protocol %q", c.Proto)
}

func (c *Config) document() []byte {
	if c.Body != "" {
		return []byte(c.Body)
	}
	return Document(c.Size)
}

// Document is the bytes that a server answers to http-get with.
func Document(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i>>8)
	}
	return p
}
