package loop

import (
	"math/rand/v2"
	"testing"

	"github.com/d74363f0/strand/internal/poll"
)

// idle is a source that nothing happens to.
type idle struct{ name int }

func (*idle) Event(poll.Ready) bool { return true }
func (*idle) Run() bool             { return true }
func (*idle) Expire(uint32) bool    { return true }
func (*idle) Unlink() bool          { return true }
func (*idle) Deferred()             {}
func (*idle) Ahead(poll.Ready) bool { return false }
func (*idle) Replaced()             {}

// TestStaleToken takes and gives slots at random: a token finds its own source
// while that is there, and nothing for ever after.
func TestStaleToken(t *testing.T) { // hazards 141, 149, 180
	rng := rand.New(rand.NewPCG(5, 5))
	var table slots
	table.free = none
	live := make(map[uint64]*idle)
	var tokens, stale []uint64
	for n := range 20000 {
		if len(tokens) == 0 || rng.IntN(5) < 3 && len(tokens) < 3*chunk {
			src := &idle{n}
			token := table.take(src, 0)
			if live[token] != nil {
				t.Fatalf("token %#x was given out twice", token)
			}
			live[token] = src
			tokens = append(tokens, token)
			continue
		}
		i := rng.IntN(len(tokens))
		token := tokens[i]
		at, src := table.find(token)
		if src != live[token] {
			t.Fatalf("token %#x finds %v", token, src)
		}
		table.give(at)
		delete(live, token)
		tokens[i] = tokens[len(tokens)-1]
		tokens = tokens[:len(tokens)-1]
		stale = append(stale, token)
		if _, src := table.find(stale[rng.IntN(len(stale))]); src != nil {
			t.Fatalf("a stale token finds %v", src)
		}
	}
	if table.live != len(live) {
		t.Errorf("%d slots are live, not %d", table.live, len(live))
	}
	seen := 0
	table.each(func(src Source) { seen++ })
	if seen != len(live) {
		t.Errorf("each visits %d sources of %d", seen, len(live))
	}
}

func TestFindNonsense(t *testing.T) {
	var table slots
	table.free = none
	table.take(&idle{}, 0)
	for _, token := range []uint64{0, 1 << 32, ^uint64(0), 1<<32 | 5, 1<<32 | chunk, 1<<32 | 1<<31} {
		if _, src := table.find(token); src != nil && token != 1<<32 {
			t.Errorf("token %#x finds %v", token, src)
		}
	}
}
