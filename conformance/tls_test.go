package conformance

import (
	"crypto/tls"
	"io"
	"log"
)

// quiet swallows net/http's complaints about what the cases send.
var quiet = log.New(io.Discard, "", 0)

func testTLS() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }
