package strand_test

import (
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// Connections that write, close, abort and hijack at any moment of a handshake
// and behind it, on both sides: each ends once, and nothing is left of it.
func TestTLSChurn(t *testing.T) { // hazard 185
	goroutines := runtime.NumGoroutine()
	t.Cleanup(func() { // after the engine's
		for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines+3; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
				return
			}
		}
	})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	e := newEngine(t, strand.Options{MaxHandshakes: 2, CloseTimeout: 200 * time.Millisecond, HandshakeTimeout: 300 * time.Millisecond})
	config := serverConfig(t)
	var opened, closed atomic.Int64
	var n atomic.Uint64
	var late atomic.Int64 // goroutines of the server's side; a connection may come when every client has gone
	aside := func(f func()) {
		late.Add(1)
		go func() {
			defer late.Add(-1)
			f()
		}()
	}
	a := serve(t, e, func(c *strand.Conn) strand.Handler {
		rnd := rand.New(rand.NewPCG(seed, n.Add(1)))
		opened.Add(1)
		ends := 0
		deed := func(c *strand.Conn) {
			switch rnd.IntN(12) {
			case 0:
				_ = c.Close()
			case 1:
				_ = c.Abort()
			case 2:
				_ = c.CloseWrite()
			case 3:
				nc := c.NetConn()
				aside(func() {
					defer nc.Close()
					_ = nc.SetDeadline(time.Now().Add(100 * time.Millisecond))
					_, _ = io.Copy(nc, nc)
				})
			}
		}
		o := &strand.TLSOptions{}
		if rnd.IntN(2) == 0 {
			o.Done = deed
		}
		if rnd.IntN(2) == 0 {
			o.Plain = deed
		}
		if rnd.IntN(20) > 0 {
			if err := c.StartTLS(config, o); err != nil {
				t.Errorf("StartTLS: %v", err)
			}
		}
		wait, how := time.Duration(rnd.IntN(8))*time.Millisecond, rnd.IntN(6)
		aside(func() { // not the strand
			time.Sleep(wait)
			for range 5 {
				_, _ = c.Write(make([]byte, 3000))
			}
			switch how {
			case 0:
				_ = c.Close()
			case 1:
				_ = c.Abort()
			case 2:
				_ = c.Post(deed)
			}
		})
		return &hooks{open: deed, readable: echo, close: func(*strand.Conn, error) {
			if ends++; ends > 1 {
				t.Error("OnClose twice")
			}
			closed.Add(1)
		}}
	})
	var clients sync.WaitGroup
	for i := range 12 {
		clients.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, 1<<32+uint64(i)))
			for range 40 {
				churn(rnd, a)
			}
		})
	}
	clients.Wait()
	for end := time.Now().Add(10 * time.Second); closed.Load() < opened.Load() || late.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d opened, %d closed, %d goroutines at work", opened.Load(), closed.Load(), late.Load())
		}
	}
}

// churn is one client's connection.
func churn(rnd *rand.Rand, a net.Addr) {
	nc, err := net.Dial(a.Network(), a.String())
	if err != nil {
		return
	}
	defer nc.Close()
	if rnd.IntN(4) == 0 {
		_ = nc.(*net.TCPConn).SetLinger(0)
	}
	_ = nc.SetDeadline(time.Now().Add(time.Duration(1+rnd.IntN(40)) * time.Millisecond))
	if rnd.IntN(5) == 0 {
		_, _ = nc.Write([]byte("plain")[:1+rnd.IntN(4)])
		_, _ = io.Copy(io.Discard, nc)
		return
	}
	tc := tls.Client(nc, insecure([]uint16{tls.VersionTLS12, tls.VersionTLS13}[rnd.IntN(2)]))
	if _, err := tc.Write(make([]byte, rnd.IntN(20000))); err != nil {
		return
	}
	if rnd.IntN(2) == 0 {
		_ = tc.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, tc)
}
