package http2_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/d74363f0/strand/http1"
	"github.com/d74363f0/strand/http2"
	xhttp2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// window is more than a handler can write in a test: flow control holds nothing up.
const window = 1<<31 - 1

// deaf makes a request on nc with windows wide open. What comes then nobody reads.
func deaf(t *testing.T, nc net.Conn) {
	t.Helper()
	var head, all bytes.Buffer
	enc := hpack.NewEncoder(&head)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "x"}, {":path", "/"}} {
		if err := enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			t.Fatal(err)
		}
	}
	all.WriteString(xhttp2.ClientPreface)
	fr := xhttp2.NewFramer(&all, nil)
	if err := errors.Join(
		fr.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: window}),
		fr.WriteWindowUpdate(0, window-65535),
		fr.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 1, BlockFragment: head.Bytes(), EndStream: true, EndHeaders: true}),
	); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write(all.Bytes()); err != nil {
		t.Fatal(err)
	}
}

// endless writes until it fails, and then closes over.
func endless(over chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		defer close(over)
		for piece := make([]byte, 64<<10); ; {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}
}

// TestStalledClient wants a connection whose client takes nothing to end after WriteProgressTimeout, or the
// WriteByteTimeout of the Config, and not without either.
func TestStalledClient(t *testing.T) {
	const short = 300 * time.Millisecond
	for _, tt := range []struct {
		name          string
		progress      time.Duration
		config        *http.HTTP2Config
		secure, stays bool
	}{
		{"clear", short, nil, false, false},
		{"TLS", short, nil, true, false},
		{"its own", time.Hour, &http.HTTP2Config{WriteByteTimeout: short}, false, false},
		{"its own is longer", short, &http.HTTP2Config{WriteByteTimeout: time.Hour}, false, true},
		{"off", -short, nil, false, true},
		{"default", 0, nil, false, true}, // a minute
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			over := make(chan struct{})
			s, addr := serve(t, &http2.Options{Config: tt.config, Unencrypted: true}, tt.secure, endless(over),
				func(s *http1.Server) { s.WriteProgressTimeout = tt.progress })
			nc, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			raw := nc
			if tt.secure {
				nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) // the test's own certificate
			}
			deaf(t, nc)
			if tt.stays {
				select {
				case <-over:
					t.Error("the connection ended")
				case <-time.After(5 * short):
				}
				_ = s.Close()
				<-over
				return
			}
			select {
			case <-over:
			case <-time.After(20 * time.Second):
				t.Fatal("the handler still writes to a client that takes nothing")
			}
			_ = raw.SetReadDeadline(time.Now().Add(20 * time.Second))
			if _, err := io.Copy(io.Discard, raw); errors.Is(err, net.ErrClosed) || isTimeout(err) {
				t.Errorf("the connection is still open: %v", err)
			}
		})
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
