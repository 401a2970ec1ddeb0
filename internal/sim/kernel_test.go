//go:build linux && !strand_std

package sim

import (
	"fmt"
	"slices"
	"syscall"

	"github.com/d74363f0/strand/internal/poll"
	"github.com/d74363f0/strand/internal/sock"
)

// kernel is the simulated kernel: a table of descriptors whose numbers are used
// again at once.
type kernel struct {
	w     *world
	files []*file // by number
	free  []int   // the last one closed is the next one opened
	sys   *sock.System
}

// file is our end of a connection, or a listener. Guarded by world.mu.
type file struct {
	num      int
	c        *client // nil for a listener
	listener bool
	backlog  []*file

	in       []byte // arrived and not read
	fin, rst bool   // what arrived behind it
	told     bool   // the reset was reported
	out      []byte // taken and not received by the client
	room     int    // the most that out holds
	full     bool   // the last write was refused: room is news
	shut     bool   // we shut our direction
	linger   bool   // the close will be a reset
	closed   bool
	inCall   int // reads in flight

	p     *poller // where it is watched, or nil
	token uint64
	edge  bool // it has news that the poller has not told
}

func newKernel(w *world) *kernel {
	k := &kernel{w: w, files: make([]*file, 7)} // numbers below 7 are never ours
	k.sys = &sock.System{Kernel: k}
	return k
}

// open gives f a number.
func (k *kernel) open(f *file) int {
	if n := len(k.free); n > 0 {
		f.num = k.free[n-1]
		k.free = k.free[:n-1]
		k.files[f.num] = f
		return f.num
	}
	f.num = len(k.files)
	k.files = append(k.files, f)
	return f.num
}

// use finds the file of a number that a call names. world.mu is held.
func (k *kernel) use(fd int, call string) *file {
	if fd < 0 || fd >= len(k.files) || k.files[fd] == nil {
		k.w.failLocked("%s on descriptor %d, which is closed", call, fd)
		return nil
	}
	return k.files[fd]
}

// alive returns the number of open files that are no listeners.
func (k *kernel) alive() int {
	n := 0
	for _, f := range k.files {
		if f != nil && !f.listener {
			n++
		}
	}
	return n
}

func (k *kernel) Read(fd, max int) ([]byte, syscall.Errno) {
	w := k.w
	w.mu.Lock()
	defer w.mu.Unlock()
	f := k.use(fd, "read")
	if f == nil {
		return nil, syscall.EBADF
	}
	if w.chance(w.f.eintr) {
		w.log("read %v: EINTR", f)
		return nil, syscall.EINTR
	}
	k.hold(f, "before read")
	data, errno := f.read(max)
	w.log("read %v, %d at most: %d bytes, %v", f, max, len(data), name(errno))
	k.hold(f, "after read")
	return data, errno
}

// hold may keep a call in flight while others go on. world.mu is held, but not
// meanwhile.
func (k *kernel) hold(f *file, when string) {
	if !k.w.chance(k.w.f.hold) {
		return
	}
	f.inCall++
	k.w.mu.Unlock()
	k.w.Turn(uint64(f.num), when)
	k.w.mu.Lock()
	f.inCall--
	if f.closed {
		k.w.failLocked("close of %v while a read is in flight", f)
	}
}

func (f *file) read(max int) ([]byte, syscall.Errno) {
	if len(f.in) > 0 {
		n := min(max, len(f.in))
		data := slices.Clone(f.in[:n])
		f.in = f.in[n:]
		return data, 0
	}
	switch {
	case f.rst && !f.told:
		f.told = true
		return nil, syscall.ECONNRESET
	case f.rst, f.fin:
		return nil, 0
	}
	return nil, syscall.EAGAIN
}

func (k *kernel) Write(fd int, p string) (int, syscall.Errno) {
	w := k.w
	w.mu.Lock()
	defer w.mu.Unlock()
	f := k.use(fd, "write")
	if f == nil {
		return 0, syscall.EBADF
	}
	n, errno := k.write(f, p)
	w.log("write %v, %d bytes: %d, %v", f, len(p), n, name(errno))
	return n, errno
}

