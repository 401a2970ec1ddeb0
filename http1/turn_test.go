package http1

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestCloseBehindAWholeTurnsInput: a turn that has read all it may looks again before it says that nothing is unread, for
// a close with input unread is a reset (hazard 84). The portable transport, which cannot ask the kernel, lingers.
func TestCloseBehindAWholeTurnsInput(t *testing.T) {
	const turn = 512 << 10 // what strand reads in a turn
	arrived := make(chan int, 16)
	ts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		for n := range arrived {
			time.Sleep(10 * time.Millisecond)                               // the kernel has it
			if _, err := io.ReadFull(r.Body, make([]byte, n)); err != nil { // in one read, behind which there may be more
				t.Error(err)
			}
		}
		_, _ = io.WriteString(w, "done")
	}, nil)
	c := ts.dial(t)
	send := func(s string, n int) {
		t.Helper()
		if _, err := io.WriteString(c, s); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			arrived <- n
		}
	}
	send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: "+strconv.Itoa(turn)+"\r\n\r\n", 0)
	time.Sleep(50 * time.Millisecond) // the handler waits for the first byte: from there the turn counts
	const chunk = 32 << 10
	send("x", 1)
	time.Sleep(30 * time.Millisecond)
	send(strings.Repeat("x", chunk-1), chunk-1)
	for range turn/chunk - 2 {
		send(strings.Repeat("x", chunk), chunk)
		time.Sleep(15 * time.Millisecond)
	}
	send(strings.Repeat("x", chunk)+"what nobody reads", chunk)
	close(arrived)
	if sizes := answers(t, c, 1); sizes[0] != 4 {
		t.Errorf("%d bytes of 4", sizes[0])
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("behind the response: %d bytes and %v, want the end", n, err)
	}
}
