package strand_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"
)

// trickle is a net.Conn that gives its input byte by byte, with a would-block
// before each, once it is told to.
type trickle struct {
	net.Conn
	in   *bytes.Buffer // nil: reads come from Conn
	turn bool
	out  bytes.Buffer
}

type wouldBlock struct{}

func (wouldBlock) Error() string   { return "would block" }
func (wouldBlock) Timeout() bool   { return false }
func (wouldBlock) Temporary() bool { return true }

func (c *trickle) Read(p []byte) (int, error) {
	if c.in == nil {
		return c.Conn.Read(p)
	}
	if c.turn = !c.turn; c.turn || c.in.Len() == 0 {
		return 0, wouldBlock{}
	}
	return c.in.Read(p[:1])
}

func (c *trickle) Write(p []byte) (int, error) {
	if c.in == nil {
		return c.Conn.Write(p)
	}
	return c.out.Write(p)
}

func (c *trickle) SetWriteDeadline(t time.Time) error {
	if c.in == nil {
		return c.Conn.SetWriteDeadline(t)
	}
	return nil
}

// TestTLSIsResumable pins the two facts about crypto/tls that the design rests
// on. A read that meets a net.Error whose Temporary is true leaves the session
// usable and keeps the part of a record it has; and Write and CloseWrite call
// the net.Conn's Write and nothing that blocks. If a new Go release breaks one,
// this test says so before a connection does.
func TestTLSIsResumable(t *testing.T) {
	config := &tls.Config{Certificates: []tls.Certificate{identity(t, "a")}, SessionTicketsDisabled: true}
	messages := [][]byte{[]byte("a"), bytes.Repeat([]byte("bc"), 5000), bytes.Repeat([]byte("d"), 40000), []byte("end")}
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			a, b := net.Pipe()
			defer a.Close()
			defer b.Close()
			server := &trickle{Conn: a}
			st := tls.Server(server, config)
			done := make(chan error, 1)
			go func() { done <- st.Handshake() }()
			client := &trickle{Conn: b}
			ct := tls.Client(client, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
			if err := ct.Handshake(); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			client.in, server.in = new(bytes.Buffer), new(bytes.Buffer)
			var want []byte
			for _, m := range messages {
				if _, err := ct.Write(m); err != nil {
					t.Fatal(err)
				}
				want = append(want, m...)
			}
			server.in.Write(client.out.Bytes())
			if got := readTrickle(t, st, server); !bytes.Equal(got, want) {
				t.Errorf("got %d bytes of %d, or others", len(got), len(want))
			}
			if _, err := st.Write([]byte("answer")); err != nil {
				t.Fatal(err)
			}
			if err := st.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			client.in.Write(server.out.Bytes())
			if got := readTrickle(t, ct, client); string(got) != "answer" {
				t.Errorf("the answer is %q", got)
			}
		})
	}
}

// TestTLSIsResumableOverKeyUpdate is the same with KeyUpdates in between, one of
// them cut by records.
func TestTLSIsResumableOverKeyUpdate(t *testing.T) {
	config := &tls.Config{Certificates: []tls.Certificate{identity(t, "a")}, SessionTicketsDisabled: true}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	server := &trickle{Conn: a}
	st := tls.Server(server, config)
	done := make(chan error, 1)
	go func() { done <- st.Handshake() }()
	peer, err := shakeHands(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	server.in = new(bytes.Buffer)
	send := func(typ byte, p []byte) { server.in.Write(peer.out.seal(typ, p)) }
	send(recordData, []byte("before, "))
	send(recordHandshake, keyUpdateRequested)
	peer.out = peer.out.next()
	send(recordData, []byte("between, "))
	send(recordHandshake, keyUpdate[:2])
	send(recordHandshake, keyUpdate[2:])
	peer.out = peer.out.next()
	send(recordData, []byte("after"))
	if got := readTrickle(t, st, server); string(got) != "before, between, after" {
		t.Errorf("got %q", got)
	}
	if _, err := st.Write([]byte("answer")); err != nil {
		t.Fatal(err)
	}
	typ, data, err := peer.in.open(&server.out)
	if err != nil || typ != recordHandshake || !bytes.Equal(data, keyUpdate) {
		t.Fatalf("the answer to KeyUpdate: %d %x %v", typ, data, err)
	}
	peer.in = peer.in.next()
	if typ, data, err = peer.in.open(&server.out); err != nil || typ != recordData || string(data) != "answer" {
		t.Fatalf("behind it: %d %q %v", typ, data, err)
	}
}

// readTrickle reads until all that came was taken, through as many would-blocks
// as there are bytes.
func readTrickle(t *testing.T, tc *tls.Conn, c *trickle) []byte {
	t.Helper()
	var got []byte
	p := make([]byte, 1000)
	for blocked := 0; blocked < 3; {
		n, err := tc.Read(p)
		got = append(got, p[:n]...)
		if err == io.EOF {
			break
		}
		if _, ok := err.(wouldBlock); err != nil && !ok {
			t.Fatalf("behind %d bytes: %v", len(got), err)
		}
		if blocked++; c.in.Len() > 0 || n > 0 {
			blocked = 0
		}
	}
	return got
}
