// Package load is the closed-loop client that measures TCP and WebSocket
// servers: one thread, one epoll descriptor, one message in flight on each
// connection, and every byte of every answer compared with the one that was
// sent. It is written to cost less than any server it can be pointed at, and
// reports what it cost, so that a reader can see that the server was the limit.
package load
