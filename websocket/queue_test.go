package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/d74363f0/strand"
)

// stalled returns a server's connection whose client does not read, and the client.
func stalled(t testing.TB, transport string, o *Options) (*Conn, *raw, *tester) {
	t.Helper()
	h := newTester()
	conns := make(chan *Conn, 1)
	h.open = func(c *Conn) { conns <- c }
	r := rawDial(t, serve(t, transport, o, func() Handler { return h }), "", "")
	return <-conns, r, h
}

// numbered is a message of 10 KiB that begins with its number.
func numbered(i int) []byte {
	return append([]byte(strconv.Itoa(i)+" "), make([]byte, 10<<10)...)
}

// number reads the number of a received message.
func number(t *testing.T, p string) int {
	t.Helper()
	s, _, _ := strings.Cut(p, " ")
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("received %.40q", p)
	}
	return n
}

// fill writes messages until the connection's queue has refused or dropped some.
func fill(t *testing.T, c *Conn, write func(i int) error) int {
	t.Helper()
	for i := range 100_000 {
		err := write(i)
		d := c.Drops()
		if d.Refused+d.Newest+d.Oldest+d.Superseded > 20 {
			return i + 1
		}
		if err != nil && !errors.Is(err, ErrQueueFull) {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	t.Fatal("the queue never filled")
	return 0
}

// hazard 76
func TestQueuePolicies(t *testing.T) {
	policies := map[string]QueuePolicy{"refuse": RefuseNew, "newest": DropNewest, "oldest": DropOldest, "latest": KeepLatest}
	each(t, func(t *testing.T, transport string) {
		for name, policy := range policies {
			t.Run(name, func(t *testing.T) { testPolicy(t, transport, policy) })
		}
	})
}

func testPolicy(t *testing.T, transport string, policy QueuePolicy) {
	const limit = 300 << 10
	c, r, h := stalled(t, transport, &Options{MaxQueued: limit, Queue: policy})
	written := fill(t, c, func(i int) error {
		if policy == KeepLatest {
			return c.WriteKeyed(fmt.Sprint("key", i%5), Binary, numbered(i))
		}
		return c.WriteMessage(Binary, numbered(i))
	})
	if n := c.Buffered(); n > 2*limit {
		t.Errorf("%d bytes wait, the limit is %d", n, limit)
	}
	// A control frame is exempt, and the close frame arrives behind what waits.
	d := c.Drops()
	if err := c.WriteClose(4001, "end"); err != nil {
		t.Fatal(err)
	}
	got, last := 0, -1
	for {
		f, p := r.receive()
		if f == 0x88 {
			if p != "\x0f\xa1end" {
				t.Errorf("close %q", p)
			}
			break
		}
		n := number(t, p)
		if policy == KeepLatest {
			last = max(last, n)
		} else if n <= last {
			t.Fatalf("message %d after %d", n, last)
		} else {
			last = n
		}
		got++
	}
	if uint64(got)+d.Refused+d.Newest+d.Oldest+d.Superseded != uint64(written) {
		t.Errorf("%d written, %d received, dropped %+v", written, got, d)
	}
	if (policy == DropOldest || policy == KeepLatest) != (last == written-1) {
		t.Errorf("the last of %d messages to arrive is %d", written, last)
	}
	want := map[QueuePolicy]uint64{RefuseNew: d.Refused, DropNewest: d.Newest, DropOldest: d.Oldest, KeepLatest: d.Superseded}[policy]
	if want <= 20 {
		t.Errorf("drops: %+v", d)
	}
	r.send(frame(0x88, "\x0f\xa1"))
	h.wait(t)
}

func TestCloseSlow(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		c, _, h := stalled(t, transport, &Options{MaxQueued: 100 << 10, Queue: CloseSlow})
		var err error
		for i := 0; err == nil; i++ {
			if err = c.WriteMessage(Binary, numbered(i)); i > 100_000 {
				t.Fatal("never closed")
			}
		}
		if !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		if e := h.wait(t); e.Code != Policy || !e.Local || e.Cause != errSlow {
			t.Errorf("OnClose received %+v", e)
		}
	})
}

