package websocket

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"testing"
)

// BenchmarkEcho is a round trip over loopback, the client's half of the work included.
func BenchmarkEcho(b *testing.B) {
	for _, n := range []int{64, 1 << 10, 16 << 10, 64 << 10} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			r := rawDial(b, serve(b, "strand", nil, func() Handler { return echo() }), "", "")
			r.br = bufio.NewReaderSize(r.nc, 128<<10)
			out := []byte(frame(0x82, strings.Repeat("x", n)))
			in := make([]byte, len(out)-4)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.nc.Write(out); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(r.br, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
