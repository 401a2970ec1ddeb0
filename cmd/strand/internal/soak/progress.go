package soak

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// A statusLine rewrites one line of a terminal. Where there is no terminal it writes nothing.
type statusLine struct {
	w     io.Writer // nil without a terminal
	width int       // columns the last line took
}

func newStatusLine(w io.Writer) *statusLine {
	f, ok := w.(*os.File)
	if !ok {
		return &statusLine{}
	}
	st, err := f.Stat()
	if err != nil || st.Mode()&os.ModeCharDevice == 0 || os.Getenv("TERM") == "dumb" {
		return &statusLine{}
	}
	return &statusLine{w: w}
}

func (s *statusLine) show(p *Progress) {
	if s.w == nil {
		return
	}
	done := min(1, p.Elapsed.Seconds()/p.Total.Seconds())
	const cells = 20
	full := int(done * cells)
	bar := strings.Repeat("█", full) + strings.Repeat("░", cells-full)
	line := fmt.Sprintf("%s %3.0f s  %s checked  %s/s  %s/s  p99 %.1f ms  ", bar, p.Elapsed.Seconds(),
		thousands(p.Checked), thousands(uint64(p.Rate)), bytesText(p.ByteRate), ms(p.P99))
	if n := found(p.Class); n == 0 {
		line += "clean so far"
	} else {
		for c := Foreign; c < Refused; c++ {
			if p.Class[c] > 0 {
				line += fmt.Sprintf("%s %d  ", strings.ToUpper(c.String()), p.Class[c])
			}
		}
	}
	if p.Stopping {
		line += "  awaiting the last replies"
	}
	width := len([]rune(line))
	fmt.Fprintf(s.w, "\r%s%s", line, strings.Repeat(" ", max(0, s.width-width)))
	s.width = width
}

func (s *statusLine) clear() {
	if s.w != nil && s.width > 0 {
		fmt.Fprintf(s.w, "\r%s\r", strings.Repeat(" ", s.width))
	}
}
