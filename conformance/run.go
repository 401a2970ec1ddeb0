package conformance

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand"
	"net"
	"net/url"
	"regexp"
	"sync"
	"time"
)

// Options tune a run. The zero value is useful.
type Options struct {
	// Timeout bounds each wait for the peer; 15 seconds if 0.
	Timeout time.Duration
	// Parallel is how many cases run at once; 16 if 0.
	Parallel int
	// Limit is the longest message in bytes that the peer is set to take. The cases
	// about limits are declined if it is 0, and so are messages longer than it.
	Limit int64
	// OriginChecked says that the server under test refuses foreign Origins with 403;
	// otherwise it may take them.
	OriginChecked bool
	// TLS is the client side's configuration for a wss URL, and the suite's own
	// (with a certificate) when it plays a wss server; nil means plain TCP there.
	TLS *tls.Config
	// Match chooses cases by id; nil takes all.
	Match *regexp.Regexp
	// Seed makes segmentation and data repeatable; 1 if 0.
	Seed int64
}

func (o Options) withDefaults() *Options {
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Second
	}
	if o.Parallel == 0 {
		o.Parallel = 16
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	return &o
}

// EchoClient is a client under test. It connects to url, offering permessage-deflate if
// deflate is true, sends every message back until the connection ends, and then returns.
// Its error is only a note in the report; it is judged by what it does on the wire.
type EchoClient func(ctx context.Context, url string, deflate bool) error

// RunServer asks every server case of the echo server at rawURL (ws or wss).
func RunServer(ctx context.Context, rawURL string, o Options) Report {
	u, err := url.Parse(rawURL)
	if err == nil && u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), map[string]string{"ws": "80", "wss": "443"}[u.Scheme])
	}
	if err == nil && u.Scheme != "ws" && u.Scheme != "wss" {
		err = fmt.Errorf("scheme %q", u.Scheme)
	}
	return run(ctx, ServerCases(), &o, func(e *env) error {
		e.url = u
		return err
	})
}

// RunClient listens on addr ("127.0.0.1:0" if empty) and asks every client case of
// client, which is called once or more for each.
func RunClient(ctx context.Context, addr string, client EchoClient, o Options) Report {
	h, err := listenHub(addr, o.TLS)
	if err == nil {
		defer h.close()
	}
	return run(ctx, ClientCases(), &o, func(e *env) error {
		e.hub, e.client = h, client
		return err
	})
}

func run(ctx context.Context, cases []Case, o *Options, prepare func(*env) error) Report {
	o = o.withDefaults()
	var rep Report
	for _, c := range cases {
		if o.Match == nil || o.Match.MatchString(c.ID) {
			rep.Results = append(rep.Results, Result{Case: c})
		}
	}
	work := make(chan *Result)
	heavy := make(chan struct{}, 2)
	var wg sync.WaitGroup
	for range o.Parallel {
		wg.Go(func() {
			for r := range work {
				if r.Case.heavy {
					heavy <- struct{}{}
				}
				r.Err = runCase(ctx, r.Case, o, prepare)
				r.Status = statusOf(r.Case, r.Err)
				if r.Case.heavy {
					<-heavy
				}
			}
		})
	}
	for i := range rep.Results {
		work <- &rep.Results[i]
	}
	close(work)
	wg.Wait()
	return rep
}

func runCase(ctx context.Context, c Case, o *Options, prepare func(*env) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	h := fnv.New64a()
	h.Write([]byte(c.ID))
	seed := o.Seed ^ int64(h.Sum64())
	e := &env{ctx: ctx, c: c, opt: o, rng: rand.New(rand.NewSource(seed))}
	if err := prepare(e); err != nil {
		return err
	}
	err = c.run(e)
	if err2 := e.done(); err == nil {
		err = err2
	}
	if err != nil {
		return fmt.Errorf("%w (seed %d)", err, o.Seed)
	}
	return nil
}

// env is what one run of one case has at hand.
type env struct {
	ctx   context.Context
	c     Case
	opt   *Options
	rng   *rand.Rand
	conns []net.Conn

	url *url.URL // server role: whom to call

	hub    *hub // client role: where the client comes from
	client EchoClient
	calls  []*call
}

// call is one run of the client under test.
type call struct {
	stop context.CancelFunc
	done chan struct{}
	err  error
}

// done closes what the case opened and sees the client under test return.
func (e *env) done() error {
	for _, c := range e.conns {
		c.Close()
	}
	var err error
	for _, c := range e.calls {
		select {
		case <-c.done:
		case <-time.After(e.opt.Timeout):
			err = errors.New("the client does not notice that its connection ended")
		}
		c.stop()
	}
	return err
}

// dial opens a connection to the server under test.
func (e *env) dial() (net.Conn, error) {
	d := net.Dialer{Timeout: e.opt.Timeout}
	c, err := d.DialContext(e.ctx, "tcp", e.url.Host)
	if err != nil {
		return nil, err
	}
	e.conns = append(e.conns, c)
	if e.url.Scheme == "wss" {
		cfg := &tls.Config{}
		if e.opt.TLS != nil {
			cfg = e.opt.TLS.Clone()
		}
		if cfg.ServerName == "" {
			cfg.ServerName = e.url.Hostname()
		}
		c = tls.Client(c, cfg)
		e.conns[len(e.conns)-1] = c
	}
	return c, nil
}

// open returns a connection after its opening handshake, with permessage-deflate if p is
// not nil: as offered by the suite, or as answered by it.
func (e *env) open(p *params) (*link, error) {
	if e.client != nil {
		return e.openAsServer(p, nil)
	}
	return e.openAsClient(p)
}

func (e *env) openAsClient(p *params) (*link, error) {
	c, err := e.dial()
	if err != nil {
		return nil, err
	}
	q := newRequest(e)
	if p != nil {
		q.set("Sec-WebSocket-Extensions", p.String())
	}
	if _, err := c.Write(q.bytes()); err != nil {
		return nil, err
	}
	br := bufio.NewReader(c)
	r, err := e.readResponse(c, br)
	if err != nil {
		return nil, err
	}
	return e.upgraded(c, br, q, r, p)
}

// upgraded checks the 101 and makes the link.
func (e *env) upgraded(c net.Conn, br *bufio.Reader, q *request, r *response, p *params) (*link, error) {
	if err := r.switches(q); err != nil {
		return nil, err
	}
	l := newLink(c, br, true, e.opt, e.rng)
	x := r.list("Sec-WebSocket-Extensions")
	if p == nil {
		if x != "" {
			return nil, fmt.Errorf("peer broke 4.2.2: extension %q was not offered", x)
		}
		return l, nil
	}
	agreed, err := accepted(*p, x)
	if err != nil {
		return nil, err
	}
	l.codecs(agreed)
	return l, nil
}
