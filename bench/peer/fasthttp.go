package peer

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

var fastHTTP = &Peer{
	Name:   "fasthttp",
	Module: "github.com/valyala/fasthttp",
	Note:   "its own RequestHandler; paths by a switch, JSON without chi",
	serve: map[Kind]func(string) error{
		HTTP:  func(addr string) error { return fasthttp.ListenAndServe(addr, fastHandler) },
		HTTPS: serveFastHTTPS,
	},
}

func serveFastHTTPS(addr string) error {
	cfg, err := serverTLS()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return fasthttp.Serve(tls.NewListener(ln, cfg), fastHandler)
}

func fastHandler(ctx *fasthttp.RequestCtx) {
	switch path := string(ctx.Path()); path {
	case "/plaintext":
		ctx.SetContentType("text/plain")
		ctx.WriteString(PlainText)
	case "/echo":
		ctx.SetContentType("application/octet-stream")
		ctx.Write(ctx.PostBody())
	case "/download":
		ctx.SetContentType("application/octet-stream")
		ctx.Response.SetBodyRaw(download)
	case "/sleep":
		time.Sleep(SleepTime)
		ctx.SetContentType("text/plain")
		ctx.WriteString(PlainText)
	default:
		id, ok := strings.CutPrefix(path, "/json/")
		if !ok {
			ctx.NotFound()
			return
		}
		ctx.SetContentType("application/json")
		json.NewEncoder(ctx).Encode(UserFor(id))
	}
}
