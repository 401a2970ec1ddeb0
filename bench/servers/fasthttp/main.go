// Command fasthttp serves fasthttp for the measurements.
package main

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/d74363f0/strand/bench/app"
	"github.com/d74363f0/strand/bench/peer"
	"github.com/d74363f0/strand/bench/serve"
)

func main() {
	serve.Main(map[string]serve.Services{
		"fasthttp": {
			peer.HTTP:  func(addr string) error { return fasthttp.ListenAndServe(addr, fastHandler) },
			peer.HTTPS: serveFastHTTPS,
		},
	})
}

func serveFastHTTPS(addr string) error {
	cfg, err := serve.TLSConfig()
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
		ctx.WriteString(app.PlainText)
	case "/echo":
		ctx.SetContentType("application/octet-stream")
		ctx.Write(ctx.PostBody())
	case "/download":
		ctx.SetContentType("application/octet-stream")
		ctx.Response.SetBodyRaw(app.Download)
	case "/sleep":
		time.Sleep(app.SleepTime)
		ctx.SetContentType("text/plain")
		ctx.WriteString(app.PlainText)
	default:
		id, ok := strings.CutPrefix(path, "/json/")
		if !ok {
			ctx.NotFound()
			return
		}
		ctx.SetContentType("application/json")
		json.NewEncoder(ctx).Encode(app.UserFor(id))
	}
}
