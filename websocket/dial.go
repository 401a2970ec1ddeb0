package websocket

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/d74363f0/strand"
	"github.com/d74363f0/strand/internal/ws"
)

// DialOptions is what a client may set. The zero value and a nil pointer mean
// the defaults.
type DialOptions struct {
	Options

	// Header is sent with the handshake. Fields that the handshake itself uses are
	// left out.
	Header http.Header

	// Host replaces the URL's host in the Host field. The zone of an IPv6 address is
	// left out, as the URL's is.
	Host string

	// TLSConfig is for wss. Nil means the zero tls.Config.
	TLSConfig *tls.Config

	// Proxy returns the proxy for a request, or nil. Nil means
	// http.ProxyFromEnvironment. Proxies are reached with http or https.
	Proxy func(*http.Request) (*url.URL, error)

	// NetDial makes the connection, to the proxy if there is one. Nil means
	// the engine's Dial or net.Dialer.
	NetDial func(ctx context.Context, network, addr string) (net.Conn, error)

	// HandshakeTimeout bounds all of Dial. Zero means 30 seconds.
	HandshakeTimeout time.Duration
}

// maxResponse is the longest response head that a client reads, in bytes, of a
// server or of a proxy.
const maxResponse = 64 << 10

// errResponse is returned for a server that does not speak HTTP, or ends in the head
// of its response, and for heads that are too long.
var errResponse = errors.New("websocket: malformed response to the handshake")

// Dial opens a WebSocket to a ws or wss URL. ctx is for the handshake only.
// h.OnOpen is called before Dial returns, and not at all if it returns an error. If the server answered but the
// handshake failed, the response is returned with the error, a
// *HandshakeError; its body holds at most what arrived together with its head. If
// it ended the connection without an answer, the error wraps io.ErrUnexpectedEOF, or
// what reading failed with.
func Dial(ctx context.Context, rawURL string, h Handler, o *DialOptions) (*Conn, *http.Response, error) {
	if o == nil {
		o = &DialOptions{}
	}
	timeout := o.HandshakeTimeout
	if timeout <= 0 {
		timeout = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	u, err := parseURL(rawURL)
	if err != nil {
		return nil, nil, err
	}
	d := &dialer{h: h, o: o, done: make(chan error, 1)}
	if err = d.prepare(u); err != nil {
		return nil, nil, err
	}
	sc, err := d.connect(ctx, u)
	if err != nil {
		return nil, nil, err
	}
	select {
	case err = <-d.done:
	case <-ctx.Done():
		if !d.claim.CompareAndSwap(false, true) { // the connection is being opened
			err = <-d.done
			break
		}
		_ = sc.Abort()
		<-d.done
		err = ctx.Err()
	}
	if err != nil {
		return nil, d.resp, err
	}
	return d.c, d.resp, nil
}

// parseURL takes what RFC 6455 section 3 allows.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "ws" && u.Scheme != "wss" || u.Hostname() == "" || u.Opaque != "" {
		return nil, fmt.Errorf("websocket: %q is not a ws or wss URL", u.Redacted())
	}
	if u.Fragment != "" || strings.HasSuffix(raw, "#") {
		return nil, fmt.Errorf("websocket: %q has a fragment", u.Redacted())
	}
	return u, nil
}

// dialer is the handler of a connection until its handshake is done.
type dialer struct {
	h    Handler
	o    *DialOptions
	key  string
	req  []byte
	head []byte // what was received of the response; strand only
	c    *Conn
	resp *http.Response
	done chan error // receives one value when the handshake is done
	over bool       // done has received it; strand only

	claim atomic.Bool // by who comes first: the response that opens the connection, or the end of Dial's context

	seen int // interim responses; strand only
}

// prepare makes the request.
func (d *dialer) prepare(u *url.URL) error {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	d.key = ws.NewKey(random)
	if err := checkSubprotocols(d.o.Subprotocols); err != nil {
		return err
	}
	host := u.Host
	if d.o.Host != "" {
		host = d.o.Host
	}
	host = removeZone(host)
	var b strings.Builder
	b.WriteString("GET " + u.RequestURI() + " HTTP/1.1\r\nHost: " + host +
		"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: " + ws.Version +
		"\r\nSec-WebSocket-Key: " + d.key + "\r\n")
	if strings.ContainsAny(host, " \r\n\t") {
		return fmt.Errorf("websocket: bad host %q", host)
	}
	if len(d.o.Subprotocols) > 0 {
		b.WriteString("Sec-WebSocket-Protocol: " + strings.Join(d.o.Subprotocols, ", ") + "\r\n")
	}
	if d.o.Compression != nil {
		b.WriteString("Sec-WebSocket-Extensions: " + ws.OfferDeflate(d.o.Compression.wish()) + "\r\n")
	}
	if u.User != nil && d.o.Header.Get("Authorization") == "" {
		b.WriteString("Authorization: " + basicAuth(u.User) + "\r\n")
	}
	if err := writeFields(&b, d.o.Header); err != nil {
		return err
	}
	b.WriteString("\r\n")
	d.req = []byte(b.String())
	return nil
}

