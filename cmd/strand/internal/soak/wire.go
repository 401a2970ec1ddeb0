package soak

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"time"
)

// A wire is the client's end of one connection with its own read buffer, so that every byte received is looked at by
// this package and by nothing else. It has no pooled or shared memory: what the client sees is what came.
type wire struct {
	nc   net.Conn
	tcp  *net.TCPConn
	buf  []byte
	r, w int
	// in counts received bytes.
	in int
}

var errLine = errors.New("line longer than 16 KiB")

// dial connects to the server under test, with TLS if the URL says so.
func (r *run) dial(ctx context.Context, m Mark) (*wire, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", r.addr)
	if err != nil {
		return nil, err
	}
	x := &wire{nc: nc, tcp: nc.(*net.TCPConn), buf: make([]byte, 16<<10)}
	if r.own != nil {
		r.own.connected(nc.LocalAddr().String(), m)
	}
	if r.tls != nil {
		tc := tls.Client(nc, r.tls)
		if err := tc.HandshakeContext(ctx); err != nil {
			nc.Close()
			return nil, err
		}
		x.nc = tc
	}
	return x, nil
}

// close ends the connection in the ordinary way.
func (x *wire) close() { x.nc.Close() }

// reset ends the connection with a RST: what is in flight in both directions is thrown away.
func (x *wire) reset() {
	x.tcp.SetLinger(0) // if it fails, the connection ends with a FIN: less hostile, still right
	x.tcp.Close()
}

// finish says that we will send no more.
func (x *wire) finish() error {
	if tc, ok := x.nc.(*tls.Conn); ok {
		return tc.CloseWrite()
	}
	return x.tcp.CloseWrite()
}

func (x *wire) buffered() []byte { return x.buf[x.r:x.w] }

func (x *wire) fill() error {
	if x.r == x.w {
		x.r, x.w = 0, 0
	}
	if x.w == len(x.buf) {
		if x.r == 0 {
			return errLine
		}
		x.w = copy(x.buf, x.buf[x.r:x.w])
		x.r = 0
	}
	n, err := x.nc.Read(x.buf[x.w:])
	x.w += n
	x.in += n
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// unread puts p back before what has been received and not taken.
func (x *wire) unread(p []byte) {
	all := append(append(make([]byte, 0, len(p)+len(x.buf)), p...), x.buffered()...)
	x.r, x.w = 0, len(all)
	x.buf = all[:cap(all)]
}

// line returns the next line without its end, which has to be CRLF. The line is valid until the next read.
func (x *wire) line() ([]byte, error) {
	from := 0
	for {
		b := x.buffered()
		for i := from; i < len(b); i++ {
			if b[i] != '\n' {
				continue
			}
			if i == 0 || b[i-1] != '\r' {
				return b[:i], errors.New("a line that ends in a bare LF")
			}
			x.r += i + 1
			return b[:i-1], nil
		}
		from = len(b)
		if err := x.fill(); err != nil {
			return nil, err
		}
	}
}

// full appends exactly n bytes to dst, or as many as came before the error.
func (x *wire) full(dst []byte, n int) ([]byte, error) {
	for n > 0 {
		if x.r == x.w {
			if err := x.fill(); err != nil {
				return dst, err
			}
		}
		k := min(n, x.w-x.r)
		dst = append(dst, x.buf[x.r:x.r+k]...)
		x.r += k
		n -= k
	}
	return dst, nil
}

// rest appends what still comes within d, at most 256 KiB, and says how the connection stands then.
func (x *wire) rest(dst []byte, d time.Duration) ([]byte, error) {
	x.nc.SetReadDeadline(time.Now().Add(d))
	for {
		dst = append(dst, x.buffered()...)
		x.r = x.w
		if len(dst) > 256<<10 {
			return dst, nil
		}
		if err := x.fill(); err != nil {
			return dst, err
		}
	}
}

// scatter sends p, now in one piece, now cut at random places, now with its beginning in pieces of a few bytes.
func (x *wire) scatter(rng *rand.Rand, p []byte) error {
	switch mode := rng.IntN(16); {
	case mode < 11 || len(p) < 2:
	case mode < 15:
		for range 1 + rng.IntN(3) {
			k := rng.IntN(len(p))
			if err := x.send(p[:k]); err != nil {
				return err
			}
			if p = p[k:]; len(p) == 0 {
				return nil
			}
		}
	default:
		for range 1 + rng.IntN(24) {
			k := min(len(p), 1+rng.IntN(7))
			if err := x.send(p[:k]); err != nil {
				return err
			}
			if p = p[k:]; len(p) == 0 {
				return nil
			}
			if rng.IntN(8) == 0 {
				time.Sleep(time.Duration(rng.IntN(300)) * time.Microsecond)
			}
		}
	}
	return x.send(p)
}

func (x *wire) send(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, err := x.nc.Write(p)
	return err
}

// ending puts the error that ended a connection into words.
func ending(err error) string {
	var ne net.Error
	switch {
	case err == nil:
		return "the connection is still open"
	case errors.Is(err, io.EOF):
		return "the server closed the connection"
	case errors.As(err, &ne) && ne.Timeout():
		return "nothing more came in time"
	}
	return err.Error()
}
