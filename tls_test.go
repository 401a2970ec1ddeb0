package strand_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"math/rand"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// tlsServer is a listener whose connections speak TLS from the beginning.
func tlsServer(t testing.TB, e *strand.Engine, config *tls.Config, o *strand.TLSOptions, h func() strand.Handler) net.Addr {
	t.Helper()
	return serve(t, e, func(c *strand.Conn) strand.Handler {
		if err := c.StartTLS(config, o); err != nil {
			t.Errorf("StartTLS: %v", err)
		}
		return h()
	})
}

func echoHandler() strand.Handler { return &hooks{readable: echo} }

func dialTLS(t testing.TB, a net.Addr, config *tls.Config) *tls.Conn {
	t.Helper()
	tc := tls.Client(dial(t, a), config)
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	return tc
}

// insecure trusts the test's own certificates.
func insecure(version uint16) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}
}

func serverConfig(t testing.TB) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{identity(t, "a")}, SessionTicketsDisabled: true}
}

// foreignConn hides a TCP connection from the engine.
type foreignConn struct{ net.Conn }

func TestTLSEcho(t *testing.T) {
	e := newEngine(t, strand.Options{})
	config := serverConfig(t)
	a := tlsServer(t, e, config, nil, echoHandler)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = e.Adopt(foreignConn{nc}, &hooks{readable: echo, open: func(c *strand.Conn) { _ = c.StartTLS(config, nil) }})
		}
	}()
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	for _, tt := range []struct {
		name    string
		addr    net.Addr
		version uint16
	}{{"1.2", a, tls.VersionTLS12}, {"1.3", a, tls.VersionTLS13}, {"foreign", ln.Addr(), tls.VersionTLS13}} {
		t.Run(tt.name, func(t *testing.T) {
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					nc := dialTLS(t, tt.addr, insecure(tt.version))
					exchange(t, nc, rand.New(rand.NewSource(seed+int64(i))), 15)
				})
			}
			wg.Wait()
		})
	}
}

// exchange sends random bytes and wants them back.
func exchange(t testing.TB, nc net.Conn, rnd *rand.Rand, rounds int) {
	t.Helper()
	for range rounds {
		want := make([]byte, 1+rnd.Intn(200000))
		rnd.Read(want)
		go func() { _, _ = nc.Write(want) }()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(nc, got); err != nil {
			t.Errorf("read: %v", err)
			return
		}
		if !bytes.Equal(got, want) {
			t.Errorf("echo of %d bytes differs", len(want))
			return
		}
	}
}

func TestTLSClient(t *testing.T) {
	e := newEngine(t, strand.Options{})
	cert := identity(t, "a")
	a := tlsServer(t, e, &tls.Config{Certificates: []tls.Certificate{cert}}, nil, echoHandler)
	for name, tt := range map[string]struct {
		config *tls.Config
		ok     bool
	}{
		"trusted":    {&tls.Config{RootCAs: poolOf(cert), ServerName: "a"}, true},
		"wrong name": {&tls.Config{RootCAs: poolOf(cert), ServerName: "b"}, false},
		"untrusted":  {&tls.Config{ServerName: "a"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var got []byte
			ended := make(chan error, 1)
			shaken := false
			h := &hooks{
				open: func(c *strand.Conn) {
					err := c.StartTLS(tt.config, &strand.TLSOptions{Client: true, Done: func(c *strand.Conn) {
						shaken = c.TLS() != nil && c.TLS().HandshakeComplete
					}})
					if err != nil {
						t.Errorf("StartTLS: %v", err)
					}
					if _, err := c.WriteString("hello"); tt.ok && err != nil {
						t.Errorf("Write during the handshake: %v", err)
					}
				},
				readable: func(c *strand.Conn) {
					var p [100]byte
					n, _ := c.Read(p[:])
					if got = append(got, p[:n]...); len(got) == 5 {
						_ = c.Close()
					}
				},
				close: func(_ *strand.Conn, err error) { ended <- err },
			}
			if _, err := e.Dial(context.Background(), "tcp", a.String(), h); err != nil {
				t.Fatal(err)
			}
			err := <-ended
			var failed *strand.HandshakeError
			if tt.ok && (err != nil || string(got) != "hello" || !shaken) || !tt.ok && (!errors.As(err, &failed) || shaken) {
				t.Errorf("got %q, Done called with a session: %v, OnClose %v", got, shaken, err)
			}
		})
	}
}

