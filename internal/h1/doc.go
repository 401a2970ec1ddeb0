// Package h1 is the grammar and framing of HTTP/1.0 and HTTP/1.1 as pure functions.
//
// Nothing here blocks, reads a clock, takes a lock or knows a connection: bytes go in, and
// one of three outcomes comes out, namely done, need more, or an [*Error] that names the
// response status the sender deserves. The policy is strict. What the RFCs let a recipient
// repair (a bare LF, a folded line, Content-Length beside Transfer-Encoding) is refused,
// because two recipients that repair differently are how requests get smuggled.
//
// A server feeds a [Scanner] until the head is complete, copies the head into one string,
// and calls [ParseRequest] and [ParseTarget]; every name and value is a substring of that
// string. A body framed by chunks goes through [Chunked].
package h1
