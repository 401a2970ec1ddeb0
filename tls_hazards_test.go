package strand_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/steady"
)

// rewriter changes what a client writes.
type rewriter struct {
	net.Conn
	write func(nc net.Conn, p []byte) error
}

func (r *rewriter) Write(p []byte) (int, error) {
	if err := r.write(r.Conn, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// endOf serves with the handler's input discarded and tells why connections end.
func endOf(t *testing.T, o strand.Options, to *strand.TLSOptions) (net.Addr, <-chan error) {
	ended := make(chan error, 10)
	a := tlsServer(t, newEngine(t, o), serverConfig(t), to, func() strand.Handler {
		return &hooks{
			readable: discard,
			close:    func(_ *strand.Conn, err error) { ended <- err },
		}
	})
	return a, ended
}

func wantEnd(t testing.TB, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the connection was not closed")
		return nil
	}
}

func TestHandshakeStalls(t *testing.T) { // hazards 77, 114
	const limit = 300 * time.Millisecond
	steady.Try(t, limit/2, func(t testing.TB) {
		e := newEngine(t, strand.Options{HandshakeTimeout: limit, MaxHandshakes: 1})
		ended := make(chan error, 100)
		config := serverConfig(t)
		a := tlsServer(t, e, config, nil, func() strand.Handler {
			return &hooks{readable: echo, close: func(_ *strand.Conn, err error) { ended <- err }}
		})
		hello := clientHello(t)
		stalled := 0
		for _, n := range []int{0, 1, 5, 6, 43, len(hello) - 1, len(hello)} {
			nc := dial(t, a)
			_, _ = nc.Write(hello[:n])
			stalled++
		}
		tc := dialTLS(t, a, insecure(tls.VersionTLS13)) // none of them holds the only turn
		_, _ = tc.Write([]byte("ping\n"))
		if got := readLine(t, tc); got != "ping" {
			t.Errorf("%q", got)
		}
		for range stalled {
			if err := wantEnd(t, ended); !errors.Is(err, strand.ErrHandshakeTimeout) {
				t.Errorf("OnClose: %v", err)
			}
		}
	})
}

// clientHello returns the first flight of a client.
func clientHello(t testing.TB) []byte {
	t.Helper()
	var hello []byte
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	_ = tls.Client(&rewriter{a, func(_ net.Conn, p []byte) error {
		hello = append(hello, p...)
		return io.EOF
	}}, insecure(tls.VersionTLS13)).Handshake()
	return hello
}

func TestHandshakeInPieces(t *testing.T) { // hazard 115
	a := tlsServer(t, newEngine(t, strand.Options{}), serverConfig(t), nil, echoHandler)
	segments := func(nc net.Conn, p []byte) error {
		for i := range p {
			if _, err := nc.Write(p[i : i+1]); err != nil {
				return err
			}
		}
		return nil
	}
	records := func(nc net.Conn, p []byte) error {
		if p[0] != recordHandshake {
			_, err := nc.Write(p)
			return err
		}
		var out []byte
		for _, b := range p[5:] { // one record a write at this point
			out = append(out, p[0], p[1], p[2], 0, 1, b)
		}
		_, err := nc.Write(out)
		return err
	}
	for name, write := range map[string]func(net.Conn, []byte) error{"segments": segments, "records": records} {
		t.Run(name, func(t *testing.T) {
			nc := dial(t, a)
			_ = nc.(*net.TCPConn).SetNoDelay(true)
			tc := tls.Client(&rewriter{nc, write}, insecure(tls.VersionTLS13))
			if _, err := tc.Write([]byte("ping\n")); err != nil {
				t.Fatal(err)
			}
			if got := readLine(t, tc); got != "ping" {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestBadHandshakes(t *testing.T) { // hazards 116, 117, 127
	hello := clientHello(t)
	for name, p := range map[string][]byte{
		"a ClientHello of 16 MiB":  {22, 3, 1, 0, 4, 1, 255, 255, 255},
		"a ClientHello of 128 KiB": {22, 3, 1, 0, 4, 1, 2, 0, 0},
		"a record too long":        append([]byte{22, 3, 1, 0x48, 1}, make([]byte, 20000)...),
		"Finished first":           {22, 3, 1, 0, 4, 20, 0, 0, 0},
		"data first":               {23, 3, 1, 0, 1, 0},
		"a hello twice":            append(bytes.Clone(hello), hello...),
		"data behind the hello":    append(bytes.Clone(hello), 23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20),
		"an alert":                 {21, 3, 1, 0, 2, 2, 40},
		"an old SSL":               {0x80, 46, 1, 0, 2},
		"garbage":                  []byte("\x16garbage garbage garbage"),
	} {
		t.Run(name, func(t *testing.T) {
			a, ended := endOf(t, strand.Options{}, nil)
			nc := dial(t, a)
			_, _ = nc.Write(p)
			var failed *strand.HandshakeError
			if err := wantEnd(t, ended); !errors.As(err, &failed) || errors.Is(err, strand.ErrHandshakeTimeout) {
				t.Errorf("OnClose: %v", err)
			}
			_, _ = io.Copy(io.Discard, nc) // ends: it is closed
		})
	}
}

// What goes wrong behind the handshake is answered with an alert and ends the
// connection.
func TestBadRecords(t *testing.T) { // hazards 117, 118, 120
	tests := map[string]struct {
		send func(p *handmade)
		want error
	}{
		"a record too long":        {func(p *handmade) { _, _ = p.nc.Write(append([]byte{23, 3, 3, 0x41, 1}, make([]byte, 0x4101)...)) }, alertRecordOverflow},
		"a wrong MAC":              {func(p *handmade) { p.out.seq++; _ = p.send(recordData, []byte("x")) }, alertBadRecordMAC},
		"a record twice":           {func(p *handmade) { r := p.out.seal(recordData, []byte("x")); _, _ = p.nc.Write(append(r, r...)) }, alertBadRecordMAC},
		"empty records":            {func(p *handmade) { repeat(p, recordData, nil) }, alertUnexpectedMessage},
		"CCS":                      {func(p *handmade) { _, _ = p.nc.Write(bytes.Repeat([]byte{20, 3, 3, 0, 1, 1}, 100)) }, alertUnexpectedMessage},
		"user_canceled":            {func(p *handmade) { repeat(p, recordAlert, []byte{1, 90}) }, alertUnexpectedMessage},
		"KeyUpdates":               {updates(keyUpdate), alertUnexpectedMessage},
		"KeyUpdates requested":     {updates(keyUpdateRequested), alertUnexpectedMessage},
		"KeyUpdates in one record": {func(p *handmade) { _ = p.send(recordHandshake, bytes.Repeat(keyUpdateRequested, 3000)) }, alertUnexpectedMessage},
		"another handshake":        {func(p *handmade) { _ = p.send(recordHandshake, []byte{1, 0, 0, 0}) }, alertError(50)},
		"half a message":           {func(p *handmade) { _ = p.send(recordHandshake, keyUpdate[:2]); _ = p.send(recordData, []byte("x")) }, alertUnexpectedMessage},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, ended := endOf(t, strand.Options{}, nil)
			p, err := shakeHands(dial(t, a))
			if err != nil {
				t.Fatal(err)
			}
			tt.send(p)
			if err := wantEnd(t, ended); err == nil {
				t.Error("OnClose without a reason")
			}
			var alert alertError
			if _, err := p.read(); !errors.As(err, &alert) {
				t.Logf("instead of an alert: %v", err) // a reset may overtake it
			} else if alert != tt.want {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

// repeat sends a record 100 times.
func repeat(p *handmade, typ byte, data []byte) {
	for range 100 {
		_ = p.send(typ, data)
	}
}

func updates(message []byte) func(p *handmade) {
	return func(p *handmade) {
		for range 100 {
			_ = p.send(recordHandshake, message)
			p.out = p.out.next()
		}
	}
}

// A peer that asks for new keys again and again, with data in between so that it
// is no flood of empty messages, and reads none of the answers. A pipe has no
// buffer that would have to fill first.
func TestKeyUpdatesWithoutReading(t *testing.T) { // hazard 120
	e := newEngine(t, strand.Options{})
	ended := make(chan error, 1)
	config := serverConfig(t)
	client, server := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	h := &hooks{
		open:     func(c *strand.Conn) { _ = c.StartTLS(config, nil) },
		readable: discard,
		close:    func(_ *strand.Conn, err error) { ended <- err },
	}
	if _, err := e.Adopt(server, h); err != nil {
		t.Fatal(err)
	}
	p, err := shakeHands(client)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for ; asked < 20000; asked++ {
		update := p.out.seal(recordHandshake, keyUpdateRequested)
		p.out = p.out.next()
		if _, err := client.Write(append(update, p.out.seal(recordData, []byte("x"))...)); err != nil {
			break
		}
	}
	if err := wantEnd(t, ended); err == nil {
		t.Error("OnClose without a reason")
	}
	t.Logf("cut off behind %d", asked)
}

func discard(c *strand.Conn) {
	var p [1000]byte
	for {
		if _, err := c.Read(p[:]); err != nil {
			return
		}
	}
}

func TestEndWithoutCloseNotify(t *testing.T) { // hazard 122
	for name, tt := range map[string]struct {
		last func(p *handmade) []byte
		want error
	}{
		"between records": {func(p *handmade) []byte { return nil }, io.EOF}, // as crypto/tls has it: the protocol above must know its ends
		"in a record":     {func(p *handmade) []byte { r := p.out.seal(recordData, []byte("the rest")); return r[:len(r)-3] }, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan error, 1)
			var data []byte
			a := tlsServer(t, newEngine(t, strand.Options{}), serverConfig(t), nil, func() strand.Handler {
				return &hooks{readable: func(c *strand.Conn) {
					var p [100]byte
					for {
						n, err := c.Read(p[:])
						data = append(data, p[:n]...)
						if err == strand.ErrWouldBlock {
							return
						}
						if err != nil {
							got <- err
							_ = c.Close()
							return
						}
					}
				}}
			})
			p, err := shakeHands(dial(t, a))
			if err != nil {
				t.Fatal(err)
			}
			_ = p.send(recordData, []byte("data"))
			_, _ = p.nc.Write(tt.last(p))
			_ = p.nc.(*net.TCPConn).CloseWrite()
			if err := wantEnd(t, got); err != tt.want || string(data) != "data" {
				t.Errorf("%q, %v", data, err)
			}
		})
	}
}

// Behind close_notify nothing is heard, and the answer still goes out.
func TestCloseNotifyThenMore(t *testing.T) { // hazard 123
	var heard atomic.Int64
	a := tlsServer(t, newEngine(t, strand.Options{}), serverConfig(t), nil, func() strand.Handler {
		return &hooks{readable: func(c *strand.Conn) {
			var p [100]byte
			for {
				n, err := c.Read(p[:])
				heard.Add(int64(n))
				if err == strand.ErrWouldBlock {
					return
				}
				if err != nil {
					c.SetTimer(20 * time.Millisecond)
					_ = c.Post(func(c *strand.Conn) { _, _ = c.Write([]byte("answer")); _ = c.Close() })
					return
				}
			}
		}}
	})
	p, err := shakeHands(dial(t, a))
	if err != nil {
		t.Fatal(err)
	}
	all := p.out.seal(recordData, []byte("question"))
	all = append(all, p.out.seal(recordAlert, closeNotify)...)
	all = append(all, p.out.seal(recordData, []byte("more"))...)
	_, _ = p.nc.Write(all)
	got, err := p.read()
	if err != nil || string(got) != "answer" || heard.Load() != int64(len("question")) {
		t.Errorf("%q, %v; %d bytes heard", got, err, heard.Load())
	}
	if _, err := p.read(); err != alertError(0) {
		t.Errorf("at the end: %v, not close_notify", err)
	}
}

// Close does not wait for a peer that does not read, on a loop least of all.
func TestTLSCloseWithoutReader(t *testing.T) { // hazard 124
	e := newEngine(t, strand.Options{Loops: 1, CloseTimeout: 200 * time.Millisecond})
	took := make(chan time.Duration, 1)
	ended := make(chan error, 1)
	a := tlsServer(t, e, serverConfig(t), nil, func() strand.Handler {
		return &hooks{
			readable: func(c *strand.Conn) {
				if _, err := c.Write(make([]byte, 16<<20)); err != nil { // more than any kernel takes
					return // called again: the input was not read
				}
				began := time.Now()
				_ = c.Close()
				took <- time.Since(began)
			},
			close: func(_ *strand.Conn, err error) { ended <- err },
		}
	})
	tc := dialTLS(t, a, insecure(tls.VersionTLS13))
	_, _ = tc.Write([]byte("x"))
	if d := <-took; d > 2*time.Second {
		t.Errorf("Close took %v", d)
	}
	if err := wantEnd(t, ended); !errors.Is(err, strand.ErrWriteTimeout) {
		t.Errorf("OnClose: %v", err)
	}
}

// Data in the segment of the client's Finished is delivered although no event
// follows.
func TestDataWithFinished(t *testing.T) { // hazard 125
	a := tlsServer(t, newEngine(t, strand.Options{}), serverConfig(t), nil, echoHandler)
	for range 20 {
		var held []byte
		flights := 0
		nc := dial(t, a)
		tc := tls.Client(&rewriter{nc, func(nc net.Conn, p []byte) error {
			if flights++; flights > 1 { // the second flight has the Finished
				held = append(held, p...)
				return nil
			}
			_, err := nc.Write(p)
			return err
		}}, insecure(tls.VersionTLS13))
		if _, err := tc.Write([]byte("ping\n")); err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Write(held); err != nil {
			t.Fatal(err)
		}
		if got := readLine(t, tc); got != "ping" {
			t.Errorf("%q", got)
		}
	}
}

func TestALPNAndSNI(t *testing.T) { // hazard 126
	e := newEngine(t, strand.Options{})
	one, two := identity(t, "one"), identity(t, "two")
	config := &tls.Config{NextProtos: []string{"x"}, GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		switch h.ServerName {
		case "one":
			return &one, nil
		case "two":
			return &two, nil
		}
		return nil, errors.New("unknown name")
	}}
	protos := make(chan string, 10)
	a := tlsServer(t, e, config, &strand.TLSOptions{Done: func(c *strand.Conn) {
		protos <- c.TLS().ServerName + " " + c.TLS().NegotiatedProtocol
	}}, echoHandler)
	for _, tt := range []struct {
		name   string
		protos []string
		want   string
	}{
		{"one", []string{"y", "x"}, "one x"}, {"two", nil, "two "}, {"three", nil, ""},
		{"one", []string{"y"}, ""}, {"one\x00.evil", nil, ""}, {"one" + string(bytes.Repeat([]byte(".x"), 10000)), nil, ""},
	} {
		tc := tls.Client(dial(t, a), &tls.Config{RootCAs: poolOf(one, two), ServerName: tt.name, NextProtos: tt.protos})
		err := tc.Handshake()
		if (err == nil) != (tt.want != "") {
			t.Errorf("%.10q %q: %v", tt.name, tt.protos, err)
			continue
		}
		if err == nil {
			if got := <-protos; got != tt.want {
				t.Errorf("%.10q: %q", tt.name, got)
			}
		}
	}
}

func TestFinishedTampered(t *testing.T) { // hazard 127
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		for what, change := range map[string]func([]byte) []byte{
			"flipped":  func(p []byte) []byte { p[len(p)-1] ^= 1; return p },
			"cut off":  func(p []byte) []byte { return p[:len(p)-1] },
			"repeated": func(p []byte) []byte { return append(bytes.Clone(p), p...) },
			"left out": func(p []byte) []byte {
				return []byte{23, 3, 3, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
			},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				a, ended := endOf(t, strand.Options{}, nil)
				flights := 0
				nc := &rewriter{dial(t, a), func(nc net.Conn, p []byte) error {
					if flights++; flights == 2 {
						p = change(bytes.Clone(p))
					}
					_, err := nc.Write(p)
					if flights == 2 && what == "cut off" {
						_ = nc.(*net.TCPConn).CloseWrite()
					}
					return err
				}}
				tc := tls.Client(nc, insecure(version))
				if err := tc.Handshake(); err == nil {
					_, _ = tc.Read(make([]byte, 1))
				}
				if err := wantEnd(t, ended); err == nil {
					t.Error("OnClose without a reason")
				}
			})
		}
	}
}

// A ticket from before a change of who may come in does not let anyone in.
func TestResumptionBehindAChange(t *testing.T) { // hazard 130
	e := newEngine(t, strand.Options{})
	cert := identity(t, "a")
	old := &tls.Config{Certificates: []tls.Certificate{cert}}
	strict := &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: poolOf(identity(t, "b"))}
	var changed atomic.Bool
	config := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if changed.Load() {
			return strict, nil
		}
		return old, nil
	}}
	resumed := make(chan bool, 10)
	a := tlsServer(t, e, config, &strand.TLSOptions{Done: func(c *strand.Conn) { resumed <- c.TLS().DidResume }}, echoHandler)
	client := &tls.Config{RootCAs: poolOf(cert), ServerName: "a", ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	try := func() error {
		tc := tls.Client(dial(t, a), client)
		defer tc.Close()
		if _, err := tc.Write([]byte("ping\n")); err != nil {
			return err
		}
		var p [5]byte
		_, err := io.ReadFull(tc, p[:]) // takes the ticket, too
		return err
	}
	for i, want := range []bool{false, true, true} {
		if err := try(); err != nil {
			t.Fatal(err)
		}
		if got := <-resumed; got != want {
			t.Errorf("connection %d: resumed %v", i, got)
		}
	}
	changed.Store(true)
	if err := try(); err == nil {
		t.Error("let in without a certificate")
	}
}

// A panic, or runtime.Goexit, in a callback of the config ends that connection.
func TestConfigPanics(t *testing.T) { // hazard 147
	e := newEngine(t, strand.Options{Logger: slog.New(slog.DiscardHandler)})
	config := serverConfig(t)
	config.VerifyConnection = func(tls.ConnectionState) error { return nil }
	config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if h.ServerName == "evil" {
			panic("evil")
		}
		return nil, nil
	}
	ended := make(chan error, 10)
	a := tlsServer(t, e, config, nil, func() strand.Handler {
		return &hooks{readable: echo, close: func(_ *strand.Conn, err error) { ended <- err }}
	})
	if err := tls.Client(dial(t, a), &tls.Config{InsecureSkipVerify: true, ServerName: "evil"}).Handshake(); err == nil {
		t.Error("the handshake succeeded")
	}
	if err := wantEnd(t, ended); !errors.Is(err, strand.ErrPanic) {
		t.Errorf("OnClose: %v", err)
	}
	tc := dialTLS(t, a, insecure(tls.VersionTLS13))
	_, _ = tc.Write([]byte("ping\n"))
	_ = readLine(t, tc)
}
