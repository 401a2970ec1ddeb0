package soak

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Config says what to soak and how. The zero value of each field but Seed has a default.
type Config struct {
	// URL of the server under test, http or https; /echo, /ws and /stats are looked for below its path. Empty means
	// a server of our own with hostile handlers, started on Target.
	URL string
	// Target starts the own server when URL is empty; nil means the default of this build.
	Target Target
	// TLS makes the own server speak TLS with a certificate made for the run.
	TLS bool
	// Insecure accepts any certificate from an https URL.
	Insecure bool
	// Time is how long to send; 10 s if zero. Messages in flight at its end are still awaited.
	Time time.Duration
	// Conns is how many connections are open at a time; 64 if zero.
	Conns int
	// Seed determines every byte that is sent and where it is cut.
	Seed uint64
	// Kinds are names and groups with commas between, as in the -kinds flag; all if empty.
	Kinds string
	// MinSize and MaxSize bound message sizes in bytes; 0 and 1 MiB if zero.
	MinSize, MaxSize int
	// Timeout is how long a reply may take before it counts as lost; 30 s if zero.
	Timeout time.Duration
	// Progress, if not nil, is called a few times a second with the state of the run.
	Progress func(*Progress)
}

func (c *Config) defaults() error {
	if c.Time == 0 {
		c.Time = 10 * time.Second
	}
	if c.Conns == 0 {
		c.Conns = 64
	}
	if c.MaxSize == 0 {
		c.MaxSize = 1 << 20
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.Conns < 1 || c.Conns > maxWorkers {
		return fmt.Errorf("-conns has to be from 1 to %d", maxWorkers)
	}
	if c.MinSize < 0 || c.MaxSize < c.MinSize || c.MaxSize > 8<<20 {
		return errors.New("message sizes have to be within 0 and 8 MiB")
	}
	if c.Time < 0 || c.Timeout < 0 {
		return errors.New("negative time")
	}
	return nil
}

// A tally counts what became of one kind's messages.
type tally struct {
	checked atomic.Uint64
	bytes   atomic.Uint64
	class   [classes]atomic.Uint64
	handler atomic.Uint64 // bodies and requests checked inside the server
	conns   atomic.Uint64
	latency hist
}

// A run is one soak in progress.
type run struct {
	cfg    Config
	kinds  []uint8
	keys   *keyring
	addr   string // host:port to dial
	host   string // Host header
	prefix string // path before /echo
	tls    *tls.Config
	own    *checker // nil when the server is somebody else's
	stats  func() map[string]float64

	echoesType bool // the server returns the request's Content-Type

	began   time.Time
	stop    atomic.Bool
	tally   [kindCount]tally
	latency hist
	workers []*worker
	book    book
	deflate atomic.Uint64 // connections on which permessage-deflate was agreed
	plainWS atomic.Uint64 // connections that offered it in vain
	notes   []string      // for the report; written before and after the workers run
}

func (r *run) now() int64 { return int64(time.Since(r.began)) }

// A worker keeps one connection busy, and the next one when it ends.
type worker struct {
	run      *run
	ctx      context.Context
	id       uint16
	kind     uint8
	rng      *rand.Rand
	nextConn uint32
	out      []byte

	mu     sync.Mutex
	sent   [96]sentMark // guarded by mu; the last messages sent, for the naming of short fragments
	sentAt int          // guarded by mu
}

type sentMark struct {
	mark   Mark
	coding Coding
	n      int
}

func (r *run) newWorker(ctx context.Context, id int) *worker {
	return &worker{
		run: r, ctx: ctx, id: uint16(id),
		kind: r.kinds[id%len(r.kinds)],
		rng:  newRand(r.cfg.Seed, uint64(id)),
	}
}

func newRand(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

func (w *worker) remember(m Mark, c Coding, n int) {
	w.mu.Lock()
	w.sent[w.sentAt%len(w.sent)] = sentMark{m, c, n}
	w.sentAt++
	w.mu.Unlock()
}

// over reports whether the time for sending is up.
func (w *worker) over() bool { return w.run.stop.Load() }

func (w *worker) work() {
	for !w.over() {
		kinds[w.kind].session(w)
	}
}

// open connects and returns an empty lane, or nil if the server did not accept; then it has waited a little.
func (w *worker) open() *lane {
	m := Mark{Worker: w.id, Kind: w.kind, Conn: w.nextConn}
	w.nextConn++
	x, err := w.run.dial(w.ctx, m)
	if err != nil {
		w.run.tally[w.kind].class[Refused].Add(1)
		w.run.book.refusal(err)
		time.Sleep(time.Duration(20+w.rng.IntN(30)) * time.Millisecond)
		return nil
	}
	w.run.tally[w.kind].conns.Add(1)
	l := &lane{w: w, x: x, mark: m}
	l.next = l.nextReply
	return l
}

// size draws a message size: mostly small, some around the sizes where buffers end, few large.
func (w *worker) size(limit int) int {
	lo, hi := w.run.cfg.MinSize, min(w.run.cfg.MaxSize, limit)
	var n int
	switch d := w.rng.IntN(1000); {
	case d < 30:
		n = 0
	case d < 430:
		n = 1 + w.rng.IntN(64)
	case d < 830:
		n = 65 + w.rng.IntN(960)
	case d < 920:
		n = 1024 + w.rng.IntN(7<<10)
	case d < 970:
		n = 1<<(9+w.rng.IntN(8)) + w.rng.IntN(5) - 2
	case d < 998:
		n = 8<<10 + w.rng.IntN(56<<10)
	default:
		n = 64<<10 + w.rng.IntN(960<<10+1)
	}
	return max(lo, min(n, hi))
}

func (w *worker) coding() Coding {
	switch w.rng.IntN(10) {
	case 0, 1:
		return Hex
	case 2:
		return Words
	}
	return Binary
}

// judgeFor returns a judge for what the connection m receives. It recalls what every worker has sent lately, as of now.
func (r *run) judgeFor(m Mark) *judge {
	mem := &memory{keys: r.keys}
	for _, w := range r.workers {
		w.mu.Lock()
		mem.sent = append(mem.sent, w.sent[:min(w.sentAt, len(w.sent))]...)
		w.mu.Unlock()
	}
	return &judge{keys: r.keys, conn: m, recall: mem.recall}
}

// A memory holds the messages sent lately by all workers; their bytes are written out again when they are needed.
type memory struct {
	keys *keyring
	sent []sentMark
	text [][]byte
}

func (m *memory) load() {
	m.text = make([][]byte, len(m.sent))
	budget := 8 << 20
	for i, s := range m.sent {
		if s.n <= min(budget, 32<<10) {
			budget -= s.n
			m.text[i] = m.keys.appendPayload(nil, s.mark, s.coding, 0, s.n)
		}
	}
}

// recall looks a fragment up in the messages that were sent lately.
func (m *memory) recall(frag []byte) (origin, bool) {
	if m.text == nil {
		m.load()
	}
	for i, t := range m.text {
		if at := bytes.Index(t, frag); at >= 0 {
			return origin{mark: m.sent[i].mark, coding: m.sent[i].coding, off: at}, true
		}
	}
	return origin{}, false
}

// aim fills in where to connect.
func (r *run) aim(raw string) error {
	if !strings.Contains(raw, "://") { // url.Parse takes a host for a path or a scheme
		return fmt.Errorf("%q is not a URL; want http://%s", raw, raw)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return err
	}
	port := "80"
	switch u.Scheme {
	case "http", "ws":
	case "https", "wss":
		port = "443"
		r.tls = &tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: r.cfg.Insecure, NextProtos: []string{"http/1.1"}}
	default:
		return fmt.Errorf("%q is not an http or https URL", raw)
	}
	if u.Hostname() == "" {
		return fmt.Errorf("%q names no host", raw)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	r.addr = net.JoinHostPort(u.Hostname(), port)
	r.host = u.Host
	r.prefix = strings.TrimSuffix(u.EscapedPath(), "/")
	return nil
}
