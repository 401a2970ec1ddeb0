package conformance

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCasesAreMany(t *testing.T) {
	for name, cases := range map[string][]Case{"server": ServerCases(), "client": ClientCases()} {
		if len(cases) < 400 {
			t.Errorf("%d %s cases", len(cases), name)
		}
		n := 0
		for _, c := range cases {
			if c.ID == "" || c.Says == "" || c.Want == "" || c.run == nil || strings.ContainsAny(c.ID, " /") {
				t.Errorf("%s case %+v is incomplete", name, c)
			}
			if !strings.HasPrefix(c.ID, "7692-7.1-") {
				n++
			}
		}
		t.Logf("%d %s cases, %d without the crossed parameters", len(cases), name, n)
	}
}

// TestInflaterAgrees compares the suite's own inflater with the standard library's.
func TestInflaterAgrees(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for i := range 300 {
		p := prose(rng, rng.Intn(1<<uint(rng.Intn(18))), 1+rng.Intn(1<<15))
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, i%12-2)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(p)
		w.Flush()
		z := &inflater{window: 1 << 15}
		got, err := z.message(bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff}))
		if err != nil || !bytes.Equal(got, p) {
			t.Fatalf("round %d, level %d, %d bytes (seed 1): %v %s", i, i%12-2, len(p), err, differ(got, p))
		}
	}
}

// TestDeflaterStaysInWindow reads the suite's own streams with both inflaters.
func TestDeflaterStaysInWindow(t *testing.T) {
	rng := rand.New(rand.NewSource(2))
	for bits := 8; bits <= 15; bits++ {
		for _, takeover := range []bool{false, true} {
			tx := &deflater{window: 1 << bits, takeover: takeover}
			rx := &inflater{window: 1 << bits, takeover: takeover}
			var hist []byte
			far := 0
			for range 40 {
				p := prose(rng, rng.Intn(5000), 1<<bits)
				w := tx.message(p)
				got, err := rx.message(w)
				if err != nil || !bytes.Equal(got, p) {
					t.Fatalf("bits %d takeover %v (seed 2): %v %s", bits, takeover, err, differ(got, p))
				}
				if !takeover {
					hist = nil
				}
				r := flate.NewReaderDict(io.MultiReader(bytes.NewReader(w), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")), hist)
				std, err := io.ReadAll(r)
				if err != nil || !bytes.Equal(std, p) {
					t.Fatalf("bits %d takeover %v (seed 2), standard reader: %v", bits, takeover, err)
				}
				hist = append(hist, p...)
				hist = hist[max(0, len(hist)-1<<15):]
				narrow := &inflater{window: 1<<bits - 1}
				if _, err := narrow.message(w); err != nil && !takeover {
					far++
				}
			}
			if !takeover && bits < 12 && far == 0 {
				t.Errorf("bits %d: no message uses its whole window", bits)
			}
		}
	}
}

func TestWrongAt(t *testing.T) {
	for _, v := range invalidSamples() {
		p := []byte(v.p + "!")
		at := wrongAt(p)
		if at < 0 {
			t.Errorf("%s: %+q is not wrong anywhere", v.name, p)
			continue
		}
		if at >= 1 && !beginning(lastRune(p[:at])) {
			t.Errorf("%s: %+q is wrong before byte %d", v.name, p, at)
		}
		if utf8.Valid([]byte(v.p)) {
			t.Errorf("%s: %+q is valid", v.name, v.p)
		}
	}
	for _, v := range validSamples() {
		if !utf8.ValidString(v.p) || wrongAt([]byte(v.p)) >= 0 {
			t.Errorf("%s: %+q is not valid", v.name, v.p)
		}
	}
}

// lastRune returns what follows the last complete character of p.
func lastRune(p []byte) []byte {
	for len(p) > 0 && utf8.FullRune(p) {
		r, n := utf8.DecodeRune(p)
		if r == utf8.RuneError && n == 1 {
			return p
		}
		p = p[n:]
	}
	return p
}
