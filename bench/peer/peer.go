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

const nbio = "github.com/lesismal/nbio"

// all is in the order of reports.
var all = []*Peer{
	{
		Name:        "strand",
		Server:      "strand",
		Module:      "github.com/d74363f0/strand",
		Note:        "net/http Handlers on ServeMux; a strand.Handler for TCP; handlers may block",
		Kinds:       []Kind{TCP, HTTP, HTTPS, WS, WSDeflate, WSBroadcast, WSSlow},
		CountsDrops: true,
	},
	{
		Name:   "strand-fresh",
		Server: "strand",
		Module: "github.com/d74363f0/strand",
		Note: "as strand, with a plain websocket.Handler, whose messages are garbage of their own; " +
			"the one of strand brings memory and uses it again, as that of gws does",
		Kinds: []Kind{WS},
	},
	{Name: "net/http", Server: "std", Kinds: []Kind{HTTP, HTTPS}},
	{
		Name:   "fasthttp",
		Server: "fasthttp",
		Module: "github.com/valyala/fasthttp",
		Note:   "its own RequestHandler; paths by a switch, JSON without chi",
		Kinds:  []Kind{HTTP, HTTPS},
	},
	{
		Name:   "nbio",
		Server: "nbio",
		Module: nbio,
		Note:   "handlers in its goroutine pool",
		Kinds:  []Kind{TCP, HTTP, HTTPS, WS, WSDeflate, WSBroadcast},
	},
	{
		Name:        "nbio-inline",
		Server:      "nbio",
		Module:      nbio,
		Note:        "handlers on its loops",
		MayNotBlock: true,
		MayNotClose: true,
		Kinds:       []Kind{HTTP, HTTPS, WS, WSDeflate, WSBroadcast},
	},
	{
		Name:   "gws",
		Server: "gws",
		Module: "github.com/lxzan/gws",
		Note:   "its own server",
		Kinds:  []Kind{WS, WSDeflate, WSBroadcast, WSSlow},
	},
	{
		Name:   "gorilla",
		Server: "gorilla",
		Module: "github.com/gorilla/websocket",
		Note:   "over net/http",
		Kinds:  []Kind{WS, WSDeflate, WSBroadcast},
	},
	{
		Name:   "coder",
		Server: "coder",
		Module: "github.com/coder/websocket",
		Note:   "over net/http",
		Kinds:  []Kind{WS, WSDeflate, WSBroadcast},
	},
	{
		Name:   "gobwas",
		Server: "gobwas",
		Module: "github.com/gobwas/ws",
		Note:   "zero-copy upgrade; a goroutine and a 4 KiB reader a connection",
		Kinds:  []Kind{WS, WSDeflate, WSBroadcast},
	},
	{Name: "gnet", Server: "gnet", Module: "github.com/panjf2000/gnet/v2", MayNotBlock: true, Kinds: []Kind{TCP}},
	{Name: "netpoll", Server: "netpoll", Module: "github.com/cloudwego/netpoll", Kinds: []Kind{TCP}},
	{Name: "net", Server: "std", Note: "a goroutine and a 4 KiB buffer a connection", Kinds: []Kind{TCP}},
	{
		Name:        "c-epoll",
		Server:      "c",
		Note:        "the limit: read and write in C, no library at all",
		MayNotBlock: true,
		Kinds:       []Kind{TCP},
	},
}

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
