package strand

// DropReason is why a protocol did not send a message that it was given. The
// zero DropReason is DropRefused.
type DropReason uint8

// The reasons, and in quotes their keys in Stats.Drops.
const (
	DropRefused    DropReason = iota // "refused": the queue was full, and the writer was told by an error
	DropNewest                       // "newest": the queue was full, and the message was thrown away as it was written
	DropOldest                       // "oldest": it had waited longest when the queue was full
	DropSuperseded                   // "superseded": a later message took its place
	DropSlow                         // "slow reader": the queue was full, and the connection was closed for it
	DropUnsent                       // "unsent": it still waited in the protocol's own queue when the connection ended
	dropReasons    = iota
)

// String returns the key in Stats.Drops.
func (d DropReason) String() string {
	return [dropReasons]string{"refused", "newest", "oldest", "superseded", "slow reader", "unsent"}[d]
}

// CountDrops adds n messages to the engine's Stats.Drops and does nothing else.
// It is for protocols, which alone know what a message is; package websocket
// calls it. Any goroutine may, also after the end of the connection. A why that
// is none of the reasons panics; n of 0 or less counts nothing.
func (c *Conn) CountDrops(why DropReason, n int) {
	if n > 0 {
		c.lp.drops[why].Add(uint64(n))
	}
}
