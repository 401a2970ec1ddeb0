package http1_test

import (
	"context"
	"flag"
	"net"
	"net/http"
	"reflect"
	"testing"

	"github.com/d74363f0/strand/http1"
)

// stdPeerFlag chooses what the TestStd tests test. Against net/http they test themselves:
//
//	go test ./http1 -run TestStd -args -peer=nethttp
var stdPeerFlag = flag.String("peer", "strand", "the server under the TestStd tests: strand or nethttp")

// stdServer is the server type under test. The tests fill its fields exactly as
// a user of net/http would: the port is this change of import.
type stdServer = http1.Server

// stdPeer is the part of the server that the tests call. Both net/http.Server
// and the server under test have these methods.
type stdPeer interface {
	Serve(net.Listener) error
	ServeTLS(l net.Listener, certFile, keyFile string) error
	ListenAndServe() error
	ListenAndServeTLS(certFile, keyFile string) error
	Shutdown(context.Context) error
	Close() error
	RegisterOnShutdown(func())
	SetKeepAlivesEnabled(bool)
}

// stdPeerOf returns the server that shall serve with the fields of cfg.
func stdPeerOf(cfg *stdServer) stdPeer {
	if stdStrict() {
		return cfg
	}
	return &http.Server{
		Addr: cfg.Addr, Handler: cfg.Handler, TLSConfig: cfg.TLSConfig, MaxHeaderBytes: cfg.MaxHeaderBytes,
		DisableGeneralOptionsHandler: cfg.DisableGeneralOptionsHandler,
		ReadTimeout:                  cfg.ReadTimeout,
		ReadHeaderTimeout:            cfg.ReadHeaderTimeout,
		WriteTimeout:                 cfg.WriteTimeout,
		IdleTimeout:                  cfg.IdleTimeout,
		ConnState:                    cfg.ConnState,
		ErrorLog:                     cfg.ErrorLog,
		BaseContext:                  cfg.BaseContext,
		ConnContext:                  cfg.ConnContext,
	}
}

// stdStrict reports whether the server under test follows the strict wire
// policy. Where that policy refuses what net/http accepts, a test states both
// expectations and asks here which one holds.
func stdStrict() bool { return *stdPeerFlag != "nethttp" }

// TestStdFields compares the exported fields and methods with net/http's by name and type, but for those that are absent.
func TestStdFields(t *testing.T) {
	t.Parallel()
	absent := map[string]string{
		"HTTP2":        "HTTP/1 only",
		"Protocols":    "HTTP/1 only",
		"TLSNextProto": "its functions take the server, whose type differs",
	}
	std, own := reflect.TypeFor[http.Server](), reflect.TypeFor[stdServer]()
	for _, f := range reflect.VisibleFields(std) {
		if g, ok := own.FieldByName(f.Name); f.IsExported() && absent[f.Name] == "" && (!ok || g.Type != f.Type) {
			t.Errorf("field %s %s: there %v, of type %v", f.Name, f.Type, ok, g.Type)
		}
	}
	signature := func(m reflect.Method) string { // without the receiver
		s := m.Name
		for i := 1; i < m.Type.NumIn(); i++ {
			s += " " + m.Type.In(i).String()
		}
		for i := range m.Type.NumOut() {
			s += " -> " + m.Type.Out(i).String()
		}
		return s
	}
	for i := range reflect.TypeFor[*http.Server]().NumMethod() {
		m := reflect.TypeFor[*http.Server]().Method(i)
		if n, ok := reflect.TypeFor[*stdServer]().MethodByName(m.Name); !ok || signature(n) != signature(m) {
			t.Errorf("method %s: there %v", signature(m), ok)
		}
	}
}