// TestWriteTimeout: a peer that takes nothing is given up.
func TestWriteTimeout(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		c, _, h := stalled(t, transport, &Options{WriteTimeout: 100 * time.Millisecond})
		// The kernel's buffers must be full too, which is not so when ours just was.
		for i := 0; !errors.Is(c.WriteMessage(Binary, numbered(i)), ErrClosed); i++ {
			if i%100 == 99 {
				time.Sleep(time.Millisecond)
			}
		}
		if e := h.wait(t); e.Code != Abnormal || !e.Local || !errors.Is(e, os.ErrDeadlineExceeded) {
			t.Errorf("OnClose received %+v", e)
		}
	})
}

// TestSendWaits: Send neither loses nor reorders, and its context ends it.
func TestSendWaits(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		c, r, h := stalled(t, transport, &Options{MaxQueued: 50 << 10})
		const n = 2000
		done := make(chan error, 1)
		go func() {
			for i := range n {
				if err := c.Send(context.Background(), Binary, numbered(i)); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		time.Sleep(20 * time.Millisecond)
		if b := c.Buffered(); b > 100<<10 {
			t.Errorf("%d bytes wait", b)
		}
		for i := range n {
			if _, p := r.receive(); number(t, p) != i {
				t.Fatalf("message %d is %.20q", i, p)
			}
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		var err error
		for err == nil {
			err = c.Send(ctx, Binary, make([]byte, 100<<10))
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		_ = c.Abort()
		if e := h.wait(t); e.Code != Abnormal || !e.Local {
			t.Errorf("OnClose received %+v", e)
		}
		if err := c.Send(context.Background(), Binary, nil); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
}

// TestSendBesideDrops: Send waits, on the strand too, where other writes drop what
// is old, and a Writer holds both up.
func TestSendBesideDrops(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		h := newTester()
		const n = 300
		h.message = func(c *Conn, _ MessageType, _ []byte) {
			w, err := c.Writer(context.Background(), Text)
			if err != nil {
				t.Error(err)
				return
			}
			go func() {
				_, _ = io.WriteString(w, "streamed")
				time.Sleep(5 * time.Millisecond)
				_ = w.Close()
			}()
			for i := range n {
				if err := c.WriteMessage(Binary, numbered(1000+i)); err != nil {
					t.Error(err)
				}
				if err := c.Send(context.Background(), Binary, numbered(i)); err != nil {
					t.Error(err)
				}
			}
			if err := c.WaitWrite(context.Background()); err != nil {
				t.Error(err)
			}
			_ = c.WriteClose(4002, "")
		}
		url := serve(t, transport, &Options{MaxQueued: 200 << 10, Queue: DropOldest}, func() Handler { return h })
		r := rawDial(t, url, "", frame(0x81, "go"))
		sent, last := 0, -1
		for {
			f, p := r.receive()
			if f == 0x88 {
				break
			}
			if f&0x0f != 2 {
				continue
			}
			if i := number(t, p); i < 1000 {
				if sent++; i <= last {
					t.Fatalf("message %d after %d", i, last)
				}
				last = i
			}
		}
		if sent == 0 || last != n-1 {
			t.Errorf("%d messages, the last %d", sent, last)
		}
		r.send(frame(0x88, "\x0f\xa2"))
		h.wait(t)
	})
}

// TestWriter: streamed messages, with others written meanwhile.
func TestWriter(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		c, r, _ := stalled(t, transport, &Options{MaxQueued: 100 << 10})
		done := make(chan error, 1)
		big := strings.Repeat("0123456789abcdef", 40_000)
		go func() {
			w, err := c.Writer(context.Background(), Text)
			if err != nil {
				done <- err
				return
			}
			if _, err = c.Writer(context.Background(), Text); err != ErrStreaming {
				t.Error("a second Writer:", err)
			}
			if err = c.WriteMessage(Binary, []byte("later")); err != nil {
				t.Error(err)
			}
			if err = c.Ping([]byte("between")); err != nil {
				t.Error(err)
			}
			if _, err = io.WriteString(w, big); err == nil {
				err = w.Close()
			}
			if _, e := w.Write([]byte("x")); e == nil || w.Close() != nil {
				t.Error("a Write after Close")
			}
			done <- err
		}()
		r.expect(0x89, "between")
		var all string
		for n := 0; ; n++ {
			f, p := r.receive()
			all += p
			if want := byte(1); n == 0 && f != want || n > 0 && f&0x0f != 0 {
				t.Fatalf("frame %d has the first byte %02x", n, f)
			}
			if f&0x80 != 0 {
				break
			}
		}
		if all != big {
			t.Errorf("%d bytes arrived of %d", len(all), len(big))
		}
		r.expect(0x82, "later")
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		w, err := c.Writer(context.Background(), Binary)
		if err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		r.expect(0x82, "")
	})
}

