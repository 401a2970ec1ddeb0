package main

// mutant is one change that must not go unnoticed.
type mutant struct {
	file    string
	find    string // occurs once in the file
	replace string
	what    string // what is broken
	lives   string // why no test can notice, if none can
}

var mutants = []mutant{
	// Blocks.
	{"internal/buf/pool.go", "	if !b.held.CompareAndSwap(true, false) {", "	if !b.held.Swap(false) && false {",
		"a second Release is accepted", ""},
	{"internal/buf/pool.go", "	b.owner = owner\n", "	_ = owner\n", "a Block keeps the owner before", ""},
	{"internal/buf/pool.go", "	if b.item.queued {", "	if false {", "a queued Block may be released", ""},
	{"internal/buf/block.go", "	return b.mem[b.r:b.w:b.w]", "	return b.mem[b.r:b.w]", "cap for len: Data can be grown into what is behind it", ""},
	{"internal/buf/block.go", "	return b.mem[b.r:b.w:b.w]", "	return b.mem[b.r:]", "cap for len: Data shows what the Block held before", ""},
	{"internal/buf/block.go", "	if b.r == b.w {\n		b.r, b.w = 0, 0\n	}", "	if b.r == b.w {\n	}",
		"an emptied Block is not reset", ""},
	{"internal/buf/queue.go", "	if b.owner != owner {\n		return ErrOwner\n	}\n	if b.item.queued", "	if b.item.queued",
		"the owner is not checked where a Block is queued", ""},
	{"internal/buf/queue.go", "			if it.block.owner != owner {\n				return nil, ErrOwner\n			}\n", "",
		"the owner is not checked where a Block is sent", ""},
	{"internal/buf/queue.go", "		it.block.Consume(n)\n		return\n", "		return\n", "what was sent of a Block is sent again", ""},
	{"internal/buf/queue.go", "		it.block = nil\n		b.Release()\n", "		it.block = nil\n", "a Block that was sent is not released", ""},
	{"internal/buf/queue.go", "				it.str = it.str[n:]\n", "", "what was sent of a string is sent again", ""},

	// Descriptors.
	{"internal/sock/fd_linux.go", "		if s == 0 || s&retired != 0 {\n			return false\n		}\n		if f.state.CompareAndSwap(s, s+1) {",
		"		if s == 0 {\n			return false\n		}\n		if f.state.CompareAndSwap(s, s+1) {", "calls reach a retired descriptor", ""},
	{"internal/sock/fd_linux.go", "	if s == retired {\n		f.close()", "	if s&retired != 0 {\n		f.close()",
		"close does not wait for the calls in flight", ""},
	{"internal/sock/fd_linux.go", "		f.sys.Kernel.Close(int(f.num))\n", "		if f.sys.Kernel.Close(int(f.num)) != 0 {\n			f.sys.Kernel.Close(int(f.num))\n		}\n",
		"close is made again after an error", ""},
	{"internal/sock/fd_linux.go", "		if f.state.CompareAndSwap(s, s|retired) {\n			return true", "		if f.state.CompareAndSwap(s, s) {\n			return true",
		"retire leaves the descriptor usable", ""},
	{"internal/sock/raw_linux.go", "		n, errno := f.read1(p)\n		if errno != syscall.EINTR {", "		n, errno := f.read1(p)\n		if true {",
		"a read that was interrupted is not made again", ""},

	// The loop.
	{"internal/loop/slots.go", "	if !s.live || s.gen != uint32(token>>32) {", "	if !s.live {", "an event of a slot's former source reaches the next one", ""},
	{"internal/loop/handoff.go", "	if !l.word.CompareAndSwap(w, w+1) {\n		return false\n	}\n	l.stats.handOffs", "	l.word.CompareAndSwap(w, w+1)\n	l.stats.handOffs",
		"a hand-off does not look whether it won the loop", ""},
	{"internal/loop/handoff.go", "	return l.word.CompareAndSwap(ticket, ticket-1)", "	l.word.CompareAndSwap(ticket, ticket-1)\n	return true",
		"a driver that was replaced goes on", ""},
	{"internal/loop/handoff.go", "	if !l.word.CompareAndSwap(w, w+1) {\n		return\n	}\n	l.stats.noticed", "	l.word.Store(w + 1)\n	l.stats.noticed",
		"the watchdog takes the loop from a driver that has moved on", ""},
	{"internal/loop/handoff.go", "	return l.word.Load()&1 == 1 && l.curID.Load() == id", "	return l.word.Load()&1 == 1",
		"whoever writes while another's callback runs is corked, and nobody uncorks", ""},
	{"internal/loop/loop.go", "	l.pending.Store(true)\n	if l.asleep", "	if l.asleep", "what is posted is not announced", ""},
	{"internal/loop/loop.go", "	if l.asleep.Load() {\n		l.wake()\n	}", "	if l.asleep.Load() && false {\n		l.wake()\n	}", "a sleeping driver is not woken", ""},
	{"internal/loop/loop.go", "	if l.pending.Load() || l.stop {\n		l.asleep.Store(false)", "	if l.stop {\n		l.asleep.Store(false)",
		"the driver goes to sleep without a last look", ""},
	{"internal/loop/loop.go", "!Before(when, l.alarmT) && Before(now, l.alarmT)", "!Before(when, l.alarmT) && Before(l.nowT.Load(), l.alarmT)",
		"an alarm that has rung counts as set", ""},
	{"internal/loop/loop.go", "		l.wheel.disarm(&l.slots, i)\n		l.slots.give(i)", "		l.slots.give(i)", "the timer of a source that has gone stays armed", ""},
	{"internal/loop/wheel.go", "		if !Before(w.tick, t.at(i).when) || !Before(now, t.at(i).when) {", "		if true {", "a timer of a later turn of the wheel fires early", ""},
	{"internal/loop/wheel.go", "	if !Before(w.tick, when) { // past", "	if false { // past", "a timer in the past waits for a whole turn of the wheel", ""},
	{"internal/loop/wheel.go", "		w.full[b/64] &^= 1 << (b % 64)\n", "", "the wheel wakes for buckets that are empty", ""},

	// A connection's state.
	{"conn_close.go", "	if c.phase == closed {\n		return\n	}\n	c.phase = closed", "	c.phase = closed", "a connection is ended twice",
		"whoever calls it has looked at the phase under the same lock; it is the second one"},
	{"conn_close.go", "	c.link.retire()\n	c.lp.dropped", "	c.lp.dropped", "a closed connection can still be written", ""},
	{"conn_close.go", "		c.link.unwatch(c.lp)\n", "", "the poller is not told before the close", ""},
	{"conn_close.go", "		c.lp.Unlink(c.token)\n", "", "the slot is not given up", ""},
	{"conn_close.go", "	c.lp.AtEnd(c.released)\n", "	c.released()\n", "the descriptor is closed before the end of the batch",
		"the generation in the token, the second lock, drops what the batch still holds"},
	{"conn_close.go", "	c.lp.AtEnd(c.released)\n", "	c.lp.AtEnd(c.released)\n	c.lp.AtEnd(c.released)\n", "the owner's reference is given back twice", ""},
	{"conn_state.go", "		if wake {\n			n &^= stParked\n		}", "		if wake && false {\n			n &^= stParked\n		}", "whoever wakes a reader leaves it marked as parked",
		"the mark is cleared by the next news, and the channel holds one wake-up: the reader looks once too often"},
	{"conn_state.go", "		if s&news != 0 {\n			return false\n		}", "", "a reader parks although there is news", ""},
	{"conn_state.go", "		if runnable(s) != 0 {\n			return false\n		}\n		if c.state.CompareAndSwap(s, s&^stBusy)", "		if c.state.CompareAndSwap(s, s&^stBusy)",
		"the strand is let go of while events wait", ""},
	{"conn_state.go", "		claimed = s&stBusy == 0 && runnable(n) != 0", "		claimed = runnable(n) != 0", "two goroutines hold the strand", ""},
	{"conn_run.go", "		c.state.Or(stClosed)\n		c.handler.OnClose(c, c.reason())", "		c.handler.OnClose(c, c.reason())\n		c.handler.OnClose(c, c.reason())",
		"OnClose is called twice", ""},
	{"conn_run.go", "		bits |= stHup | stRead", "		bits |= stHup", "the end of the input is no news",
		"each poller reports Readable with Hangup; it is the contract's second lock"},
	{"conn_run.go", "	if !driving || c.outSize.Load() != 0 && !c.lp.Defer(c) {\n		c.uncork()\n	}\n", "	if driving {\n		c.lp.Defer(c)\n	}\n", "what was gathered is not sent when the callback returns", ""},
	{"conn_run.go", " && !c.is(stPaused) && c.opened() {", " && !c.is(stPaused) {", "a handler that has called Close is offered its input in circles", ""},
	{"conn_run.go", "	if c.take(stRead) && c.alive() {", "	if c.take(stRead) {", "OnReadable of a connection that was aborted", ""},
	{"conn_timeout.go", "		c.readBy.Store(0)\n		c.clear(stReadT)\n		return", "		c.clear(stReadT)\n		return", "a deadline is not cleared", ""},

	// Reading and writing.
	{"conn_read.go", "		c.readDone = n < len(p) && n < sock.Piece && !c.is(stHup|stDead)", "		c.readDone = n < sock.Piece",
		"a read that filled its buffer counts as the last", ""},
	{"conn_read.go", "		c.readDone = n < len(p) && n < sock.Piece && !c.is(stHup|stDead)", "		c.readDone = n < len(p) && n < sock.Piece",
		"the end behind the last bytes is not looked for", ""},
	{"conn_read.go", "		c.budget -= int32(n)\n", "", "one connection reads for as long as it is sent to", ""},
	{"conn_read.go", "	if c.lp.HandOff(c.id) {\n		c.uncork()\n	}", "	c.lp.HandOff(c.id)", "what was gathered is not sent before a wait", ""},
	{"conn_write.go", "		if err == syscall.EAGAIN && c.state.Or(stFull)&stFull == 0 {\n			continue // an edge", "		if err == syscall.EAGAIN && false {\n			continue // an edge",
		"EAGAIN is not asked about again once the bit is set", ""},
	{"conn_write.go", "		n, err := c.link.writev(pieces)\n		if err == syscall.EAGAIN && c.state", "		c.out.Consume(c.out.Len())\n		n, err := c.link.writev(pieces)\n		if err == syscall.EAGAIN && c.state",
		"Blocks are released before the write that sends them", ""},
	{"conn_write.go", "			err = c.out.Append(c.id, p[k:])", "			err = c.out.Append(c.id, p)", "what the kernel took is queued again", ""},
	{"conn_write.go", "	if queued == 0 || queued+n <= int(c.maxQueued) {", "	if true {", "the output queue has no limit", ""},
	{"conn_write.go", "		c.flush() // until the kernel says EAGAIN: only then does it report an edge\n", "", "after a short write nobody asks until EAGAIN", ""},
	{"conn_write.go", "	if c.phase == closing {\n		c.retire(errLocalClose)\n		return\n	}\n	if c.wdrained", "	if c.wdrained",
		"Close is forgotten when the last output has been sent", ""},
	{"conn_write.go", "		c.fin = finSent\n		_ = c.link.shutdownWrite()\n	}\n	if c.phase", "		c.fin = finSent\n	}\n	if c.phase", "CloseWrite is forgotten when the last output has been sent", ""},
	{"conn_write.go", "		c.wdrained = false\n		c.signal(stDrained)", "		c.wdrained = false", "nobody hears that the output has been sent", ""},
	{"conn_write.go", "	if c.phase != open || c.fin != finNone {\n		return errClosed\n	}\n	if n", "	if n", "writes are accepted behind Close", ""},

	// http1 over it.
	{"http1/body.go", "	hc := b.hc\n	b.hc = nil\n", "	hc := b.hc\n", "a body is not cut when its handler returns", ""},
	{"http1/response.go", "func (w *response) cut() {\n	w.hc = nil", "func (w *response) cut() {", "a response is not cut when its handler returns", ""},
	{"http1/conn.go", "				hc.in.Consume(n)\n				hc.part = nil", "				hc.part = nil", "a request is served twice", ""},
}
