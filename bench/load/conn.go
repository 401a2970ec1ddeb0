package load

import "fmt"

// conn is one connection of the load. Only the one thread of the load touches it.
type conn struct {
	fd    int32
	index uint32
	seq   uint32 // number of the message in flight
	off   int    // where it begins in the table
	got   int    // bytes of its answer that arrived and were right
	sent  int    // bytes of it that the kernel took
	want  bool   // waits for EPOLLOUT
	begun int64  // when it was sent, nanoseconds

	frame   frame  // framed protocols: where in an answer we are
	held    []byte // what must be whole to be understood, and arrives in pieces
	answers int    // pipelined only: how many have come
}

// codec is how messages look on the wire. Its methods run on the load's thread.
type codec interface {
	// open performs what must come before the first message, blocking.
	open(fd int32, index uint32) error
	// message gives the bytes of the message in flight, in two parts.
	message(c *conn) (head, body []byte)
	// feed checks received bytes and says how many answers are now complete.
	feed(c *conn, p []byte) (whole int, err error)
}

// wrongByte is the error that voids a row.
type wrongByte struct {
	index, seq uint32
	at         int
	what       string
}

func (e *wrongByte) Error() string {
	return fmt.Sprintf("wrong byte: connection %d message %d near byte %d: %s", e.index, e.seq, e.at, e.what)
}
