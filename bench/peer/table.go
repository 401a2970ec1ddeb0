package peer

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
		Name:   "nbio-blocking",
		Server: "nbio",
		Module: nbio,
		Note:   "a goroutine a connection (IOModBlocking)",
		Kinds:  []Kind{HTTP, HTTPS, WS, WSDeflate, WSBroadcast},
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
