package sock

import (
	"sync/atomic"
	"syscall"
)

const retired = 1 << 31

// FD is a non-blocking descriptor with a count of references: the owner's and
// one for each system call in flight. The zero FD is retired; Init makes it
// live. It must not be copied.
type FD struct {
	state atomic.Uint32 // the retired bit and the references
	num   int32
	sys   *System
}

// Init gives fd the number num, with the owner's reference. It is called once,
// before the FD is shared.
func (f *FD) Init(sys *System, num int) {
	f.num = int32(num)
	f.sys = sys
	f.state.Store(1)
}

// Live reports whether the descriptor is open for new calls.
func (f *FD) Live() bool { s := f.state.Load(); return s != 0 && s&retired == 0 }

// use takes a reference; it fails once the descriptor is retired.
func (f *FD) use() bool {
	for {
		s := f.state.Load()
		if s == 0 || s&retired != 0 {
			return false
		}
		if f.state.CompareAndSwap(s, s+1) {
			return true
		}
	}
}

// done gives a reference back; the last one closes.
func (f *FD) done() {
	s := f.state.Add(^uint32(0))
	if s&^retired == retired-1 {
		panic("sock: reference given back twice")
	}
	if s == retired {
		f.close()
	}
}

// Retire refuses new calls from now on. It reports whether this call did it,
// so that of many closers exactly one goes on.
func (f *FD) Retire() bool {
	for {
		s := f.state.Load()
		if s == 0 || s&retired != 0 {
			return false
		}
		if f.state.CompareAndSwap(s, s|retired) {
			return true
		}
	}
}

// Release gives back the owner's reference, once, after Retire. The descriptor
// is closed now or when the last call in flight returns.
func (f *FD) Release() { f.done() }

// Number calls use with the descriptor's number, which stays this descriptor's
// until use returns.
func (f *FD) Number(use func(fd int)) error {
	if !f.use() {
		return ErrRetired
	}
	defer f.done()
	use(int(f.num))
	return nil
}

// Owned returns the number for the owner's use between Retire and Release, when
// the owner's reference keeps it this descriptor's.
func (f *FD) Owned() int { return int(f.num) }

// close makes the one close(2) of the descriptor's life. Its error is not
// acted on: the number is gone whatever close says, and a retry could close
// somebody else's (hazard 135).
func (f *FD) close() {
	if f.sys != nil {
		f.sys.Kernel.Close(int(f.num))
		return
	}
	_ = syscall.Close(int(f.num))
}
