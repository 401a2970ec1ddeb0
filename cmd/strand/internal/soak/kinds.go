package soak

import (
	"fmt"
	"sort"
	"strings"
)

const maxWorkers = 4096

// A kind is one way to use a server. Its number is part of every byte it sends, so numbers are given by position in
// the table and the table only grows at its end.
type kind struct {
	name    string
	about   string
	hostile string // path below /hostile/, for kinds that need our own server
	ws      bool
	inner   bool // never chosen by a user: marks for bytes that handlers write
	session func(*worker)
}

const (
	kindNone uint8 = iota
	kindPost
	kindChunked
	kindPipeline
	kindChurn
	kindAbort
	kindHalfClose
	kindWS
	kindWSDeflate
	kindWSChurn
	kindWSAbort
	kindDoubleClose
	kindLateClose
	kindLateRead
	kindLateWrite
	kindKeptRequest
	kindKeptHeader
	kindPanic
	kindHijack
	kindTimeout
	kindWrappedBody
	kindUnread
	kindWSKept
	kindStain // written by a handler after it returned: seen anywhere, it is foreign
	kindReply // a reply whose body is not the request's
	kindPad   // header padding
	kindPing  // payload of a WebSocket ping
	kindCount
)

var kinds [kindCount]kind

// The table is filled here because sessions name kinds, and an initializer would be a cycle.
func init() {
	kinds = [kindCount]kind{
		kindNone:      {name: "none", inner: true},
		kindPost:      {name: "post", about: "POST echo with Content-Length on kept-alive connections", session: sessionKeepAlive},
		kindChunked:   {name: "chunked", about: "POST echo in chunks cut at random", session: sessionKeepAlive},
		kindPipeline:  {name: "pipeline", about: "2 to 16 requests sent before the first reply is read", session: sessionKeepAlive},
		kindChurn:     {name: "churn", about: "connect, one request, close", session: sessionChurn},
		kindAbort:     {name: "abort", about: "reset (SO_LINGER 0) at a random offset of the request or of the reply", session: sessionAbort},
		kindHalfClose: {name: "halfclose", about: "FIN right after the request; the reply must still come", session: sessionHalfClose},
		kindWS:        {name: "ws", about: "WebSocket echo: fragments, pings between them, 0 to 1 MiB", ws: true, session: sessionWS},
		kindWSDeflate: {name: "wsdeflate", about: "the same with permessage-deflate where the server agrees", ws: true, session: sessionWS},
		kindWSChurn:   {name: "wschurn", about: "WebSocket connections of one or two messages", ws: true, session: sessionWS},
		kindWSAbort:   {name: "wsabort", about: "WebSocket connections reset within a message", ws: true, session: sessionWS},

		kindDoubleClose: hostileKind("double-close", "the body is closed ten times from two goroutines"),
		kindLateClose:   hostileKind("late-close", "the body is closed by a goroutine after the handler returned"),
		kindLateRead:    hostileKind("late-read", "a goroutine reads the body after the handler returned"),
		kindLateWrite:   hostileKind("late-write", "a goroutine writes to the ResponseWriter after the handler returned"),
		kindKeptRequest: hostileKind("kept-request", "the *http.Request and all its strings are kept and compared later"),
		kindKeptHeader:  hostileKind("kept-header", "both header maps are kept and written to after the reply"),
		kindPanic:       hostileKind("panic", "the handler panics somewhere in its reply"),
		kindHijack:      hostileKind("hijack", "the connection is hijacked, closed, and written to after that"),
		kindTimeout:     hostileKind("timeout", "http.TimeoutHandler answers while the handler goes on writing"),
		kindWrappedBody: hostileKind("wrapped-body", "the body is replaced by wrappers, by nil and by http.NoBody"),
		kindUnread:      hostileKind("unread", "the handler answers without reading the body"),
		kindWSKept:      {name: "ws-kept", about: "the server keeps every message and compares it later", hostile: "ws-kept", ws: true, session: sessionWS},

		kindStain: {name: "stain", about: "bytes written by a handler after it returned", inner: true},
		kindReply: {name: "reply", inner: true},
		kindPad:   {name: "pad", inner: true},
		kindPing:  {name: "ping", inner: true},
	}
}

func hostileKind(path, about string) kind {
	return kind{name: path, about: about, hostile: path, session: sessionHostile}
}

func kindName(k uint8) string {
	if !kindKnown(k) {
		return fmt.Sprintf("kind%d", k)
	}
	return kinds[k].name
}

func kindKnown(k uint8) bool { return k > kindNone && k < kindCount }

func kindByName(s string) (uint8, bool) {
	for i := range kinds {
		if kinds[i].name == s && i != int(kindNone) {
			return uint8(i), true
		}
	}
	return 0, false
}

// chooseKinds reads the -kinds flag: names, and the groups all, http, ws and hostile, with commas between; a leading
// minus takes away. Kinds that need our own server are left out of groups when there is a URL and refused by name.
func chooseKinds(list string, own bool) ([]uint8, error) {
	if list == "" {
		list = "all"
	}
	chosen := map[uint8]bool{}
	for i, f := range strings.Split(list, ",") {
		f = strings.TrimSpace(f)
		name, less := strings.CutPrefix(f, "-")
		if less && i == 0 {
			addGroup(chosen, "all", own, true)
		}
		if addGroup(chosen, name, own, !less) {
			continue
		}
		k, ok := kindByName(name)
		if !ok || kinds[k].inner {
			return nil, fmt.Errorf("unknown kind %q; there are %s", f, strings.Join(kindNames(), ", "))
		}
		if !less && kinds[k].hostile != "" && !own {
			return nil, fmt.Errorf("kind %q needs the handlers of soak's own server: leave the URL out", f)
		}
		chosen[k] = !less
	}
	var out []uint8
	for k, yes := range chosen {
		if yes {
			out = append(out, k)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i] < out[j] })
	if len(out) == 0 {
		return nil, fmt.Errorf("-kinds %q leaves nothing to do", list)
	}
	return out, nil
}

func addGroup(chosen map[uint8]bool, name string, own, want bool) bool {
	switch name {
	case "all", "http", "ws-all", "hostile":
	default:
		return false
	}
	for i := range kinds {
		k := &kinds[i]
		if k.inner || k.session == nil || k.hostile != "" && !own {
			continue
		}
		in := name == "all" ||
			name == "http" && !k.ws && k.hostile == "" ||
			name == "ws-all" && k.ws ||
			name == "hostile" && k.hostile != ""
		if in {
			chosen[uint8(i)] = want
		}
	}
	return true
}

func kindNames() []string {
	var s []string
	for i := range kinds {
		if !kinds[i].inner {
			s = append(s, kinds[i].name)
		}
	}
	return append(s, "and the groups all, http, ws-all, hostile")
}
