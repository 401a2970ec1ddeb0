package ws

import (
	"fmt"
	"strings"
	"testing"
)

// hazard 105
func TestAcceptDeflate(t *testing.T) {
	const pmd = "permessage-deflate"
	all := Deflate{false, false, 15, 15}
	small := Deflate{true, true, 9, 10}
	tests := []struct {
		offer    string
		wish     Deflate
		response string // "" for declined
		agreed   Deflate
	}{
		{pmd, Deflate{}, pmd, all},
		{"", Deflate{}, "", Deflate{}},
		{"x-webkit-deflate-frame", Deflate{}, "", Deflate{}},
		{"foo; a=b, " + pmd, Deflate{}, pmd, all},
		{pmd + "; client_max_window_bits", Deflate{}, pmd, all},
		{pmd + "; client_max_window_bits=11", Deflate{}, pmd + "; client_max_window_bits=11", Deflate{false, false, 15, 11}},
		{pmd + `; client_max_window_bits="11"`, Deflate{}, pmd + "; client_max_window_bits=11", Deflate{false, false, 15, 11}},
		{pmd + "; server_max_window_bits=8", Deflate{}, pmd + "; server_max_window_bits=8", Deflate{false, false, 8, 15}},
		{pmd + "; server_max_window_bits=15", Deflate{}, pmd + "; server_max_window_bits=15", all},
		{pmd + "; server_no_context_takeover", Deflate{}, pmd + "; server_no_context_takeover", Deflate{true, false, 15, 15}},
		{pmd + "; client_no_context_takeover", Deflate{}, pmd + "; client_no_context_takeover", Deflate{false, true, 15, 15}},
		{pmd + " ;\tclient_max_window_bits ; server_max_window_bits = 12", small,
			pmd + "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=10", small},
		{pmd, small, pmd + "; server_no_context_takeover; client_no_context_takeover", Deflate{true, true, 9, 15}},
		{pmd + "; bogus, " + pmd, Deflate{}, pmd, all},
		{pmd + "; server_max_window_bits=10, " + pmd, Deflate{}, pmd + "; server_max_window_bits=10", Deflate{false, false, 10, 15}},
		{",, " + pmd + " ,", Deflate{}, pmd, all},
	}
	for _, bad := range []string{
		"server_max_window_bits", "server_max_window_bits=7", "server_max_window_bits=16", "server_max_window_bits=a",
		"server_max_window_bits=08", "server_max_window_bits=", `server_max_window_bits=""`, `server_max_window_bits="10`,
		`server_max_window_bits="1 0"`, "server_max_window_bits=-8", "server_max_window_bits=+9", "server_max_window_bits=10.0",
		"client_max_window_bits=7", "client_max_window_bits=16", "client_max_window_bits=0", "client_max_window_bits=",
		"client_max_window_bits=99999999999999999999", "server_no_context_takeover=1", "client_no_context_takeover=true",
		"server_no_context_takeover; server_no_context_takeover", "client_no_context_takeover; client_no_context_takeover",
		"server_max_window_bits=10; server_max_window_bits=10", "client_max_window_bits; client_max_window_bits",
		"client_max_window_bits; client_max_window_bits=10", "unknown", "Server_no_context_takeover", "=", ";", "", "a b",
	} {
		tests = append(tests, struct {
			offer    string
			wish     Deflate
			response string
			agreed   Deflate
		}{pmd + "; " + bad, Deflate{}, "", Deflate{}})
	}
	for _, tt := range tests {
		agreed, response, ok := AcceptDeflate([]string{tt.offer}, tt.wish)
		if ok != (tt.response != "") || response != tt.response || agreed != tt.agreed {
			t.Errorf("%s, wish %+v: %q %+v", tt.offer, tt.wish, response, agreed)
		}
	}
	agreed, response, ok := AcceptDeflate([]string{"foo", pmd + "; bogus", pmd + "; client_max_window_bits=9"}, Deflate{})
	if !ok || response != pmd+"; client_max_window_bits=9" || agreed.ClientBits != 9 {
		t.Errorf("offers in several fields: %q %+v", response, agreed)
	}
}

// everyDeflate calls f with every combination of parameters.
func everyDeflate(f func(Deflate)) {
	for flags := range 4 {
		for s := minBits; s <= MaxBits; s++ {
			for c := minBits; c <= MaxBits; c++ {
				f(Deflate{flags&1 != 0, flags&2 != 0, s, c})
			}
		}
	}
}

