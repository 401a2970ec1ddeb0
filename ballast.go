package strand

import (
	"fmt"
	"strings"
)

// defaultBallast is Options.Ballast where it is 0.
const defaultBallast = 4 << 20

const maxBallast = 1 << 30

// ballast is memory that an engine holds and nobody touches: see Options.Ballast.
// A strings.Builder leaves what it grows by as it is, where make would clear it and
// so have the kernel find pages for it.
type ballast struct{ held strings.Builder }

func (b *ballast) take(n int) error {
	if n > maxBallast {
		return fmt.Errorf("strand: Options.Ballast of %d bytes; at most %d", n, maxBallast)
	}
	if n > 0 {
		b.held.Grow(n)
	}
	return nil
}

func (b *ballast) drop() { b.held.Reset() }
