// Package strand holds very many connections on few threads and hands their
// bytes to ordinary code. It is the engine below the packages http1 (net/http
// handlers) and websocket, and can be used by itself for any protocol.
//
// # The promise
//
// A byte belongs to one connection. Whatever a handler does, no other
// connection ever sees a byte of it, loses one, or is closed by it. Three rules
// make it so: no memory of the library crosses this API in either direction
// (Read fills the caller's, Write is finished with the caller's when it
// returns); the one pooled type is internal; and a descriptor is closed only
// when no system call and no event can still name it.
//
// # The strand
//
// All callbacks of one connection run one at a time, in order: its strand. They
// run on the event loop that owns the connection, with no goroutine switch, and
// they may block all the same: the loop goes on without a callback that blocks.
package strand
