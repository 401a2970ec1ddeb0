package main

import (
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// maxRows bounds the table of /debug/strand: what is slow stands at its top.
const maxRows = 500

// connRow is one live connection in the table of /debug/strand.
type connRow struct {
	ID     uint64
	Remote string
	Speaks string        // the package of its handler: the protocol
	State  string        // what it does
	Age    time.Duration // since it was opened
	Idle   time.Duration // since a byte last moved
	In     uint64        // bytes the socket has read
	Out    uint64        // bytes the socket has written
	Queued int           // bytes that wait for the peer
}

// connRows asks the engine for its connections and puts the slowest first: those that are busy before
// those that rest, then by what waits for the peer and for how long nothing has moved.
func (s *site) connRows() []connRow {
	all := s.engine.Conns()
	rows := make([]connRow, 0, len(all))
	for _, c := range all {
		rows = append(rows, connRow{
			ID: c.ID, Remote: c.Remote, Speaks: speaks(c.Handler), State: c.State, Age: c.Age, Idle: c.Idle,
			In: c.BytesIn, Out: c.BytesOut, Queued: c.Buffered,
		})
	}
	slices.SortFunc(rows, func(a, b connRow) int {
		return cmp.Or(cmp.Compare(rank(a.State), rank(b.State)), cmp.Compare(b.Queued, a.Queued),
			cmp.Compare(b.Idle, a.Idle), cmp.Compare(a.ID, b.ID))
	})
	return rows
}

func rank(state string) int {
	switch state {
	case "running", "waiting", "closing":
		return 0
	}
	return 1
}

// speaks is the package in the name of a type: http1 of *http1.conn.
func speaks(handler string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(handler, "*"), ".")
	return name
}

//go:embed web/debug.html
var debugFile embed.FS

var debugPage = template.Must(template.New("debug.html").Funcs(template.FuncMap{
	"span":  span,
	"size":  size,
	"queue": func(n int) string { return size(uint64(n)) },
}).ParseFS(debugFile, "web/debug.html"))

// debug shows the live connections, the slowest first: as a page to a browser, as plain text to everyone else.
func (s *site) debug(w http.ResponseWriter, r *http.Request) {
	rows := s.connRows()
	total := len(rows)
	rows = rows[:min(len(rows), maxRows)]
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept")
	h.Set("X-Content-Type-Options", "nosniff")
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		debugText(w, rows, total)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pageSecurity)
	// An error here is a client that went away while it was being told.
	_ = debugPage.Execute(w, struct {
		Total int
		Rows  []connRow
	}{total, rows})
}

func debugText(w io.Writer, rows []connRow, total int) {
	fmt.Fprintf(w, "%s, the slowest first; %d shown\n\n", plural(total, "connection"), len(rows))
	tab := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tab, "id\tremote\tspeaks\tstate\tage\tidle\tin\tout\tqueued")
	for _, c := range rows {
		fmt.Fprintf(tab, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.ID, c.Remote, c.Speaks, c.State, span(c.Age), span(c.Idle),
			size(c.In), size(c.Out), size(uint64(c.Queued)))
	}
	tab.Flush()
}

// span writes a time as a person reads it; the engine's clock for it is coarse.
func span(d time.Duration) string {
	if d < 100*time.Millisecond {
		return "-"
	}
	if d < time.Minute {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// size writes a number of bytes in decimal units.
func size(n uint64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f := float64(n)
	for _, unit := range []string{"kB", "MB", "GB"} {
		f /= 1000
		if f < 999.95 {
			return fmt.Sprintf("%.1f %s", f, unit)
		}
	}
	return fmt.Sprintf("%.1f TB", f/1000)
}
