package buf

// Send queues b on a connection, a *strand.Conn, whose it is from then on if the
// error is nil, and stays the caller's otherwise. It is package strand's, which sets
// it once, when the program begins: the way by which the protocols of this module
// reach what users must not.
var Send func(conn any, b *Block) error

// Certain reports whether a read from a connection that finds nothing shows that nothing is
// there. It is package strand's, like Send.
var Certain func(conn any) bool
