package http1

import "errors"

// ErrResponseDone is returned when a response is written after its handler returned. The
// bytes go nowhere.
var ErrResponseDone = errors.New("http1: response used after its handler returned")

// errEnded stops the reads and writes that still wait when an exchange ends.
var errEnded = errors.New("http1: exchange ended")
