// Package websocket is RFC 6455 and its compression extension, RFC 7692, for
// servers and clients, over strand connections.
//
// [Accept] takes a request of http1.Server or of net/http.Server over;
// [Dial] is the client's side. Both give a [Conn] whose [Handler] is called on
// the connection's strand: one callback at a time, in order, which may block. An
// idle connection has no goroutine and no buffer.
//
// A message that a handler receives is fresh memory, the handler's for ever; a
// slice that is written is the caller's again when the call returns. Writing
// never blocks: what the peer does not take waits in a bounded queue, and
// [Options] says what happens when that is full. [Conn.Send] waits instead.
package websocket
