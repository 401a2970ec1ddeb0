package e2e

import "testing"

// The page over https and HTTP/2, its WebSockets over wss.
func TestPageInChromiumOverTLS(t *testing.T) {
	url := startServing(t, 2, "-tls-addr", "127.0.0.1:0")[1]
	b := startBrowser(t, "--ignore-certificate-errors") // it was made at start
	p := b.open(url, 1280, 900, "light")
	p.until("HTTP/2 to be spoken", `performance.getEntriesByType("navigation")[0].nextHopProtocol === "h2"`)
	liveFigures(t, p)
	echo(t, p)
	socket(t, p)
	compressed(t, p)
	p.clean()
}
