package soak

import (
	"bytes"
	"context"
	"net"
	"regexp"
	"sync"
	"testing"
	"time"
)

// A recorder keeps what a client sends on one connection.
type recorder struct {
	net.Conn
	mu  *sync.Mutex
	got *bytes.Buffer
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.mu.Lock()
	r.got.Write(p[:n])
	r.mu.Unlock()
	return n, err
}

// recordRun returns what the first connection of each worker sent.
func recordRun(t *testing.T, seed uint64) map[string][]byte {
	var mu sync.Mutex
	var all []*bytes.Buffer
	s := &faulty{fault: &fault{}, every: 1, wrap: func(nc net.Conn) net.Conn {
		b := &bytes.Buffer{}
		mu.Lock()
		all = append(all, b)
		mu.Unlock()
		return &recorder{nc, &mu, b}
	}}
	s.start(t)
	res, err := Run(context.Background(), Config{URL: "http://" + s.ln.Addr().String(), Seed: seed, Conns: 11, Time: 600 * time.Millisecond, MaxSize: 500})
	if err != nil || res.ExitCode() != 0 {
		t.Fatalf("seed %d: %v, %+v", seed, err, res)
	}
	mu.Lock()
	defer mu.Unlock()
	first := map[string][]byte{}
	id := regexp.MustCompile(`\?id=(\w+\.\d+)\.0\.0 HTTP`)
	for _, b := range all {
		if m := id.FindSubmatch(b.Bytes()); m != nil {
			first[string(m[1])] = bytes.ReplaceAll(b.Bytes(), []byte(s.ln.Addr().String()), []byte("host"))
		}
	}
	return first
}

// untilEnd is how far from its end the last bytes of a connection may say that the time is up.
const untilEnd = 4000

// TestSeedRepeats asks that a seed sends the same bytes again, and another seed does not.
func TestSeedRepeats(t *testing.T) {
	a, b, c := recordRun(t, 6), recordRun(t, 6), recordRun(t, 7)
	compared := 0
	for id, x := range a {
		y := b[id]
		n := min(len(x), len(y)) - untilEnd
		if n <= 0 {
			continue // a short connection, or the machine was too busy for this worker
		}
		compared++
		if !bytes.Equal(x[:n], y[:n]) {
			at := commonPrefix(x, y)
			t.Errorf("%s: two runs of seed 6 differ at byte %d of %d: %q and %q", id, at, n, x[at:min(n, at+60)], y[at:min(n, at+60)])
		}
		if z := c[id]; len(z) > 200 && n > 200 && bytes.Equal(z[:200], x[:200]) {
			t.Errorf("%s: seeds 6 and 7 send the same", id)
		}
	}
	if compared < 3 {
		t.Errorf("only %d of 11 workers could be compared", compared)
	}
}
