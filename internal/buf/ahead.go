package buf

// AheadReader is a handler of package strand that may be asked to read before its
// turn, when its connection and many others have input: the reads then follow each other, which
// is cheaper for all of them. Its connection's strand is held, and nothing but Read and TryTake may be
// called; what was read stays with the handler until its OnReadable, which
// follows soon and is not told of that input again.
type AheadReader interface{ ReadAhead(Ours) }

// Ours is what only this module can name, so that no method of a user's is an
// AheadReader by accident.
type Ours struct{}
