package websocket

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/d74363f0/strand"
)

// connect makes the transport and gives it to the engine with d as its handler.
func (d *dialer) connect(ctx context.Context, u *url.URL) (*strand.Conn, error) {
	proxy, err := d.proxy(u)
	if err != nil {
		return nil, err
	}
	engine := d.o.engine()
	if u.Scheme == "ws" && proxy == nil && d.o.NetDial == nil {
		return engine.Dial(ctx, "tcp", hostPort(u), d)
	}
	nc, err := d.dialNet(ctx, u, proxy)
	if err != nil {
		return nil, err
	}
	return engine.Adopt(nc, d)
}

// proxy asks for the proxy, which knows the schemes of HTTP only.
func (d *dialer) proxy(u *url.URL) (*url.URL, error) {
	ask := d.o.Proxy
	if ask == nil {
		ask = http.ProxyFromEnvironment
	}
	as := *u
	as.Scheme = "http"
	if u.Scheme == "wss" {
		as.Scheme = "https"
	}
	p, err := ask(&http.Request{Method: "GET", URL: &as, Host: as.Host, Header: http.Header{}})
	if err == nil && p != nil && p.Scheme != "http" && p.Scheme != "https" {
		err = fmt.Errorf("websocket: proxy scheme %q is not supported", p.Scheme)
	}
	return p, err
}

// dialNet connects through the proxy, if there is one, and TLS, if need be. It
// blocks in the ways of net, which honour ctx.
func (d *dialer) dialNet(ctx context.Context, u, proxy *url.URL) (nc net.Conn, err error) {
	target := u
	if proxy != nil {
		target = proxy
	}
	dial := d.o.NetDial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	if nc, err = dial(ctx, "tcp", hostPort(target)); err != nil {
		return nil, err
	}
	raw := nc
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() { // what failed then is the deadline, which stands for ctx
			err = ctx.Err()
		}
		if err != nil {
			_ = raw.Close()
		}
	}()
	if proxy != nil && proxy.Scheme == "https" {
		if nc, err = d.startTLS(ctx, nc, proxy.Hostname()); err != nil {
			return nil, err
		}
	}
	if proxy != nil {
		if err = connectProxy(nc, removeZone(hostPort(u)), proxy.User); err != nil {
			return nil, err
		}
	}
	if u.Scheme == "wss" {
		return d.startTLS(ctx, nc, u.Hostname())
	}
	return nc, nil
}

// startTLS makes the TLS handshake. HTTP/2 must not be agreed, since it has
// another kind of WebSocket.
func (d *dialer) startTLS(ctx context.Context, nc net.Conn, name string) (net.Conn, error) {
	config := d.o.TLSConfig.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	if config.ServerName == "" {
		config.ServerName = name
	}
	config.NextProtos = []string{"http/1.1"}
	if config.Renegotiation == tls.RenegotiateNever { // which waits within a read, as the loop cannot
		nc = strand.TLSWire(nc) // so that the loop can take it over
	}
	tc := tls.Client(nc, config)
	return tc, tc.HandshakeContext(ctx)
}

// connectProxy asks a proxy for a tunnel.
func connectProxy(nc net.Conn, addr string, user *url.Userinfo) error {
	req := "CONNECT " + addr + " HTTP/1.1\r\nHost: " + addr + "\r\n"
	if user != nil {
		req += "Proxy-Authorization: " + basicAuth(user) + "\r\n"
	}
	if _, err := nc.Write([]byte(req + "\r\n")); err != nil {
		return err
	}
	// The proxy sends nothing behind its head before we speak, so the reader
	// cannot take what belongs to the tunnel.
	head := &io.LimitedReader{R: nc, N: maxResponse}
	br := bufio.NewReaderSize(head, 4<<10)
	resp, err := http.ReadResponse(br, &http.Request{Method: "CONNECT"})
	if err != nil && head.N <= 0 {
		return errProxyHead
	}
	if err != nil {
		return err
	}
	// The body is not closed: that would read it to its end. It has none if all is
	// well, and else the connection is closed.
	if resp.StatusCode != http.StatusOK {
		return &HandshakeError{Status: resp.StatusCode, Reason: "proxy refused"}
	}
	if br.Buffered() > 0 {
		return errResponse
	}
	return nil
}

// hostPort adds the scheme's port.
func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	port := "80"
	if u.Scheme == "wss" || u.Scheme == "https" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// removeZone removes the zone of a literal IPv6 address, which means something on
// this host alone and may not be sent (RFC 6874 section 4).
func removeZone(host string) string {
	end := strings.LastIndexByte(host, ']')
	if end < 0 || host[0] != '[' {
		return host
	}
	if zone := strings.IndexByte(host[:end], '%'); zone >= 0 {
		return host[:zone] + host[end:]
	}
	return host
}
