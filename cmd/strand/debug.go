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
	ID      uint64
	Remote  string
	Handler string        // the type of its handler: what it speaks
	State   string        // what it does
	Running time.Duration // how long its callback has been running, 0 if none is
	Age     time.Duration
	In, Out uint64 // bytes
	Queued  int    // bytes that wait for the peer
}

//go:embed web/debug.html
var debugFile embed.FS

var debugPage = template.Must(template.New("debug.html").Funcs(template.FuncMap{
	"span":    span,
	"size":    size[uint64],
	"sizeInt": size[int],
}).ParseFS(debugFile, "web/debug.html"))

// debug shows the live connections, the slowest first: as a page to a browser, as plain text to everyone else.
func (s *site) debug(w http.ResponseWriter, r *http.Request) {
	rows := s.connRows()
	total := len(rows)
	slices.SortFunc(rows, func(a, b connRow) int {
		return cmp.Or(cmp.Compare(b.Running, a.Running), cmp.Compare(b.Queued, a.Queued), cmp.Compare(b.Age, a.Age), cmp.Compare(a.ID, b.ID))
	})
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
	fmt.Fprintln(tab, "id\tremote\tspeaks\tstate\trunning\tage\tin\tout\tqueued")
	for _, c := range rows {
		fmt.Fprintf(tab, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.ID, c.Remote, c.Handler, c.State,
			span(c.Running), span(c.Age), size(c.In), size(c.Out), size(uint64(c.Queued)))
	}
	tab.Flush()
}

// span writes a time with as many digits as a person reads.
func span(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d < time.Second:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Minute:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// size writes a number of bytes, any integer type, in decimal units.
func size[T int | uint64](n T) string {
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