// pieces is a FrameHandler.
type pieces struct {
	*tester
	got  strings.Builder
	n    int
	done chan string
}

func (h *pieces) OnFrame(_ *Conn, _ MessageType, piece []byte, last bool) {
	h.got.Write(piece)
	if h.n++; last {
		h.done <- h.got.String()
		h.got.Reset()
	}
}

// TestFrameHandler: messages arrive in pieces, larger ones than could be held.
func TestFrameHandler(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		for _, comp := range []*Compression{nil, {Threshold: -1}} {
			h := &pieces{tester: newTester(), done: make(chan string, 10)}
			url := serve(t, transport, &Options{MaxMessage: -1, Compression: comp}, func() Handler { return h })
			ch := newTester()
			c := dial(t, url, ch, &DialOptions{Options: Options{MaxQueued: 64 << 20, Compression: comp}})
			for _, n := range []int{0, 1, 4096, 70_000, 5 << 20} {
				msg := strings.Repeat("é", n/2) + strings.Repeat("x", n%2)
				if err := c.WriteMessage(Text, []byte(msg)); err != nil {
					t.Fatal(err)
				}
				if got := receive(t, h.done); got != msg {
					t.Fatalf("%d bytes: %d arrived", n, len(got))
				}
			}
			if h.n < 50 {
				t.Errorf("only %d pieces", h.n)
			}
			w, err := c.Writer(context.Background(), Text)
			if err != nil {
				t.Fatal(err)
			}
			for range 5 {
				if _, err = io.WriteString(w, "part"); err != nil {
					t.Fatal(err)
				}
			}
			if err = w.Close(); err != nil || receive(t, h.done) != "partpartpartpartpart" {
				t.Fatal("streamed message", err)
			}
			_ = c.Close()
			if e := ch.wait(t); e.Code != Normal {
				t.Error(e)
			}
		}
	})
}

// TestPrepared: one message to plain and compressed connections, beside others
// that move their windows. hazard 183
func TestPrepared(t *testing.T) {
	text := strings.Repeat("prepared once, sent to many; ", 30)
	p := Prepare(Text, []byte(text))
	for _, comp := range []*Compression{nil, {}, {ServerBits: 9}, {ServerNoTakeover: true}} {
		h := newTester()
		h.message = func(c *Conn, mt MessageType, msg []byte) {
			for range 3 {
				if c.WritePrepared(p) != nil || c.WriteMessage(mt, msg) != nil {
					t.Error("write failed")
				}
			}
		}
		url := serve(t, "strand", &Options{Compression: comp}, func() Handler { return h })
		ch, got := collector()
		c := dial(t, url, ch, &DialOptions{Options: Options{Compression: comp}})
		own := strings.Repeat("sent to this one, prepared; ", 30)
		if c.WriteMessage(Text, []byte(own)) != nil || c.WritePrepared(p) != nil {
			t.Fatal("write failed")
		}
		for i := range 12 {
			want := text
			if i%2 == 1 && i < 6 {
				want = own
			}
			if s := receive(t, got); s != want {
				t.Fatalf("message %d: %.60q", i, s)
			}
		}
	}
}

