package main

import (
	"bytes"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/d74363f0/strand/websocket"
)

var columns = regexp.MustCompile(`\s{2,}`)

// connRow returns the row of the connection whose client has the address a in /debug/strand, and its place.
func (p *program) connRow(t *testing.T, a net.Addr) (map[string]string, int) {
	t.Helper()
	_, body := p.get(t, "/debug/strand", http.StatusOK)
	lines := strings.Split(strings.TrimSpace(body), "\n")
	head := columns.Split(lines[2], -1)
	for i, line := range lines[3:] {
		cells := columns.Split(line, -1)
		if len(cells) != len(head) {
			t.Fatalf("%q under %q", cells, head)
		}
		if cells[1] != a.String() {
			continue
		}
		row := make(map[string]string)
		for k, name := range head {
			row[name] = cells[k]
		}
		return row, i
	}
	t.Fatalf("%s is not in\n%s", a, body)
	return nil, 0
}

// sample returns the value of one sample of /metrics.
func (p *program) sample(t *testing.T, name string) float64 {
	t.Helper()
	_, body := p.get(t, "/metrics", http.StatusOK)
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
	}
	t.Fatalf("no %s in\n%s", name, body)
	return 0
}

// TestSlowReaderIsSeen: who does not read is found in the table, and what that costs in the counters.
func TestSlowReaderIsSeen(t *testing.T) {
	p := start(t)
	slow, in := p.raw()
	hello := strings.Replace(upgrade, "%s", "/chat", 1)
	p.send(slow, hello)
	switched(t, in)
	talker := p.dial(t, "/chat", websocket.Options{})
	p.until(t, "both to be in the room", func() bool { return p.look(t).Chat == 2 })
	words := bytes.Repeat([]byte("x"), 60_000)
	for n := 0; p.sample(t, `strand_dropped_messages_total{reason="oldest"}`) < 20; {
		for range 50 {
			talker.send(t, websocket.Binary, words)
			talker.hear(t)
		}
		if n++; n > 40 {
			t.Fatal("120 MB for one who does not read, and nothing was dropped")
		}
	}

	p.until(t, "it to have an age", func() bool {
		row, _ := p.connRow(t, slow.LocalAddr())
		return row["age"] != "-"
	})
	row, at := p.connRow(t, slow.LocalAddr())
	_, after := p.connRow(t, talker.LocalAddr())
	if at >= after {
		t.Errorf("the slow reader stands in row %d, its friend in row %d", at, after)
	}
	if want := strconv.Itoa(len(hello)) + " B"; row["in"] != want || row["speaks"] != "websocket" ||
		!strings.HasSuffix(row["out"], " MB") || row["queued"] == "0 B" {
		t.Errorf("%v; in should be %s", row, want)
	}
	_, page := p.do(t, "GET", "/debug/strand", nil, "Accept", "text/html")
	for _, cell := range []string{"<th>age</th>", "<th>in</th>", "<th>out</th>", "<td>" + row["in"] + "</td>", "<td>" + row["out"] + "</td>"} {
		if !bytes.Contains(page, []byte(cell)) {
			t.Errorf("the page has no %s", cell)
		}
	}

	for range 2 { // to look resets nothing
		n := p.look(t).Engine
		if n.MaxQueuedBytes < 1 || n.Drops["oldest"] < 20 || n.BytesDropped != 0 {
			t.Errorf("%d bytes at most, drops %v, dropped %v", n.MaxQueuedBytes, n.Drops, n.DroppedBytes)
		}
	}
	// A chat's messages wait as strings that all members share: not as Blocks.
	if p.sample(t, "strand_queued_bytes_max") < 1 || p.sample(t, "strand_connection_blocks_max") > 1 {
		t.Error("/metrics has other maxima")
	}
	_ = slow.(*net.TCPConn).SetLinger(0)
	_ = slow.Close()
	p.until(t, "its end to be counted", func() bool {
		return p.sample(t, `strand_dropped_bytes_total{reason="error"}`) > 0 &&
			p.sample(t, `strand_dropped_messages_total{reason="unsent"}`) > 0
	})
}
