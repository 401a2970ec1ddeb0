package conformance

import (
	"errors"
	"fmt"
	"math/rand"
	"strconv"
	"strings"
)

// params is a permessage-deflate offer or response, RFC 7692 section 7.1.
type params struct {
	serverNoTakeover bool
	clientNoTakeover bool
	serverBits       int // 0 if absent
	clientBits       int // 0 if absent, bare if present without a value

	// adapt lets the suite as a server take on the resets that a client asks for or
	// hints at, in cases that are not about them.
	adapt bool
}

const bare = -1

func (p params) String() string {
	s := "permessage-deflate"
	if p.serverNoTakeover {
		s += "; server_no_context_takeover"
	}
	if p.clientNoTakeover {
		s += "; client_no_context_takeover"
	}
	if p.serverBits != 0 {
		s += "; server_max_window_bits=" + strconv.Itoa(p.serverBits)
	}
	switch p.clientBits {
	case 0:
	case bare:
		s += "; client_max_window_bits"
	default:
		s += "; client_max_window_bits=" + strconv.Itoa(p.clientBits)
	}
	return s
}

// parseParams reads one element of Sec-WebSocket-Extensions.
func parseParams(s string) (p params, err error) {
	parts := strings.Split(s, ";")
	if name := strings.TrimSpace(parts[0]); name != "permessage-deflate" {
		return p, fmt.Errorf("extension %q", name)
	}
	seen := map[string]bool{}
	for _, part := range parts[1:] {
		k, v, has := strings.Cut(strings.TrimSpace(part), "=")
		v = strings.Trim(v, `"`)
		if seen[k] {
			return p, fmt.Errorf("parameter %q twice", k)
		}
		seen[k] = true
		switch {
		case k == "server_no_context_takeover" && !has:
			p.serverNoTakeover = true
		case k == "client_no_context_takeover" && !has:
			p.clientNoTakeover = true
		case k == "server_max_window_bits" && has:
			p.serverBits, err = windowBits(v)
		case k == "client_max_window_bits" && has:
			p.clientBits, err = windowBits(v)
		case k == "client_max_window_bits":
			p.clientBits = bare
		default:
			err = fmt.Errorf("parameter %q", part)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

func windowBits(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < 8 || n > 15 || len(v) > 2 || v[0] == '0' {
		return 0, fmt.Errorf("window bits %q", v)
	}
	return n, nil
}

// accepted checks a server's response against the offer.
func accepted(offer params, response string) (params, error) {
	if strings.TrimSpace(response) == "" {
		return params{}, fmt.Errorf("%w: the server declines %q", errDeclined, offer)
	}
	p, err := parseParams(response)
	if err != nil {
		return p, fmt.Errorf("peer broke 7692-7.1: response %q: %w", response, err)
	}
	switch {
	case offer.serverNoTakeover && !p.serverNoTakeover:
		err = errors.New("the offered server_no_context_takeover is not in it")
	case offer.serverBits != 0 && (p.serverBits == 0 || p.serverBits > offer.serverBits):
		err = fmt.Errorf("server_max_window_bits=%d was offered", offer.serverBits)
	case p.clientBits == bare:
		err = errors.New("client_max_window_bits has no value")
	case offer.clientBits == 0 && p.clientBits != 0:
		err = errors.New("client_max_window_bits was not offered")
	case offer.clientBits > 0 && p.clientBits > offer.clientBits:
		err = fmt.Errorf("client_max_window_bits=%d was offered", offer.clientBits)
	}
	if err != nil {
		return p, fmt.Errorf("peer broke 7692-7.1: response %q: %w", response, err)
	}
	return p, nil
}

// respond fits the wanted parameters into a client's offers. A case that cannot be asked
// of this client is declined.
func respond(want params, offers []string) (params, error) {
	if len(offers) == 0 {
		return want, fmt.Errorf("%w: the client offers no permessage-deflate", errDeclined)
	}
	var offer params
	var err error
	found := false
	for _, o := range offers {
		if !strings.HasPrefix(o, "permessage-deflate") {
			continue
		}
		if offer, err = parseParams(o); err != nil {
			return want, fmt.Errorf("peer broke 7692-7.1: offer %q: %w", o, err)
		}
		found = true
		break
	}
	if want.adapt {
		want.serverNoTakeover = want.serverNoTakeover || offer.serverNoTakeover
		want.clientNoTakeover = want.clientNoTakeover || offer.clientNoTakeover
	}
	switch {
	case !found:
		return want, fmt.Errorf("%w: the client offers %q", errDeclined, offers)
	case offer.serverNoTakeover && !want.serverNoTakeover:
		return want, fmt.Errorf("%w: the client asks for server_no_context_takeover", errDeclined)
	case offer.serverBits != 0 && (want.serverBits == 0 || want.serverBits > offer.serverBits):
		return want, fmt.Errorf("%w: the client asks for server_max_window_bits=%d", errDeclined, offer.serverBits)
	case want.clientBits != 0 && offer.clientBits == 0:
		return want, fmt.Errorf("%w: the client does not offer client_max_window_bits", errDeclined)
	case offer.clientBits > 0 && want.clientBits > offer.clientBits:
		return want, fmt.Errorf("%w: the client offers client_max_window_bits=%d", errDeclined, offer.clientBits)
	}
	return want, nil
}

// codecs prepares both directions from the agreed response.
func (l *link) codecs(p params) {
	serverWindow, clientWindow := 1<<15, 1<<15
	if p.serverBits > 0 {
		serverWindow = 1 << p.serverBits
	}
	if p.clientBits > 0 {
		clientWindow = 1 << p.clientBits
	}
	if l.isClient {
		l.tx = &deflater{window: clientWindow, takeover: !p.clientNoTakeover}
		l.rx = &inflater{window: serverWindow, takeover: !p.serverNoTakeover}
		return
	}
	l.tx = &deflater{window: serverWindow, takeover: !p.serverNoTakeover}
	l.rx = &inflater{window: clientWindow, takeover: !p.clientNoTakeover}
}

// prose makes n bytes of ASCII that compress, with copies from exactly window back and
// from nearer, so that the whole window is used.
func prose(rng *rand.Rand, n, window int) []byte {
	const letters = "etaoinshrdlucmfwypvbgkjqxz ETAOINSHRDLU,.\n0123456789"
	p := make([]byte, 0, n+300)
	for len(p) < n {
		k := 8 + rng.Intn(120)
		switch d := window; rng.Intn(3) {
		case 0:
			for range k {
				p = append(p, letters[rng.Intn(len(letters))])
			}
		case 1:
			d = 1 + rng.Intn(window)
			fallthrough
		default:
			for range k {
				if d > len(p) {
					p = append(p, letters[rng.Intn(len(letters))])
					continue
				}
				p = append(p, p[len(p)-d])
			}
		}
	}
	return p[:n]
}
