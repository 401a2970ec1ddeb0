package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"time"
)

//go:embed web
var web embed.FS

// pageSecurity lets the page load its own files and talk to its own server, nothing else.
const pageSecurity = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// addPage serves the embedded page and the three files it names.
func addPage(mux *http.ServeMux) {
	mux.Handle("GET /{$}", embedded("index.html"))
	for _, name := range []string{"page.css", "page.js", "strand.svg"} {
		mux.Handle("GET /"+name, embedded(name))
	}
	mux.Handle("GET /favicon.ico", http.RedirectHandler("/strand.svg", http.StatusMovedPermanently))
}

// embedded serves one file of web/ with a tag of its content, so that a browser asks each time
// and is sent it again only when the program has changed.
func embedded(name string) http.Handler {
	content, err := web.ReadFile("web/" + name)
	if err != nil {
		panic("strand: the page was built without " + name)
	}
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("ETag", tag)
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Security-Policy", pageSecurity)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	})
}
