package load

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestQuantilesAreWithinABucket(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	var h Hist
	const n = 100000
	for range n {
		h.Add(r.Int64N(1e7))
	}
	for _, q := range []float64{0.1, 0.5, 0.99, 0.999} {
		got, want := float64(h.Quantile(q)), q*1e7
		if got < want*0.95 || got > want*1.06 {
			t.Errorf("seed %d: quantile %g is %.0f, want about %.0f", seed, q, got, want)
		}
	}
	if h.Quantile(1) != h.Max() || h.Count() != n {
		t.Errorf("seed %d: quantile 1 is %d, max %d, count %d", seed, h.Quantile(1), h.Max(), h.Count())
	}
}

func TestBucketsAreInOrder(t *testing.T) {
	for i := range 40 * subBuckets {
		if b := bucket(uint64(upper(i))); b != i {
			t.Fatalf("upper edge of bucket %d lies in bucket %d", i, b)
		}
		if b := bucket(uint64(upper(i)) + 1); b != i+1 {
			t.Fatalf("what follows bucket %d lies in bucket %d", i, b)
		}
	}
}

func TestNoTwoConnectionsShareAMessage(t *testing.T) {
	for _, seq := range []uint32{0, 1, 77777} {
		seen := map[int]uint32{}
		for i := range uint32(20000) {
			off := offsetOf(i, seq)
			if other, ok := seen[off]; ok {
				t.Fatalf("connections %d and %d both send offset %d as number %d", i, other, off, seq)
			}
			seen[off] = i
		}
	}
}

