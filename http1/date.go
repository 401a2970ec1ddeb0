package http1

import (
	"net/http"
	"sync/atomic"
	"time"
)

// dateLine is a Date header line and the second it is for.
type dateLine struct {
	second int64
	line   string
}

// lastDate is the line of the latest second somebody asked for. A line is never changed,
// so that whoever holds an old one may go on using it.
var lastDate atomic.Pointer[dateLine]

// appendDate appends the Date header line for now.
func appendDate(dst []byte, now time.Time) []byte {
	second := now.Unix()
	d := lastDate.Load()
	if d == nil || d.second != second {
		d = &dateLine{second, "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
		lastDate.Store(d)
	}
	return append(dst, d.line...)
}
