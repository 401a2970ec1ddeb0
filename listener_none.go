//go:build !linux || strand_std

package strand

// fdListener is empty where connections have no descriptors of ours.
type fdListener struct{}

func (l *Listener) startFD() (bool, error) {
	_ = l.fdl // empty here
	return false, nil
}

func (l *Listener) stopFD() {}