func basicAuth(user *url.Userinfo) string {
	password, _ := user.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
}

// OnOpen sends the request.
func (d *dialer) OnOpen(sc *strand.Conn) {
	if _, err := sc.Write(d.req); err != nil {
		_ = sc.Abort()
	}
}

// OnReadable reads the response's head.
func (d *dialer) OnReadable(sc *strand.Conn) {
	var scratch [2048]byte
	for !d.over {
		n, err := sc.Read(scratch[:])
		d.head = append(d.head, scratch[:n]...)
		for !d.over {
			end := bytes.Index(d.head, []byte("\r\n\r\n"))
			if end < 0 {
				break
			}
			d.response(sc, end+4)
		}
		if d.over {
			return
		}
		if errors.Is(err, strand.ErrWouldBlock) {
			return
		}
		if err != nil || len(d.head) > maxResponse {
			d.fail(sc, d.noResponse(err))
			return
		}
	}
}

// noResponse is the error for a head that did not come whole, because reading ended
// with cause. Where nothing of one came, that is what tells why.
func (d *dialer) noResponse(cause error) error {
	if cause == nil || len(d.head) > 0 {
		return errResponse
	}
	if errors.Is(cause, io.EOF) {
		cause = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("websocket: no response to the handshake: %w", cause)
}

// OnDrained has nothing to do.
func (d *dialer) OnDrained(*strand.Conn) {}

// OnClose tells Dial that there will be no response.
func (d *dialer) OnClose(_ *strand.Conn, err error) {
	switch {
	case err == nil:
		err = errAdopt
	case len(d.head) == 0:
		err = d.noResponse(err)
	}
	d.tell(err)
}

func (d *dialer) tell(err error) {
	if !d.over {
		d.over = true
		d.done <- err
	}
}

func (d *dialer) fail(sc *strand.Conn, err error) {
	d.tell(err)
	_ = sc.Close()
}

// maxInterim is how many responses may come before the final one.
const maxInterim = 5

// response takes a whole head, which is the first n bytes, and what follows it.
func (d *dialer) response(sc *strand.Conn, n int) {
	head, rest := d.head[:n], d.head[n:]
	d.head = nil
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), &http.Request{Method: "GET"})
	if err != nil {
		d.fail(sc, errResponse)
		return
	}
	_ = resp.Body.Close()
	// RFC 9110 section 15.2: an interim response is not the answer yet.
	if s := resp.StatusCode; s >= 100 && s < 200 && s != http.StatusSwitchingProtocols {
		if d.seen++; d.seen > maxInterim {
			d.fail(sc, errResponse)
		}
		d.head = rest
		return
	}
	resp.Body, d.resp = http.NoBody, resp
	neg, err := d.check(resp)
	if err != nil {
		resp.Body = io.NopCloser(bytes.NewReader(rest))
		d.fail(sc, err)
		return
	}
	if !d.claim.CompareAndSwap(false, true) {
		_ = sc.Abort() // as Dial does, which OnClose will tell
		return
	}
	d.c = newConn(d.h, &d.o.Options, neg, true)
	sc.Unread(rest)
	defer d.tell(nil)
	d.c.open(sc)
}

// check validates the response and returns what was agreed.
func (d *dialer) check(resp *http.Response) (*negotiated, error) {
	protocol, bad := ws.CheckResponse(ws.Response{
		Status: resp.StatusCode, Major: resp.ProtoMajor, Minor: resp.ProtoMinor, Header: resp.Header,
	}, d.key, d.o.Subprotocols)
	if bad != nil {
		e := &HandshakeError{Reason: bad.Reason}
		if resp.StatusCode != http.StatusSwitchingProtocols {
			e.Status = resp.StatusCode
		}
		return nil, e
	}
	neg := &negotiated{protocol: protocol}
	extensions := resp.Header["Sec-Websocket-Extensions"]
	if d.o.Compression == nil {
		if len(extensions) > 0 {
			return nil, &HandshakeError{Reason: "extension that was not offered"}
		}
	} else {
		agreed, ok, bad := ws.CheckDeflate(extensions, d.o.Compression.wish())
		if bad != nil {
			return nil, &HandshakeError{Reason: bad.Reason}
		}
		if ok {
			neg.deflate = newDeflateState(agreed, true)
		}
	}
	if neg.protocol == "" && neg.deflate == nil {
		return nil, nil
	}
	return neg, nil
}
