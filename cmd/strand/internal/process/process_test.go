package process

import (
	"os"
	"runtime"
	"testing"
)

func TestFiguresFollowWhatIsHeld(t *testing.T) {
	if runtime.GOOS != "linux" {
		if Descriptors() != -1 || Resident() != 0 {
			t.Error("figures from a system that has none")
		}
		return
	}
	heap, resident, open := Heap(), Resident(), Descriptors()
	memory := make([]byte, 64<<20)
	for i := 0; i < len(memory); i += 512 {
		memory[i] = 1
	}
	const files = 7
	for range files {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	if n := Heap(); n < heap+60<<20 {
		t.Errorf("heap went from %d to %d", heap, n)
	}
	if n := Resident(); n < resident+60<<20 {
		t.Errorf("resident went from %d to %d", resident, n)
	}
	if n := Descriptors(); n != open+files {
		t.Errorf("descriptors went from %d to %d", open, n)
	}
	runtime.KeepAlive(memory)
}
