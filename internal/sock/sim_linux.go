package sock

// Simulated is implemented by the net.Conns and net.Listeners of a simulated
// kernel. Nobody outside this module can name a System, so it cannot be
// implemented by accident.
type Simulated interface {
	// Simulated gives the descriptor away: the caller closes it.
	Simulated() (sys *System, fd int, peer Addr)
}

// System returns the kernel the descriptor belongs to; nil is the machine's.
func (f *FD) System() *System { return f.sys }
