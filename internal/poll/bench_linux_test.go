package poll

import (
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkWait fetches 64 events at a time. What makes them, a write and a read each, is in the figure; with one at a
// time it is the same but for 63 calls.
func BenchmarkWait(b *testing.B) {
	for _, bm := range []struct {
		name string
		n    int
	}{{"1", 1}, {"64", 64}} {
		b.Run(bm.name, func(b *testing.B) {
			p, err := Open()
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			pairs := make([][2]int, bm.n)
			for i := range pairs {
				pairs[i], err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					b.Fatal(err)
				}
				defer unix.Close(pairs[i][0])
				defer unix.Close(pairs[i][1])
				if err := p.Add(pairs[i][0], uint64(i)); err != nil {
					b.Fatal(err)
				}
			}
			events := make([]Event, 128)
			if _, err := p.Wait(events, false); err != nil { // each is writable at first
				b.Fatal(err)
			}
			one := make([]byte, 1)
			for i := 0; i < b.N; i += bm.n {
				for _, pair := range pairs {
					if _, err := unix.Write(pair[1], one); err != nil {
						b.Fatal(err)
					}
				}
				if n, err := p.Wait(events, false); n != bm.n || err != nil {
					b.Fatal(n, err)
				}
				for _, pair := range pairs {
					if _, err := unix.Read(pair[0], one); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
