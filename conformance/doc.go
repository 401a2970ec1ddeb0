// Package conformance asks a WebSocket server or client the questions of RFC 6455 and
// RFC 7692, as a stranger would: over TCP or TLS, with bytes it writes itself.
//
// The suite uses no WebSocket library. It plays a raw client against an echo server
// ([RunServer]) or a raw server against an echo client ([RunClient]). An echo peer sends
// every message back with the same type and the same bytes, and otherwise leaves the
// protocol to the library under test. Each [Case] has an id that begins with the section
// it asks about ("5.2-rsv-3"; RFC 7692 sections carry the RFC's number, "7692-7.2.1-…"),
// one sentence, and what is expected. Nothing is expected that a section does not say;
// where the text says SHOULD, or names no code, the case says so in its grade.
package conformance
