package soak

import (
	"bytes"
	"testing"
	"time"
)

func TestPayloadNamesItsOwner(t *testing.T) {
	const seed = 99
	k := newKeyring(seed)
	rng := newRand(seed, 0)
	for i := range 2000 {
		m := Mark{Worker: uint16(rng.IntN(maxWorkers)), Kind: kindPost, Conn: rng.Uint32(), Seq: rng.Uint32()}
		c := Coding(rng.IntN(int(codings)))
		whole := k.appendPayload(nil, m, c, 0, 3000)
		off, n := rng.IntN(2000), rng.IntN(1000)
		if part := k.appendPayload(nil, m, c, off, n); !bytes.Equal(part, whole[off:off+n]) {
			t.Fatalf("seed %d, case %d: bytes %d..%d of coding %d differ when they are written alone", seed, i, off, off+n, c)
		}
		at := rng.IntN(2000 / cellSize[c])
		o, ok := k.identify(whole[at*cellSize[c]:])
		if !ok || o != (origin{m, c, at * cellSize[c]}) {
			t.Fatalf("seed %d, case %d: cell %d of %v in coding %d is taken for %+v, %v", seed, i, at, m, c, o, ok)
		}
		if back, ok := parseMark(m.String()); !ok || back != m {
			t.Fatalf("%s is read as %v", m, back)
		}
	}
	if _, ok := newKeyring(seed + 1).identify(k.appendPayload(nil, Mark{Kind: kindPost}, Binary, 0, 16)); ok {
		t.Error("bytes of another seed were recognised")
	}
}

// TestJudge spoils messages of all codings in ways with one right name, at random places.
func TestJudge(t *testing.T) {
	const seed = 4242
	k := newKeyring(seed)
	rng := newRand(seed, 0)
	j := &judge{keys: k}
	other := k.appendPayload(nil, Mark{Worker: 9, Kind: kindPost, Conn: 9, Seq: 9}, Binary, 0, 4000)
	spoil := map[Class]func(p []byte, a, n int) []byte{
		Good:    func(p []byte, _, _ int) []byte { return p },
		Lost:    func(p []byte, a, n int) []byte { return append(p[:a:a], p[a+n:]...) },
		Damaged: func(p []byte, a, n int) []byte { p[a] ^= 0x80; p[a+n] ^= 0x80; return p },
		Duplicated: func(p []byte, a, n int) []byte {
			return append(append(append([]byte(nil), p[:a+n]...), p[a:a+n]...), p[a+n:]...)
		},
		Reordered: func(p []byte, a, n int) []byte {
			return append(append(append(append([]byte(nil), p[:a]...), p[a+n:a+2*n]...), p[a:a+n]...), p[a+2*n:]...)
		},
		Foreign: func(p []byte, a, n int) []byte { copy(p[a:a+n], other[n:]); return p },
	}
	for i := range 600 {
		m := Mark{Worker: 1, Kind: kindPost, Conn: uint32(i), Seq: 7}
		c := Coding(i % int(codings))
		want := k.appendPayload(nil, m, c, 0, 2000+rng.IntN(3000))
		a, n := 64+rng.IntN(700), 300+rng.IntN(300)
		for class, f := range spoil {
			bad := f(append([]byte(nil), want...), a, n)
			v := j.judge(m, c, want, bad)
			if v.class != class {
				t.Fatalf("seed %d, case %d, coding %d: %s at %d of length %d is called %s: %q", seed, i, c, class, a, n, v.class, v.notes)
			}
			if class != Good && (v.at < a-surely(c, 0) || v.at > a+2*n) {
				t.Fatalf("seed %d, case %d, coding %d: %s at %d is located at %d", seed, i, c, class, a, v.at)
			}
			total := 0
			for _, s := range v.spans {
				if s.at != total {
					t.Fatalf("seed %d, case %d: spans %+v leave a gap", seed, i, v.spans)
				}
				total += s.n
			}
			if total != len(bad) {
				t.Fatalf("seed %d, case %d: %d of %d bytes explained", seed, i, total, len(bad))
			}
		}
	}
}

func TestDeflate(t *testing.T) {
	const seed = 31
	k := newKeyring(seed)
	rng := newRand(seed, 0)
	for _, level := range deflateLevels {
		for _, fresh := range []bool{false, true} {
			d, u := newDeflater(level, fresh), &inflater{fresh: fresh}
			for i := range 60 {
				p := k.appendPayload(nil, Mark{Seq: uint32(i)}, Words, 0, rng.IntN(20000))
				got, err := u.message(nil, d.message(p, []int{len(p) / 3}), 1<<20)
				if err != nil || !bytes.Equal(got, p) {
					t.Fatalf("seed %d, level %d, fresh %v, message %d: %v", seed, level, fresh, i, err)
				}
			}
		}
	}
}

func TestHistogram(t *testing.T) {
	var h hist
	for i := 1; i <= 100_000; i++ {
		h.add(time.Duration(i) * time.Microsecond)
	}
	for i, q := range quantiles(h.counts(), 0.01, 0.5, 0.99, 1) {
		want := []time.Duration{1000, 50_000, 99_000, 100_000}[i] * time.Microsecond
		if q < want || q > want*110/100 {
			t.Errorf("quantile %d is %v, want %v or up to a tenth more", i, q, want)
		}
	}
	for d := time.Duration(1); d < 30*time.Second; d = d*5/4 + 1 {
		if i := histIndex(d); histUpper(i) < d || i > 0 && histUpper(i-1) > d {
			t.Fatalf("%v is in bucket %d, which ends at %v", d, i, histUpper(i))
		}
	}
}
