package tls

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkStalledHandshakes measures how long requests take on established connections: alone, while 2,000
// handshakes stand still half-way, and while one client makes 500 handshakes a second (hazards 114 and 129).
//
//	go test ./tls -run - -bench Stalled -benchtime 1x
func BenchmarkStalledHandshakes(b *testing.B) {
	addr := startServe(b)
	for b.Loop() {
		var conns []net.Conn
		for range 64 {
			c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			conns = append(conns, c)
		}
		report := func(name string, took []time.Duration) {
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), name+"-p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), name+"-p99-µs")
		}
		measure(b, conns, 500*time.Millisecond)
		report("quiet", measure(b, conns, 3*time.Second))
		stop := stall(b, addr, 2000)
		report("stalled", measure(b, conns, 3*time.Second))
		stop()
		stop = shake(b, addr, 500)
		report("shaken", measure(b, conns, 3*time.Second))
		stop()
	}
}

// measure has each connection ask every 20 ms and returns how long the answers took.
func measure(b *testing.B, conns []net.Conn, d time.Duration) []time.Duration {
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() {
			br := bufio.NewReader(c)
			time.Sleep(time.Duration(i) * 20 * time.Millisecond / time.Duration(len(conns)))
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
				began := time.Now()
				_, _ = io.WriteString(c, request)
				resp, err := http.ReadResponse(br, nil)
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				took := time.Since(began)
				mu.Lock()
				all = append(all, took)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return all
}

// stall opens connections that send half a ClientHello and no more.
func stall(b *testing.B, addr string, n int) (stop func()) {
	half := append([]byte{22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}, make([]byte, 200)...)
	var open []net.Conn
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = c.Write(half)
		open = append(open, c)
	}
	return func() {
		for _, c := range open {
			_ = c.Close()
		}
	}
}

// shake makes handshakes at a rate, each on a new connection.
func shake(b *testing.B, addr string, rate int) (stop func()) {
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		made := 0
		for {
			select {
			case <-quit:
				b.ReportMetric(float64(made), "handshakes")
				return
			case <-tick.C:
			}
			c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
			if err != nil {
				b.Error(fmt.Errorf("handshake: %w", err))
				return
			}
			made++
			_ = c.Close()
		}
	})
	return func() { close(quit); wg.Wait() }
}
