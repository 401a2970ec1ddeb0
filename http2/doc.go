// Package http2 adds HTTP/2 to an http1.Server: over TLS for clients that choose it by ALPN, and without TLS, if
// asked to, for clients that begin with it. The protocol is golang.org/x/net/http2, unforked; it runs over the
// blocking view of a strand connection, so a connection that speaks HTTP/2 costs goroutines as it does in net/http,
// and its requests are isolated as that package isolates them. HTTP/1 connections of the same server stay on the
// loop.
package http2
