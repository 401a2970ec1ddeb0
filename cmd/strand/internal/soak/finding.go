package soak

import (
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"
)

// A Finding is one message that was not as it should have been, with all that is needed to argue about it.
type Finding struct {
	Class    Class    `json:"class"`
	Side     string   `json:"side"` // "client" or "handler": where it was seen
	Kind     string   `json:"kind"`
	At       float64  `json:"at_seconds"`
	Victim   string   `json:"victim"`             // the message or connection that received the bytes
	Local    string   `json:"local,omitempty"`    // the victim's client address
	Culprits []string `json:"culprits,omitempty"` // whose bytes they are
	Notes    []string `json:"notes"`
	What     string   `json:"what,omitempty"`
	Offset   int      `json:"offset"` // of the first wrong byte
	Want     string   `json:"want_hex"`
	Got      string   `json:"got_hex"`
	Length   [2]int   `json:"length_want_got"`
	Repeat   string   `json:"repeat"` // the command that sends the same bytes again
}

// maxFindings are kept in full; further ones are counted.
const maxFindings = 200

// A book keeps the findings. It is safe for concurrent use.
type book struct {
	mu       sync.Mutex
	found    []*Finding     // guarded by mu
	per      [classes]int   // guarded by mu; how many of each class are kept, so that a frequent one leaves room
	refusals map[string]int // guarded by mu; errors of dial, how often
}

func (b *book) add(f *Finding) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.found) >= maxFindings || b.per[f.Class] >= maxFindings/3 {
		return
	}
	b.per[f.Class]++
	b.found = append(b.found, f)
}

func (b *book) list() []*Finding {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*Finding(nil), b.found...)
}

func (b *book) refusal(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refusals == nil {
		b.refusals = map[string]int{}
	}
	s := err.Error()
	if i := strings.LastIndex(s, ": "); i >= 0 {
		s = s[i+2:]
	}
	if len(b.refusals) < 20 || b.refusals[s] > 0 {
		b.refusals[s]++
	}
}

// window is how many bytes a finding shows from just before the first wrong one.
const window = 96

// file writes an outcome seen by a client into the book.
func (r *run) file(l *lane, o *outcome) {
	f := r.finding(o, "client", l.mark.Kind)
	f.Local = l.x.nc.LocalAddr().String()
	r.book.add(f)
}

func (r *run) finding(o *outcome, side string, kind uint8) *Finding {
	f := &Finding{
		Class: o.class, Side: side, Kind: kindName(kind), At: time.Since(r.began).Seconds(),
		Notes: o.notes, What: printable(o.what, 200), Offset: o.at, Repeat: r.repeat(),
	}
	f.Victim = o.mark.String()
	if o.mark.Kind == kindNone {
		f.Victim = fmt.Sprintf("worker %d, connection %d, outside any message", o.mark.Worker, o.mark.Conn)
	}
	seen := map[string]bool{}
	for _, s := range o.spans {
		if c := s.from.mark.String(); s.what == otherSpan && !seen[c] {
			seen[c] = true
			f.Culprits = append(f.Culprits, c)
		}
	}
	var want []byte
	if o.expected != nil {
		want = o.expected.want
	}
	from := max(0, o.at-16)
	f.Want, f.Got = excerpt(want, from), excerpt(o.body, from)
	f.Length = [2]int{len(want), len(o.body)}
	return f
}

func excerpt(p []byte, from int) string {
	if from >= len(p) {
		return ""
	}
	return hex.EncodeToString(p[from:min(len(p), from+window)])
}

// printable makes peer bytes harmless for a terminal and a page.
func printable(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '·'
		}
		return r
	}, s)
}

// repeat is the command line that sends the same bytes again.
func (r *run) repeat() string {
	s := fmt.Sprintf("strand soak -seed %d -conns %d -time %s", r.cfg.Seed, r.cfg.Conns, r.cfg.Time)
	if r.cfg.Kinds != "" && r.cfg.Kinds != "all" {
		s += " -kinds " + r.cfg.Kinds
	}
	if r.cfg.MinSize != 0 || r.cfg.MaxSize != 1<<20 {
		s += fmt.Sprintf(" -min %d -max %d", r.cfg.MinSize, r.cfg.MaxSize)
	}
	if r.cfg.Timeout != 30*time.Second {
		s += fmt.Sprintf(" -timeout %s", r.cfg.Timeout)
	}
	if r.cfg.Insecure {
		s += " -insecure"
	}
	if r.cfg.TLS {
		s += " -tls"
	}
	if r.cfg.URL != "" {
		return s + " " + r.cfg.URL
	}
	if t, ok := r.cfg.Target.(fmt.Stringer); ok {
		s += " -target " + t.String()
	}
	return s
}

// Text is the finding for a terminal.
func (f *Finding) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (seen by the %s, kind %s, after %.2f s)\n", strings.ToUpper(f.Class.String()), f.Side, f.Kind, f.At)
	fmt.Fprintf(&b, "  victim   %s", f.Victim)
	if f.Local != "" {
		fmt.Fprintf(&b, "  from %s", f.Local)
	}
	b.WriteByte('\n')
	for _, c := range f.Culprits {
		fmt.Fprintf(&b, "  bytes of %s\n", c)
	}
	for _, n := range f.Notes {
		fmt.Fprintf(&b, "  - %s\n", n)
	}
	if f.What != "" {
		fmt.Fprintf(&b, "  in       %s\n", f.What)
	}
	from := max(0, f.Offset-16)
	fmt.Fprintf(&b, "  lengths  want %d, got %d; first wrong byte at %d; shown from %d\n", f.Length[0], f.Length[1], f.Offset, from)
	fmt.Fprintf(&b, "  want     %s\n  got      %s\n", clip(f.Want, 128), clip(f.Got, 128))
	fmt.Fprintf(&b, "  repeat   %s\n", f.Repeat)
	return b.String()
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}
