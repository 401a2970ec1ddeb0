//go:build strand_debug

package buf

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pageSize is a page of every machine the debug build is meant for, or a
// multiple of it.
var pageSize = uintptr(unix.Getpagesize())

// guardedMemory returns n bytes that protect can take away, and behind which a
// page lies that nobody may touch. Where the system gives no more mappings it
// returns ordinary memory.
func guardedMemory(n int) (mem []byte, guarded bool) {
	size := (n + int(pageSize) - 1) &^ (int(pageSize) - 1)
	all, err := unix.Mmap(-1, 0, size+int(pageSize), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return make([]byte, n), false
	}
	if err := unix.Mprotect(all[size:], unix.PROT_NONE); err != nil {
		_ = unix.Munmap(all)
		return make([]byte, n), false
	}
	return all[size-n : size : size], true
}

// page returns the first page of mem.
func page(mem []byte) uintptr {
	return uintptr(unsafe.Pointer(unsafe.SliceData(mem))) &^ (pageSize - 1)
}

// pages returns the whole pages that mem ends.
func pages(mem []byte) []byte {
	lead := int(uintptr(unsafe.Pointer(unsafe.SliceData(mem))) & (pageSize - 1))
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(mem)), -lead)), len(mem)+lead)
}

func protect(mem []byte)   { access(mem, unix.PROT_NONE) }
func unprotect(mem []byte) { access(mem, unix.PROT_READ|unix.PROT_WRITE) }

func access(mem []byte, prot int) {
	if err := unix.Mprotect(pages(mem), prot); err != nil {
		panic(fmt.Sprintf("buf: mprotect: %v", err))
	}
}
