//go:build strand_debug && !linux

package buf

const pageSize = uintptr(4096)

// guardedMemory returns ordinary memory: only poison guards it.
func guardedMemory(n int) (mem []byte, guarded bool) { return make([]byte, n), false }

func page([]byte) uintptr { return 0 }
func protect([]byte)      {}
func unprotect([]byte)    {}
