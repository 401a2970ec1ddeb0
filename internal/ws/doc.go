// Package ws is the grammar of the WebSocket protocol (RFC 6455) and of its
// per-message compression extension (RFC 7692), as pure functions and small
// value types: nothing here blocks, reads a clock, takes a lock, starts a
// goroutine or keeps a slice it was given.
//
// Parsers have three outcomes. They return how many bytes they consumed, or
// zero and a nil error when the input ends too early, or an error that says
// with which close code (or which HTTP status, during the handshake) the peer
// must be answered. An error is reported at the first byte that makes the input
// wrong, so the outcome does not depend on how the input was split.
//
// The files follow the RFCs: handshake.go, origin.go and extension.go are what
// is said before the first frame; frame.go, mask.go, message.go, utf8.go and
// close.go are what is said in frames.
package ws
