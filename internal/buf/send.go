package buf

// Send queues b on a connection, a *strand.Conn, whose it is from then on if the
// error is nil, and stays the caller's otherwise. It is package strand's, which sets
// it once, when the program begins: the way by which the protocols of this module
// reach what users must not.
var Send func(conn any, b *Block) error

// Certain reports whether a connection may be closed when a read has found nothing: then nothing is
// there, or there is no way to have it come first. It is package strand's, like Send.
var Certain func(conn any) bool
