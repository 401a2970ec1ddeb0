package http1

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/d74363f0/strand"
)

// dateCache keeps the Date header line for as long as it is true, by the coarse clock of the
// connections' engine: to ask the clock of the wall for each response costs more than the rest
// of its head. A line is never changed, so that whoever holds an old one may go on using it.
type dateCache struct{ last atomic.Pointer[dateLine] }

// dateLine is a Date header line and the times of the engine between which it is true.
type dateLine struct {
	from, until time.Duration
	line        string
}

// append appends the Date header line.
func (d *dateCache) append(dst []byte, c *strand.Conn) []byte {
	at := c.Uptime()
	l := d.last.Load()
	if l == nil || at < l.from || at >= l.until {
		now := time.Now()
		l = &dateLine{
			from:  at,
			until: at + time.Second - time.Duration(now.Nanosecond()),
			line:  "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n",
		}
		d.last.Store(l)
	}
	return append(dst, l.line...)
}
