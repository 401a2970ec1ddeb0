// Package peer lists the servers that are measured: each library's program is in
// a directory of ../servers, written the way its own documentation would have it,
// and all do the same things.
package peer

import "slices"

// Kind is a service that a peer can run.
type Kind string

// The services. HTTP and HTTPS answer the paths of package app; WS and its variants
// answer at /ws.
const (
	TCP         Kind = "tcp"
	HTTP        Kind = "http"
	HTTPS       Kind = "https"
	WS          Kind = "ws"
	WSDeflate   Kind = "ws-deflate"
	WSBroadcast Kind = "ws-broadcast"
	// WSSlow is WSBroadcast with small buffers, in the kernel and above it, and a
	// policy of dropping where the peer has one.
	WSSlow Kind = "ws-slow"
)

// What WSSlow is served with: the send buffer of a connection, and what may wait
// for it beyond that, in bytes.
const (
	SlowSendBuffer = 4608
	SlowQueue      = 8 << 10
)

// DropsPath is where a peer that CountsDrops answers a GET, at WSSlow, with how
// many messages it dropped: a JSON object of counts by the client's port.
const DropsPath = "/drops"

// CServerEnv names the environment variable with the path of the server in C.
const CServerEnv = "BENCH_C_SERVER"

// Peer is one library in one mode.
type Peer struct {
	// Name is stable: flags and reports use it.
	Name string
	// Module is the module path whose version is reported, empty for the standard
	// library and for C.
	Module string
	// Note is one sentence on how it is run, empty if there is nothing to say.
	Note string
	// MayNotBlock says that a blocking handler stops the whole server, by design.
	MayNotBlock bool
	// MayNotClose says that the server stands still when it is asked for
	// Connection: close, a fault of its own that would only time out here.
	MayNotClose bool
	// CountsDrops says that it answers at DropsPath.
	CountsDrops bool

	// Server is the directory in ../servers of the program that runs it.
	Server string
	// Kinds are its services.
	Kinds []Kind
}

// Serves says whether p has the service k.
func (p *Peer) Serves(k Kind) bool { return slices.Contains(p.Kinds, k) }

// All lists the peers in the order of reports.
func All() []*Peer { return slices.Clone(all) }

// Find is the peer with that name, or nil.
func Find(name string) *Peer {
	i := slices.IndexFunc(all, func(p *Peer) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return all[i]
}