func (k *kernel) write(f *file, p string) (int, syscall.Errno) {
	w := k.w
	switch {
	case f.shut:
		w.failLocked("write to %v behind its shutdown", f)
		return 0, syscall.EPIPE
	case w.chance(w.f.eintr):
		return 0, syscall.EINTR
	case f.rst:
		f.told = true
		return 0, syscall.EPIPE
	case w.chance(w.f.enobufs):
		f.c.spoiled = true
		return 0, syscall.ENOBUFS
	}
	n := min(len(p), f.room-len(f.out))
	if n <= 0 {
		f.full = true
		return 0, syscall.EAGAIN
	}
	if n > 1 && w.chance(w.f.short) { // hazard 138
		n = 1 + w.rng.IntN(n-1)
		if w.chance(0.5) {
			n = 1
		}
	}
	f.out = append(f.out, p[:n]...)
	return n, 0
}

func (k *kernel) Accept(fd int) (int, sock.Addr, syscall.Errno) {
	w := k.w
	w.mu.Lock()
	defer w.mu.Unlock()
	l := k.use(fd, "accept")
	if l == nil {
		return -1, sock.Addr{}, syscall.EBADF
	}
	if w.chance(w.f.eintr) {
		return -1, sock.Addr{}, syscall.EINTR
	}
	if len(l.backlog) == 0 {
		return -1, sock.Addr{}, syscall.EAGAIN
	}
	if w.chance(w.f.accept) {
		errno := []syscall.Errno{syscall.EMFILE, syscall.ENOBUFS, syscall.ENFILE}[w.rng.IntN(3)]
		w.log("accept: %v", name(errno))
		return -1, sock.Addr{}, errno
	}
	f := l.backlog[0]
	l.backlog = l.backlog[1:]
	if w.chance(w.f.accept) {
		w.log("accept: ECONNABORTED for %v", f.c) // hazard 133
		f.c.spoiled, f.rst, f.closed = true, true, true
		return -1, sock.Addr{}, syscall.ECONNABORTED
	}
	k.open(f)
	w.log("accept: %v", f)
	return f.num, f.c.addr(), 0
}

func (k *kernel) Shutdown(fd, how int) syscall.Errno {
	w := k.w
	w.mu.Lock()
	defer w.mu.Unlock()
	f := k.use(fd, "shutdown")
	if f == nil {
		return syscall.EBADF
	}
	w.log("shutdown %v", f)
	if f.rst {
		return syscall.ENOTCONN
	}
	if how == syscall.SHUT_WR {
		f.shut = true
		f.news()
	}
	return 0
}

// Unacked counts what the client has not received: a window that is closed.
func (k *kernel) Unacked(fd int) int {
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	if f := k.use(fd, "ioctl"); f != nil {
		return len(f.out)
	}
	return 0
}

func (k *kernel) Reset(fd int) {
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	if f := k.use(fd, "setsockopt"); f != nil {
		f.linger = true
	}
}

func (k *kernel) Close(fd int) syscall.Errno {
	w := k.w
	w.mu.Lock()
	defer w.mu.Unlock()
	f := k.use(fd, "close")
	if f == nil {
		return syscall.EBADF
	}
	if f.inCall > 0 {
		w.failLocked("close of %v while a read is in flight", f)
	}
	if f.p != nil {
		w.failLocked("close of %v while a poller watches it", f)
	}
	k.files[fd] = nil
	k.free = append(k.free, fd)
	f.closed = true
	if len(f.in) > 0 && !f.rst {
		f.linger = true // unread input turns a close into a reset
	}
	w.log("close %v, reset: %v", f, f.linger)
	if w.chance(w.f.close) {
		return []syscall.Errno{syscall.EINTR, syscall.EIO}[w.rng.IntN(2)] // hazard 135
	}
	return 0
}

// news has the poller report f.
func (f *file) news() { f.edge = true }

// mask is what f is ready for.
func (f *file) mask() poll.Ready {
	var r poll.Ready
	if f.listener {
		if len(f.backlog) > 0 {
			r |= poll.Readable
		}
		return r
	}
	if len(f.in) > 0 {
		r |= poll.Readable
	}
	if len(f.out) < f.room {
		r |= poll.Writable
	}
	if f.fin {
		r |= poll.Hangup | poll.Readable
	}
	if f.rst || f.fin && f.shut {
		r |= poll.Dead | poll.Hangup | poll.Readable | poll.Writable
	}
	return r
}