func TestProcessCPUIsWhatProcShows(t *testing.T) {
	pid := os.Getpid()
	end := time.Now().Add(100 * time.Millisecond)
	for time.Now().Before(end) {
	}
	got, err := ProcessCPU(pid)
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(p[bytes.LastIndexByte(p, ')')+2:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	want := time.Duration(user+system) * 10 * time.Millisecond
	if diff := got - want; diff < -40*time.Millisecond || diff > 200*time.Millisecond {
		t.Errorf("process clock %v, /proc %v", got, want)
	}
}

// fault is what a server of these tests does wrong.
type fault int

const (
	none  fault = iota
	flip        // one byte of an answer is another
	cross       // an answer goes to another connection
	extra       // an answer has a byte too many
)

// serveFaulty runs an echo in this process. handshake runs first on each
// connection; each message is read by next and answered by reply.
func serveFaulty(t *testing.T, f fault, handshake func(*bufio.Reader, net.Conn) error,
	next func(*bufio.Reader) ([]byte, error), reply func(io.Writer, []byte) error) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	var mu sync.Mutex
	var count int
	var last []byte
	// corrupt spoils the hundredth message and those that follow.
	corrupt := func(p []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		count++
		before := last
		last = bytes.Clone(p)
		switch {
		case count < 100 || f == none:
			return p
		case f == flip:
			p = bytes.Clone(p)
			p[len(p)/2] ^= 1
			return p
		case f == cross:
			return before
		}
		return append(bytes.Clone(p), 'x')
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				br := bufio.NewReader(c)
				if handshake(br, c) != nil {
					return
				}
				for {
					p, err := next(br)
					if err != nil || reply(c, corrupt(p)) != nil {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

const faultySize = 700

func noHandshake(*bufio.Reader, net.Conn) error { return nil }

func nextTCP(br *bufio.Reader) ([]byte, error) {
	p := make([]byte, faultySize)
	_, err := io.ReadFull(br, p)
	return p, err
}

func replyTCP(w io.Writer, p []byte) error {
	_, err := w.Write(p)
	return err
}

func handshakeWS(deflate string) func(br *bufio.Reader, c net.Conn) error {
	return func(br *bufio.Reader, c net.Conn) error {
		if _, err := http.ReadRequest(br); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: %s\r\n%s\r\n", wsAccept, deflate)
		return err
	}
}

func nextWS(br *bufio.Reader) ([]byte, error) {
	h := make([]byte, 2)
	if _, err := io.ReadFull(br, h); err != nil {
		return nil, err
	}
	n := int(h[1] & 0x7f)
	if n == 126 {
		if _, err := io.ReadFull(br, h); err != nil {
			return nil, err
		}
		n = int(binary.BigEndian.Uint16(h))
	}
	p := make([]byte, 4+n)
	if _, err := io.ReadFull(br, p); err != nil {
		return nil, err
	}
	for i := range n {
		p[4+i] ^= p[i&3]
	}
	return p[4:], nil
}

// replyWS sends a message as three fragments, the last one empty, with a ping
// between, since a server may.
func replyWS(op byte) func(w io.Writer, p []byte) error {
	return func(w io.Writer, p []byte) error {
		half := len(p) / 2
		out := serverFrame(op, p[:half])
		out = append(out, 0x80|opPing, 1, 'p')
		out = append(out, serverFrame(opContinue, p[half:])...)
		out = append(out, 0x80|opContinue, 0)
		_, err := w.Write(out)
		return err
	}
}

func serverFrame(first byte, p []byte) []byte {
	if len(p) < 126 {
		return append([]byte{first, byte(len(p))}, p...)
	}
	return append(binary.BigEndian.AppendUint16([]byte{first, 126}, uint16(len(p))), p...)
}

func nextHTTP(br *bufio.Reader) ([]byte, error) {
	r, err := http.ReadRequest(br)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r.Body)
}

func replyHTTP(w io.Writer, p []byte) error {
	_, err := fmt.Fprintf(w, "HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s", len(p), p)
	return err
}

const deflateAnswer = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"

func TestWrongBytesVoidTheResult(t *testing.T) {
	for _, proto := range []struct {
		name      string
		handshake func(*bufio.Reader, net.Conn) error
		next      func(*bufio.Reader) ([]byte, error)
		reply     func(io.Writer, []byte) error
	}{
		{"tcp", noHandshake, nextTCP, replyTCP},
		{"ws", handshakeWS(""), nextWS, replyWS(opBinary)},
		{"ws-deflate", handshakeWS(deflateAnswer), nextWS, replyWS(0x40 | opText)},
		{"http-echo", noHandshake, nextHTTP, replyHTTP},
	} {
		for _, f := range []fault{none, flip, cross, extra} {
			t.Run(fmt.Sprintf("%s/%d", proto.name, f), func(t *testing.T) {
				addr := serveFaulty(t, f, proto.handshake, proto.next, proto.reply)
				r, err := Run(Config{Addr: addr, Proto: proto.name, Conns: 8, Size: faultySize,
					Duration: 150 * time.Millisecond, Seed: 7})
				if err != nil {
					t.Fatal(err)
				}
				if f == none && (r.Wrong != "" || r.Ops < 100) {
					t.Errorf("an honest server: %+v", r)
				}
				if f != none && r.Wrong == "" {
					t.Errorf("a wrong byte went unseen: %+v", r)
				}
			})
		}
	}
}

func TestServerThatHangsUpIsAnError(t *testing.T) {
	addr := serveFaulty(t, none, noHandshake, nextTCP, func(io.Writer, []byte) error { return io.EOF })
	_, err := Run(Config{Addr: addr, Proto: "tcp", Conns: 2, Size: faultySize, Duration: time.Second})
	if err == nil {
		t.Error("no error from a server that closes instead of answering")
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []Config{
		{Addr: "192.0.2.1:80", Proto: "tcp", Conns: 1, Size: 1},
		{Addr: "127.0.0.1:80", Proto: "tcp", Conns: 0, Size: 1},
		{Addr: "127.0.0.1:80", Proto: "tcp", Conns: 1, Size: MaxMessage + 1},
		{Addr: "127.0.0.1:80", Proto: "gopher", Conns: 1, Size: 1},
	} {
		if _, err := Run(c); err == nil {
			t.Errorf("accepted %+v", c)
		}
	}
}
