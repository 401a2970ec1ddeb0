package loop

// A slot names one source to the poller: its index and its generation are the
// token of the source's events, and a stale token finds a newer generation
// (hazard 141). A slot also holds the links of the source's timer, so that an
// idle connection's timer costs no memory of its own.
type slot struct {
	src        Source
	gen        uint32
	when       uint32 // tick the timer is due; valid while armed
	next, prev int32  // links of the timer's bucket, or of the free list
	since      uint32 // tick at which src was linked
	armed      bool
	live       bool
}

// chunk slots are allocated at a time, so that the table never moves and never
// doubles.
const chunk = 512

const none = int32(-1)

type slots struct {
	chunks []*[chunk]slot
	free   int32
	live   int
}

func (t *slots) at(i int32) *slot { return &t.chunks[i/chunk][i%chunk] }

// take gives src a slot at tick now and returns its token.
func (t *slots) take(src Source, now uint32) uint64 {
	if t.free == none {
		t.grow()
	}
	i := t.free
	s := t.at(i)
	t.free = s.next
	s.gen++
	s.src, s.live, s.next, s.prev = src, true, none, none
	s.since = now
	t.live++
	return uint64(s.gen)<<32 | uint64(uint32(i))
}

func (t *slots) grow() {
	base := int32(len(t.chunks) * chunk)
	c := new([chunk]slot)
	t.chunks = append(t.chunks, c)
	for i := range c {
		c[i].next = base + int32(i) + 1
	}
	c[chunk-1].next = t.free
	t.free = base
}

// find returns the source a token names, or nil if its slot was given up since.
func (t *slots) find(token uint64) (int32, Source) {
	i := int32(uint32(token))
	if i < 0 || int(i) >= len(t.chunks)*chunk {
		return none, nil
	}
	s := t.at(i)
	if !s.live || s.gen != uint32(token>>32) {
		return none, nil
	}
	return i, s.src
}

// give takes the slot back; from now on its token finds nothing.
func (t *slots) give(i int32) {
	s := t.at(i)
	s.src, s.live = nil, false
	s.gen++
	s.next = t.free
	t.free = i
	t.live--
}

// each calls f for every source.
func (t *slots) each(f func(Source)) {
	for _, c := range t.chunks {
		for i := range c {
			if c[i].live {
				f(c[i].src)
			}
		}
	}
}
