// Package interop lets strand's WebSockets talk to other implementations, as
// server and as client, with and without compression: coder/websocket,
// gorilla/websocket and gws in this process, and ws on Node.js, which needs
// node and npm. Browsers are in e2e.
package interop
