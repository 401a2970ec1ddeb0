// Package peer holds the servers that are measured, each written the way its
// library's own documentation would have it, and all doing the same things.
package peer

import (
	"fmt"
	"slices"
	"time"
)

// Kind is a service that a peer can run.
type Kind string

// The services. HTTP and HTTPS answer the paths of the standard mux in this
// package; WS and its variants answer at /ws.
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

// SleepTime is how long the handler of /sleep blocks.
const SleepTime = 50 * time.Millisecond

// DownloadSize is the length in bytes of what /download answers.
const DownloadSize = 1 << 20

// PlainText is what /plaintext answers.
const PlainText = "Hello, World!"

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

	serve map[Kind]func(addr string) error
}

// Serves says whether p has the service k.
func (p *Peer) Serves(k Kind) bool { return p.serve[k] != nil }

// Serve runs the service k on addr, a host and port, until the process ends. It
// returns only with an error.
func (p *Peer) Serve(k Kind, addr string) error {
	f := p.serve[k]
	if f == nil {
		return fmt.Errorf("%s does not serve %s", p.Name, k)
	}
	return f(addr)
}

// All lists the peers in the order of reports.
func All() []*Peer {
	return []*Peer{
		strandPeer, strandFresh, netHTTP, fastHTTP, nbioDefault, nbioInline,
		gwsPeer, gorillaPeer, coderPeer, gobwasPeer,
		gnetPeer, netpollPeer, netPeer, cPeer,
	}
}

// Find is the peer with that name, or nil.
func Find(name string) *Peer {
	all := All()
	i := slices.IndexFunc(all, func(p *Peer) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return all[i]
}
