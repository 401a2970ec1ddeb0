package load

import "time"

// tick moves the measurement along: warm, counting, over. It is called once a
// batch of events.
func (c *client) tick(t int64) (over bool, err error) {
	if c.moved == 0 {
		c.moved = t
	}
	if t-c.moved > stallNanos {
		return true, errStalled
	}
	if !c.counting {
		if t-c.from < int64(c.cfg.Warm) {
			return false, nil
		}
		c.counting = true
		c.hist.Reset()
		c.serverCPU, c.ownCPU = c.readServer(), ownCPU()
		c.from = now()
		return false, nil
	}
	// A window in which nothing ended says nothing: it lasts until something does.
	return t-c.from >= int64(c.cfg.Duration) && c.hist.Count() > 0, nil
}

func (c *client) readServer() time.Duration {
	if c.cfg.PID == 0 {
		return 0
	}
	cpu, err := ProcessCPU(c.cfg.PID)
	if err != nil {
		return 0
	}
	return cpu
}

// summary is the result at the end of the counted window, with ops operations.
func (c *client) summary(ops uint64) Result {
	end := now()
	return Result{
		Ops:       ops,
		Seconds:   time.Duration(end - c.from).Seconds(),
		P50:       c.hist.Quantile(0.50),
		P99:       c.hist.Quantile(0.99),
		P999:      c.hist.Quantile(0.999),
		Max:       c.hist.Max(),
		ServerCPU: int64(c.readServer() - c.serverCPU),
		LoadCPU:   int64(ownCPU() - c.ownCPU),
	}
}
