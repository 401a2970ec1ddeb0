// Package http1 serves HTTP/1.0 and HTTP/1.1 on strand's event loops with the handlers of
// net/http. Server has net/http.Server's fields and methods under the same names and with
// the same meaning, but for HTTP2 and Protocols, and with its own Server in TLSNextProto; a
// port is a change of import.
//
// Handlers run on the loop that read the request and may block: the loop moves on without
// them. What net/http calls invalid after a handler has returned (reading the body, writing
// the response, keeping the request) is harmless here: it returns an error or touches garbage
// that nobody else sees.
//
// On the wire the package is stricter than net/http: see docs/security.md. What can grow has
// a limit: see docs/limits.md.
package http1