// TestDeflateBothSides lets every client meet every server: they must agree on
// the same parameters, none beyond what either wished for.
func TestDeflateBothSides(t *testing.T) {
	everyDeflate(func(client Deflate) {
		offer := []string{OfferDeflate(client)}
		everyDeflate(func(server Deflate) {
			s, response, ok := AcceptDeflate(offer, server)
			if !ok {
				t.Fatalf("%q declined", offer)
			}
			c, ok, err := CheckDeflate([]string{response}, client)
			if !ok || err != nil {
				t.Fatalf("%q answered by %q: %v", offer, response, err)
			}
			want := Deflate{
				client.ServerNoTakeover || server.ServerNoTakeover, client.ClientNoTakeover || server.ClientNoTakeover,
				min(client.ServerBits, server.ServerBits), min(client.ClientBits, server.ClientBits),
			}
			if s != want {
				t.Fatalf("%q, wish %+v: agreed %+v", offer, server, s)
			}
			// The server's window may be smaller than the client was told.
			if c.ServerBits < s.ServerBits || c.ServerBits > client.ServerBits {
				t.Fatalf("%q answered by %q: client takes server bits %d", offer, response, c.ServerBits)
			}
			if c.ServerBits = s.ServerBits; c != s {
				t.Fatalf("%q answered by %q: client %+v, server %+v", offer, response, c, s)
			}
		})
	})
}

func TestCheckDeflate(t *testing.T) {
	const pmd = "permessage-deflate"
	tests := []struct {
		response string
		wish     Deflate
		ok, fail bool
	}{
		{"", Deflate{}, false, false},
		{pmd, Deflate{}, true, false},
		{pmd + "; server_no_context_takeover; client_no_context_takeover", Deflate{}, true, false},
		{pmd + "; client_max_window_bits=8; server_max_window_bits=8", Deflate{}, true, false},
		{pmd + "; client_max_window_bits=12", Deflate{ClientBits: 11}, false, true},
		{pmd + "; client_max_window_bits", Deflate{}, false, true},
		{pmd + "; server_max_window_bits=12", Deflate{ServerBits: 11}, false, true},
		{pmd, Deflate{ServerBits: 11}, false, true},
		{pmd, Deflate{ServerNoTakeover: true}, false, true},
		{pmd, Deflate{ClientNoTakeover: true}, true, false},
		{pmd + "; bogus", Deflate{}, false, true},
		{pmd + "; server_max_window_bits=7", Deflate{}, false, true},
		{pmd + ", " + pmd, Deflate{}, false, true},
		{pmd + ", foo", Deflate{}, false, true},
		{"foo", Deflate{}, false, true},
		{pmd + ";", Deflate{}, false, true},
	}
	for _, tt := range tests {
		agreed, ok, err := CheckDeflate([]string{tt.response}, tt.wish)
		if ok != tt.ok || (err != nil) != tt.fail {
			t.Errorf("%q to wish %+v: %+v %v %v", tt.response, tt.wish, agreed, ok, err)
		}
		if err != nil && (err.Code != 0 || ok) {
			t.Errorf("%q: status %d, ok %v", tt.response, err.Code, ok)
		}
	}
}

// TestDeflateManyOffers counts steps instead of time: parsing allocates for each
// parameter once, so a second pass over the input would show. hazard 105
func TestDeflateManyOffers(t *testing.T) {
	const offer = "permessage-deflate; server_max_window_bits=7, "
	allocs := func(n int) float64 {
		v := []string{strings.Repeat(offer, n)}
		return testing.AllocsPerRun(3, func() {
			if _, _, ok := AcceptDeflate(v, Deflate{}); ok {
				t.Error("a bad offer was accepted")
			}
		})
	}
	if a, b := allocs(1000), allocs(10000); b > 11*a {
		t.Errorf("%v allocations for 1,000 offers, %v for 10,000", a, b)
	}
	for _, s := range []string{strings.Repeat(`\`, 1<<16), strings.Repeat(`"`, 1<<16), strings.Repeat(`\"`, 1<<15), strings.Repeat("a;", 1<<15)} {
		if _, _, ok := AcceptDeflate([]string{`permessage-deflate; x="` + s}, Deflate{}); ok {
			t.Errorf("accepted %.20q...", s)
		}
	}
}

func ExampleOfferDeflate() {
	offer := OfferDeflate(Deflate{ServerBits: 12})
	_, response, _ := AcceptDeflate([]string{offer}, Deflate{ClientNoTakeover: true, ClientBits: 10})
	fmt.Println(offer)
	fmt.Println(response)
	// Output:
	// permessage-deflate; server_max_window_bits=12; client_max_window_bits
	// permessage-deflate; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=10
}

func BenchmarkAcceptDeflate(b *testing.B) {
	v := []string{"permessage-deflate; client_max_window_bits"}
	b.ReportAllocs()
	for b.Loop() {
		AcceptDeflate(v, Deflate{})
	}
}