// A server that is asked for STARTTLS answers in the clear, and what was sent
// behind the command before the handshake is not taken for plain text.
func TestStartTLSInMidConnection(t *testing.T) {
	e := newEngine(t, strand.Options{})
	config := serverConfig(t)
	heard := make(chan string, 10)
	a := serve(t, e, func(*strand.Conn) strand.Handler {
		return &hooks{readable: func(c *strand.Conn) {
			var p [100]byte
			for {
				n, err := c.Read(p[:])
				if err != nil {
					return
				}
				line, rest, found := bytes.Cut(p[:n], []byte("\n"))
				heard <- string(line)
				if string(line) != "STARTTLS" || !found {
					continue
				}
				c.Unread(rest)
				_, _ = c.WriteString("go ahead\n")
				if err := c.StartTLS(config, nil); err != nil {
					t.Errorf("StartTLS: %v", err)
				}
				if n, err := c.Read(p[:]); n > 0 || err == nil || len(rest) == 0 && err != strand.ErrWouldBlock {
					t.Errorf("a read during the handshake: %d, %v", n, err)
				}
				return
			}
		}}
	})
	good := dial(t, a)
	_, _ = good.Write([]byte("STARTTLS\n"))
	if line := readLine(t, good); line != "go ahead" {
		t.Fatalf("%q", line)
	}
	tc := tls.Client(good, insecure(tls.VersionTLS13))
	if _, err := tc.Write([]byte("secret")); err != nil {
		t.Fatal(err)
	}
	wantHeard(t, heard, "STARTTLS", "secret")
	evil := dial(t, a)
	_, _ = evil.Write([]byte("STARTTLS\nsmuggled\n"))
	_ = readLine(t, evil)
	if err := tls.Client(evil, insecure(tls.VersionTLS13)).Handshake(); err == nil {
		t.Error("a handshake behind smuggled text succeeded")
	}
	wantHeard(t, heard, "STARTTLS")
	select {
	case got := <-heard:
		t.Errorf("heard %q", got)
	default:
	}
}