// TestWaitWriteBesideWriter: an open Writer alone does not keep WaitWrite, only what waits behind it.
func TestWaitWriteBesideWriter(t *testing.T) {
	c, _, _ := stalled(t, "strand", &Options{MaxQueued: 1000})
	w, err := c.Writer(context.Background(), Text)
	if err != nil {
		t.Fatal(err)
	}
	wait := func(d time.Duration) error {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		defer cancel()
		return c.WaitWrite(ctx)
	}
	if err = wait(3 * time.Second); err != nil {
		t.Errorf("with nothing queued: %v", err)
	}
	if err = c.WriteMessage(Text, make([]byte, 600)); err != nil {
		t.Fatal(err)
	}
	if err = wait(20 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with more than half queued: %v", err)
	}
	if err = w.Close(); err != nil {
		t.Fatal(err)
	}
	if err = wait(3 * time.Second); err != nil {
		t.Errorf("behind the Writer: %v", err)
	}
	_ = c.Abort()
}

// TestWriterBehindQueue: what keeps a Writer from beginning is not always a Writer.
func TestWriterBehindQueue(t *testing.T) {
	c, _, _ := stalled(t, "strand", &Options{MaxQueued: 300 << 10, Queue: DropOldest})
	jam(t, c)
	if _, err := c.Writer(context.Background(), Text); !errors.Is(err, ErrQueueFull) {
		t.Errorf("behind a queue: %v", err)
	}
	_ = c.Abort()
	c, _, _ = stalled(t, "strand", nil)
	if _, err := c.Writer(context.Background(), Text); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Writer(context.Background(), Text); !errors.Is(err, ErrStreaming) {
		t.Errorf("beside a Writer: %v", err)
	}
	_ = c.Abort()
}

// drainer is a DrainHandler that notes how many messages waited at each OnDrained.
type drainer struct {
	*tester
	on    bool // strand only
	waits chan int
}

func (h *drainer) OnDrained(c *Conn) {
	if !h.on {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h.waits <- len(c.x.pending.list)
}

// TestDrainedMeansDrained: OnDrained is not called while messages wait for the peer, and then it is.
func TestDrainedMeansDrained(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		h := &drainer{tester: newTester(), waits: make(chan int, 10_000)}
		conns := make(chan *Conn, 1)
		h.open = func(c *Conn) { conns <- c }
		o := &Options{MaxQueued: 4 << 20, Queue: DropOldest}
		r := rawDial(t, serve(t, transport, o, func() Handler { return h }), "", "")
		c := <-conns
		n := fill(t, c, func(i int) error { return c.WriteMessage(Binary, numbered(i)) })
		on := make(chan bool)
		_ = c.Post(func(*Conn) { h.on = true; close(on) }) // what is written is written: nothing is added beside OnDrained
		<-on
		for last := -1; last < n-1; {
			_, p := r.receive()
			last = number(t, p)
		}
		select {
		case k := <-h.waits:
			if k > 0 {
				t.Errorf("OnDrained while %d messages waited", k)
			}
		case <-time.After(10 * time.Second):
			t.Error("no OnDrained")
		}
		_ = c.Abort()
	})
}

// TestTooLargeIsNotClosed: a refused message is no end of the connection.
func TestTooLargeIsNotClosed(t *testing.T) {
	if err := closedError(strand.ErrTooLarge); err != strand.ErrTooLarge {
		t.Error(err)
	}
	if err := closedError(io.ErrClosedPipe); err != ErrClosed {
		t.Error(err)
	}
}

// TestMostQueued: no bound is so large that the transport, which counts in an int32, would refuse what waits in both
// queues at a close.
func TestMostQueued(t *testing.T) {
	for _, tt := range [][2]int{{-1, DefaultMaxQueued}, {0, DefaultMaxQueued}, {1, 1}, {mostQueued, mostQueued}, {math.MaxInt32, mostQueued}, {math.MaxInt, mostQueued}} {
		in, want := tt[0], tt[1]
		for _, policy := range []QueuePolicy{RefuseNew, DropOldest} {
			o := &Options{MaxQueued: in, Queue: policy}
			if n := o.maxQueued(); n != want || n+o.transportLimit() > math.MaxInt32/2+1 {
				t.Errorf("MaxQueued %d: %d, and %d in the transport", in, n, o.transportLimit())
			}
		}
	}
}