func (f *file) String() string {
	if f.listener {
		return fmt.Sprintf("listener on fd %d", f.num)
	}
	return fmt.Sprintf("fd %d of %v", f.num, f.c)
}

func name(errno syscall.Errno) string {
	switch errno {
	case 0:
		return "ok"
	case syscall.EAGAIN:
		return "EAGAIN"
	}
	return errno.Error()
}

// poller is the simulated readiness call of one loop. Its Wait returns when the
// simulation lets it, with the events that were drawn.
type poller struct {
	w     *world
	num   int
	stale []uint64 // tokens that were deleted

	waiting chan int // nil unless the driver is in Wait
	events  []poll.Event
	block   bool
	woken   bool
	closed  bool
}

func (p *poller) Add(fd int, token uint64) error {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.k.use(fd, "epoll_ctl add")
	if f == nil {
		return syscall.EBADF
	}
	if f.p != nil {
		w.failLocked("%v is watched twice", f)
	}
	if !f.listener && w.chance(w.f.add) {
		w.log("watch %v: ENOMEM", f)
		f.c.spoiled = true
		return syscall.ENOMEM
	}
	f.p, f.token = p, token
	f.news()
	return nil
}

func (p *poller) Delete(fd int) error {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.k.use(fd, "epoll_ctl del")
	if f == nil {
		return syscall.EBADF
	}
	if f.p != p {
		return syscall.ENOENT
	}
	p.stale = append(p.stale, f.token)
	f.p, f.edge = nil, false
	return nil
}

func (p *poller) Wait(events []poll.Event, block bool) (int, error) {
	ch := make(chan int)
	p.w.mu.Lock()
	p.waiting, p.events, p.block = ch, events, block
	p.w.mu.Unlock()
	return <-ch, nil
}

// Look has nothing to do: here whoever waits for events is told of them.
func (p *poller) Look() error { return nil }

func (p *poller) Wake() error {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.closed {
		p.w.failLocked("wake of a closed poller")
	}
	p.woken = true
	return nil
}

func (p *poller) Close() error {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.closed = true
	return nil
}

// ready reports whether the real Wait would return now. world.mu is held.
func (p *poller) ready() bool {
	if p.waiting == nil {
		return false
	}
	if !p.block || p.woken {
		return true
	}
	for _, f := range p.w.k.files {
		if f != nil && f.p == p && f.edge && f.mask() != 0 {
			return true
		}
	}
	return false
}

// grant lets Wait return. world.mu is held.
func (p *poller) grant() {
	w := p.w
	var evs []poll.Event
	for _, f := range w.k.files {
		if f == nil || f.p != p || len(evs) == len(p.events)-1 { // a stale one has room
			continue
		}
		switch {
		case f.edge && (w.calm || !w.chance(w.f.late)):
			f.edge = false
			if m := f.mask(); m != 0 {
				evs = append(evs, poll.Event{Token: f.token, Ready: m})
				w.log("loop %d: event %v: %04b", p.num, f, m)
			}
		case w.chance(w.f.spurious): // hazard 136
			m := poll.Ready(1 + w.rng.IntN(3))
			evs = append(evs, poll.Event{Token: f.token, Ready: m})
			w.log("loop %d: spurious event %v: %04b", p.num, f, m)
		}
	}
	if n := len(p.stale); n > 0 && w.chance(w.f.stale) {
		evs = append(evs, poll.Event{Token: p.stale[w.rng.IntN(n)], Ready: poll.Ready(1 + w.rng.IntN(15))})
		w.log("loop %d: stale event", p.num)
	}
	if !w.calm {
		w.rng.Shuffle(len(evs), func(i, j int) { evs[i], evs[j] = evs[j], evs[i] })
	}
	n := copy(p.events, evs)
	w.log("loop %d goes on: %d events, woken: %v", p.num, n, p.woken)
	p.woken = false
	ch := p.waiting
	p.waiting = nil
	ch <- n
}