func wantHeard(t *testing.T, heard <-chan string, all ...string) {
	t.Helper()
	for _, want := range all {
		select {
		case got := <-heard:
			if got != want {
				t.Errorf("heard %q, not %q", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("did not hear %q", want)
		}
	}
}

func readLine(t testing.TB, r io.Reader) string {
	t.Helper()
	var line []byte
	var b [1]byte
	for {
		if _, err := r.Read(b[:]); err != nil {
			t.Fatalf("behind %q: %v", line, err)
		}
		if b[0] == '\n' {
			return string(line)
		}
		line = append(line, b[0])
	}
}

func TestTLSAndPlainOnOnePort(t *testing.T) {
	e := newEngine(t, strand.Options{})
	plain := make(chan bool, 10)
	a := tlsServer(t, e, serverConfig(t), &strand.TLSOptions{
		Done:  func(*strand.Conn) { plain <- false },
		Plain: func(c *strand.Conn) { plain <- c.TLS() == nil },
	}, func() strand.Handler {
		return &hooks{readable: echo, open: func(c *strand.Conn) { _, _ = c.WriteString("hi\n") }}
	})
	for _, secure := range []bool{true, false} {
		nc := dial(t, a)
		if secure {
			nc = tls.Client(nc, insecure(tls.VersionTLS12))
		}
		if _, err := nc.Write([]byte("ping\n")); err != nil {
			t.Fatal(err)
		}
		if got := readLine(t, nc) + readLine(t, nc); got != "hiping" {
			t.Errorf("secure %v: %q", secure, got)
		}
		if got := <-plain; got == secure {
			t.Errorf("secure %v was taken for plain %v", secure, got)
		}
		exchange(t, nc, rand.New(rand.NewSource(1)), 3)
	}
}

// What is written before the end of the handshake, and a Close or CloseWrite
// behind it, wait for it.
func TestTLSWritesBeforeTheHandshake(t *testing.T) {
	e := newEngine(t, strand.Options{})
	big := strings.Repeat("0123456789abcdef", 5000)
	for name, end := range map[string]func(*strand.Conn) error{
		"Close": (*strand.Conn).Close, "CloseWrite": (*strand.Conn).CloseWrite,
	} {
		t.Run(name, func(t *testing.T) {
			a := tlsServer(t, e, serverConfig(t), nil, func() strand.Handler {
				return &hooks{open: func(c *strand.Conn) {
					_, _ = c.WriteString("a")
					_, _ = c.Writev([]byte("b"), []byte("c"))
					_, _ = c.WritevString([]byte("d"), big)
					if err := end(c); err != nil {
						t.Error(err)
					}
					if _, err := c.WriteString("late"); !errors.Is(err, net.ErrClosed) {
						t.Errorf("write behind the end: %v", err)
					}
				}, readable: func(c *strand.Conn) {
					if _, err := c.Read(make([]byte, 10)); err == io.EOF {
						_ = c.Close()
					}
				}}
			})
			tc := dialTLS(t, a, insecure(tls.VersionTLS13))
			got, err := io.ReadAll(tc)
			if err != nil || string(got) != "abcd"+big {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

// Close during a handshake nobody waits for ends it at once.
func TestTLSCloseDuringTheHandshake(t *testing.T) {
	e := newEngine(t, strand.Options{})
	closed := make(chan error, 1)
	a := serve(t, e, func(c *strand.Conn) strand.Handler {
		_ = c.StartTLS(serverConfig(t), nil)
		return &hooks{open: func(c *strand.Conn) {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}, close: func(_ *strand.Conn, err error) { closed <- err }}
	})
	if err := tls.Client(dial(t, a), insecure(tls.VersionTLS13)).Handshake(); err == nil {
		t.Error("the handshake succeeded")
	}
	if err := <-closed; err != nil {
		t.Errorf("OnClose: %v", err)
	}
}

// Writers on many goroutines: units stay whole and each writer's stay in order,
// while the peer asks for new keys.
func TestTLSWritersKeepOrder(t *testing.T) { // hazards 110, 121
	e := newEngine(t, strand.Options{})
	const writers, units = 8, 300
	a := tlsServer(t, e, serverConfig(t), &strand.TLSOptions{Done: func(c *strand.Conn) {
		for w := range writers {
			go func() {
				for i := range units {
					unit := make([]byte, 8+(i*37+w)%3000)
					binary.BigEndian.PutUint16(unit, uint16(len(unit)))
					unit[2] = byte(w)
					binary.BigEndian.PutUint32(unit[4:], uint32(i))
					for {
						_, err := c.Writev(unit[:4], unit[4:])
						if err == strand.ErrQueueFull {
							err = c.WaitWrite(context.Background())
						} else {
							break
						}
						if err != nil {
							return
						}
					}
				}
			}()
		}
	}}, echoHandler)
	peer, err := shakeHands(dial(t, a))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for range 100 { // with data in between, or it is a flood
			_ = peer.send(recordHandshake, keyUpdateRequested)
			peer.out = peer.out.next()
			_ = peer.send(recordData, []byte{0, 8, writers, 0, 0, 0, 0, 0})
		}
	}()
	var in bytes.Buffer
	var next [writers + 1]uint32
	for seen := 0; seen < writers*units+100; {
		data, err := peer.read()
		if err != nil {
			t.Fatalf("behind %d units: %v", seen, err)
		}
		in.Write(data)
		for in.Len() >= 8 && in.Len() >= int(binary.BigEndian.Uint16(in.Bytes())) {
			unit := in.Next(int(binary.BigEndian.Uint16(in.Bytes())))
			w, i := unit[2], binary.BigEndian.Uint32(unit[4:])
			if w > writers || w < writers && i != next[w] {
				t.Fatalf("unit %d of writer %d, not %d", i, w, next[min(w, writers)])
			}
			next[w]++
			seen++
		}
	}
}

// A writer that cannot wait for the peer's handshake is refused, and WaitWrite
// waits for it.
func TestTLSHeldIsBounded(t *testing.T) {
	e := newEngine(t, strand.Options{MaxQueued: 10000})
	ended := make(chan int, 1)
	a := tlsServer(t, e, serverConfig(t), nil, func() strand.Handler {
		return &hooks{open: func(c *strand.Conn) {
			go func() {
				refused := 0
				for i := 0; i < 10; {
					_, err := c.Write(make([]byte, 4000))
					if err == nil {
						i++
						continue
					}
					if refused++; err != strand.ErrQueueFull || c.WaitWrite(context.Background()) != nil {
						break
					}
				}
				_ = c.Close()
				ended <- refused
			}()
		}}
	})
	nc := dial(t, a)
	select {
	case n := <-ended:
		t.Fatalf("40,000 bytes held for a peer without a handshake; refused %d times", n)
	case <-time.After(100 * time.Millisecond):
	}
	got, err := io.ReadAll(tls.Client(nc, insecure(tls.VersionTLS13)))
	if err != nil || len(got) != 40000 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if n := <-ended; n == 0 || n > 20 {
		t.Errorf("refused %d times", n)
	}
}

func TestTLSNetConn(t *testing.T) {
	e := newEngine(t, strand.Options{})
	for name, when := range map[string]string{"before the handshake": "open", "behind it": "done"} {
		t.Run(name, func(t *testing.T) {
			take := func(c *strand.Conn) {
				nc := c.NetConn()
				go func() {
					defer nc.Close()
					_, _ = io.Copy(nc, nc)
					if s, ok := nc.(interface{ ConnectionState() tls.ConnectionState }); !ok || !s.ConnectionState().HandshakeComplete {
						t.Error("no ConnectionState")
					}
				}()
			}
			h := &hooks{}
			o := &strand.TLSOptions{}
			if when == "open" {
				h.open = take
			} else {
				o.Done = take
			}
			tc := dialTLS(t, tlsServer(t, e, serverConfig(t), o, func() strand.Handler { return h }), insecure(tls.VersionTLS13))
			exchange(t, tc, rand.New(rand.NewSource(1)), 10)
			_ = tc.CloseWrite()
			if n, err := tc.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("at the end: %d, %v", n, err)
			}
		})
	}
}

// A *tls.Conn over a TLSWire goes onto the loop with whatever it has buffered.
func TestAdoptTLS(t *testing.T) {
	e := newEngine(t, strand.Options{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	config := serverConfig(t)
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			tc := tls.Server(strand.TLSWire(nc), config)
			var p [2]byte
			if _, err := io.ReadFull(tc, p[:]); err != nil || string(p[:]) != "he" {
				t.Errorf("%q, %v", p, err)
			}
			if _, err := e.Adopt(tc, echoHandler()); err != nil {
				t.Error(err)
			}
		}
	}()
	tc := dialTLS(t, ln.Addr(), insecure(tls.VersionTLS13))
	if _, err := tc.Write([]byte("hello\n")); err != nil {
		t.Fatal(err)
	}
	if got := readLine(t, tc); got != "llo" {
		t.Errorf("%q", got)
	}
	exchange(t, tc, rand.New(rand.NewSource(1)), 10)
}

func TestTLSSendFile(t *testing.T) {
	e := newEngine(t, strand.Options{})
	want := bytes.Repeat([]byte("0123456789"), 100000)
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, want, 0o600); err != nil {
		t.Fatal(err)
	}
	a := tlsServer(t, e, serverConfig(t), &strand.TLSOptions{Done: func(c *strand.Conn) {
		f, err := os.Open(name)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		if n, err := c.SendFile(context.Background(), f, int64(len(want))); err != nil || n != int64(len(want)) {
			t.Errorf("SendFile: %d, %v", n, err)
		}
		_ = c.Close()
	}}, echoHandler)
	got, err := io.ReadAll(dialTLS(t, a, insecure(tls.VersionTLS13)))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// A config that waits, for a certificate from elsewhere for one, does not keep
// others from the only turn; a blocking WaitRead in OnOpen makes the handshake.
func TestTLSConfigMayWait(t *testing.T) {
	e := newEngine(t, strand.Options{MaxHandshakes: 1})
	config := serverConfig(t)
	release := make(chan struct{})
	defer close(release)
	config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if h.ServerName == "slow" {
			<-release
		}
		return nil, nil
	}
	a := serve(t, e, func(c *strand.Conn) strand.Handler {
		_ = c.StartTLS(config, nil)
		return &hooks{open: func(c *strand.Conn) {
			var p [100]byte
			for {
				if err := c.WaitRead(context.Background()); err != nil {
					return
				}
				n, err := c.Read(p[:])
				if err != nil && err != strand.ErrWouldBlock {
					return
				}
				_, _ = c.Write(p[:n])
			}
		}}
	})
	for range 3 {
		slow := tls.Client(dial(t, a), &tls.Config{InsecureSkipVerify: true, ServerName: "slow"})
		go func() { _ = slow.Handshake() }()
	}
	for range 3 {
		tc := dialTLS(t, a, insecure(tls.VersionTLS13))
		_, _ = tc.Write([]byte("ping\n"))
		if got := readLine(t, tc); got != "ping" {
			t.Errorf("%q", got)
		}
	}
}

func TestStartTLSRefuses(t *testing.T) {
	e := newEngine(t, strand.Options{})
	done := make(chan struct{})
	a := serve(t, e, func(c *strand.Conn) strand.Handler {
		defer close(done)
		if err := c.StartTLS(nil, nil); err == nil {
			t.Error("no config: no error")
		}
		if err := c.StartTLS(&tls.Config{Renegotiation: tls.RenegotiateFreelyAsClient}, &strand.TLSOptions{Client: true}); err == nil {
			t.Error("renegotiation: no error")
		}
		if err := c.StartTLS(serverConfig(t), nil); err != nil {
			t.Error(err)
		}
		if err := c.StartTLS(serverConfig(t), nil); err == nil {
			t.Error("twice: no error")
		}
		return echoHandler()
	})
	dial(t, a)
	<-done
}
