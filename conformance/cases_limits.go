package conformance

import (
	"fmt"
	"math/rand"
	"time"
)

// limited is a step that needs to know the peer's limit.
func limited(f func(l *link, limit int) error) step {
	return func(l *link) error {
		if l.opt.Limit == 0 {
			return fmt.Errorf("%w: the peer's limit is not known", errDeclined)
		}
		return f(l, int(l.opt.Limit))
	}
}

// limits asks RFC 6455 sections 7.4.1 (1009) and 10.4.
func (s *list) limits() {
	add := func(g Grade, id, says, want string, f func(l *link, limit int) error) {
		s.plain(g, "10.4-"+id, says, want, limited(f))
		if g == Must {
			s.heavy()
		}
	}
	add(Must, "exactly", "a message exactly as long as the limit", wantsEcho, func(l *link, n int) error {
		return steps(echoes(segWhole, opBin, noise(n), 0), closes)(l)
	})
	add(Must, "exactly-fragments", "a fragmented message exactly as long as the limit", wantsEcho, func(l *link, n int) error {
		return steps(echoes(segWhole, opBin, noise(n), n/7), closes)(l)
	})
	add(Must, "one-more", "a message one byte longer than the limit", wants1009, func(l *link, n int) error {
		l.write(segWhole, l.encode(binf(noise(n+1))))
		return fails(1009)(l)
	})
	add(Must, "fragments-more", "fragments one byte longer together than the limit", wants1009, func(l *link, n int) error {
		l.write(segWhole, l.encode(fragments(opBin, noise(n+1), n/2, 0)...))
		return fails(1009)(l)
	})
	declares := func(id string, declared func(limit int) int64) {
		add(Should, id, "the header of a message over the limit, and silence", "Close 1009 before the payload", func(l *link, n int) error {
			l.write(segWhole, l.encode(frame{fin: true, op: opBin, declare: declared(n)}))
			return fails(1009)(l)
		})
	}
	declares("declared-one-more", func(n int) int64 { return int64(n) + 1 })
	declares("declared-1GiB", func(int) int64 { return 1<<30 + 1 })
	declares("declared-2-62", func(int) int64 { return 1 << 62 })
	declares("declared-2-63-less-1", func(int) int64 { return 1<<63 - 1 })
	add(Should, "declared-in-fragment", "a fragment, then the header of a second one that together pass the limit", "Close 1009 before the payload", func(l *link, n int) error {
		l.write(segWhole, l.encode(frame{op: opBin, payload: noise(1000)}, frame{fin: true, op: opCont, declare: int64(n)}))
		return fails(1009)(l)
	})
	add(Should, "declared-overflow", "a fragment, then one of 2^63-1 bytes: the sum does not fit 63 bits", "Close 1009 before the payload", func(l *link, _ int) error {
		l.write(segWhole, l.encode(frame{op: opBin, payload: noise(1000)}, frame{fin: true, op: opCont, declare: 1<<63 - 1}))
		return fails(1009)(l)
	})
	s.must("10.4-many-empty-fragments", "a million empty fragments: an echo, or a limit on their number", "exact echo, or Close 1009 or 1008", func(l *link) error {
		b := l.encode(first("a"))
		e := l.encode(more(""))
		for range 1000 {
			b = append(b, e...)
		}
		head := len(b) - 1000*len(e)
		l.write(segWhole, b)
		for range 999 {
			l.write(segWhole, b[head:])
		}
		l.write(segWhole, l.encode(last("z")))
		return echoOrFail(opText, []byte("az"), 1009, 1008)(l)
	})
	s.must("10.4-slow-million", "a message of 1 MiB whose payload begins late", wantsEcho, func(l *link) error {
		p := noise(1 << 20)
		b := l.encode(binf(p))
		l.write(segAt(14), b)
		return steps(wantBin(p), closes)(l)
	})
}

// slowReader asks what becomes of echoes while the suite does not read: none may be lost
// or reordered, and the peer has to serve the connection again when it does.
func (s *list) slowReader() {
	for _, n := range []int{1 << 10, 64 << 10, 1 << 20} {
		count := (16 << 20) / n
		s.must(fmt.Sprintf("5.2-slow-reader-%d", n), fmt.Sprintf("16 MiB of messages of %d bytes from a suite that reads nothing until the peer stops reading, or all is sent", n), "every echo in order",
			within(n, func(l *link) error {
				l.in.gate.Lock()
				p := noise(n)
				sent := make(chan struct{}, count)
				done := make(chan struct{})
				go func() { // ends with the writes, or with the connection
					defer close(done)
					for i := range count {
						l.write(segWhole, l.encode(binf(append(p[:n-4:n-4], byte(i>>16), byte(i>>8), byte(i), 'n'))))
						sent <- struct{}{}
					}
				}()
				untilStuck(sent, count)
				l.in.gate.Unlock()
				for i := range count {
					if err := wantBin(append(p[:n-4:n-4], byte(i>>16), byte(i>>8), byte(i), 'n'))(l); err != nil {
						return fmt.Errorf("message %d: %w", i+1, err)
					}
				}
				<-done
				return closes(l)
			}))
		s.heavy()
	}
}

// untilStuck waits until all is sent, or nothing more for a while.
func untilStuck(sent <-chan struct{}, count int) {
	for range count {
		select {
		case <-sent:
		case <-time.After(300 * time.Millisecond):
			return
		}
	}
}

// volume asks for many and large messages, in fragments and TCP segments of many sizes.
func (s *list) volume() {
	for _, k := range kinds {
		for _, n := range []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20} {
			s.must(fmt.Sprintf("5.4-volume-%s-4MiB-by-%d", k.name, n), fmt.Sprintf("a %s message of 4 MiB in fragments of %d bytes", k.name, n), wantsEcho,
				within(4<<20, func(l *link) error { return steps(echoes(segWhole, k.op, k.make(4<<20), n), closes)(l) }))
			s.heavy()
		}
		for _, n := range []int{64, 128, 256, 512, 1024, 2048} {
			s.must(fmt.Sprintf("5.2-volume-%s-256KiB-segments-%d", k.name, n), fmt.Sprintf("a %s message of 256 KiB in TCP segments of %d bytes", k.name, n), wantsEcho,
				func(l *link) error {
					quick := func(_ *rand.Rand, left int) (int, bool) { return min(n, left), left%(64*n) == 0 }
					return steps(echoes(quick, k.op, k.make(256<<10), 0), closes)(l)
				})
		}
		for _, n := range []int{0, 16, 64, 256, 1024, 4096, 16384, 65536} {
			count := min(1000, (8<<20)/(n+1))
			s.must(fmt.Sprintf("5.2-volume-%s-%d-times-%d", k.name, count, n), fmt.Sprintf("%d %s messages of %d bytes, each after the last one's echo", count, k.name, n), "every echo",
				func(l *link) error {
					p := k.make(n)
					for range count {
						if err := echoes(segWhole, k.op, p, 0)(l); err != nil {
							return err
						}
					}
					return closes(l)
				})
			s.must(fmt.Sprintf("5.2-volume-%s-%d-piped-%d", k.name, count, n), fmt.Sprintf("%d %s messages of %d bytes without waiting", count, k.name, n), "every echo in order",
				func(l *link) error {
					p := k.make(n)
					b := l.encode(frame{fin: true, op: k.op, payload: p})
					go func() { // ends with the writes, or with the connection
						for range count {
							l.write(segWhole, b)
						}
					}()
					for range count {
						if err := want(k.op, p)(l); err != nil {
							return err
						}
					}
					return closes(l)
				})
		}
	}
}
