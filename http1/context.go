package http1

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// requestCtx is the context of one request: context.WithCancel and two values in one
// object that lives inside the exchange. Its channel is made when somebody asks for it.
type requestCtx struct {
	parent context.Context
	hc     *conn // for the values; never changed

	mu    sync.Mutex
	done  chan struct{}      // mu: made by Done
	err   error              // mu: set once
	funcs map[*func()]func() // mu: what to call when the context is done
	stop  func() bool        // mu: unhooks from parent
}

// open makes the context follow its parent. The parent is Background unless the server has
// a BaseContext or ConnContext.
func (c *requestCtx) open(parent context.Context, hc *conn) {
	c.parent, c.hc = parent, hc
	if parent.Done() == nil {
		return
	}
	c.mu.Lock() // the parent may be done already
	defer c.mu.Unlock()
	c.stop = context.AfterFunc(parent, func() { c.cancel(parent.Err()) })
}

// Deadline returns the parent's deadline.
func (c *requestCtx) Deadline() (time.Time, bool) { return c.parent.Deadline() }

// Done returns a channel that is closed when the request has ended or its client has gone.
func (c *requestCtx) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

// Err returns nil until the context is done, then context.Canceled or the parent's error.
func (c *requestCtx) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Value returns an *http.Server for http.ServerContextKey, the net.Addr for
// http.LocalAddrContextKey, and the parent's values.
func (c *requestCtx) Value(key any) any {
	switch key {
	case http.ServerContextKey:
		return c.hc.scope.srv.shadow()
	case http.LocalAddrContextKey:
		return c.hc.c.LocalAddr()
	}
	return c.parent.Value(key)
}

// AfterFunc has f called in a goroutine of its own when the context is done. It is what the
// context package looks for, so that contexts derived from this one need no goroutine.
func (c *requestCtx) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go f()
		return func() bool { return false }
	}
	if c.funcs == nil {
		c.funcs = make(map[*func()]func())
	}
	key := &f
	c.funcs[key] = f
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, waits := c.funcs[key]
		delete(c.funcs, key)
		return waits
	}
}

// cancel ends the context; the first call decides the error.
func (c *requestCtx) cancel(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	if c.done != nil {
		close(c.done)
	}
	funcs, stop := c.funcs, c.stop
	c.funcs, c.stop = nil, nil
	c.mu.Unlock()
	if stop != nil {
		stop()
	}
	for _, f := range funcs {
		go f()
	}
}
