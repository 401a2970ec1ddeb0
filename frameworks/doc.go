// Package frameworks holds tests only: applications of the usual frameworks, a reverse proxy
// and other people's WebSocket servers, on http1.Server.
package frameworks
