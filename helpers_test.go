package strand_test

import (
	"bytes"
	"log/slog"
	"sync"
)

// logBuffer is a log that a test can read while others write.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

func captured() (*logBuffer, *slog.Logger) {
	l := new(logBuffer)
	return l, slog.New(slog.NewTextHandler(l, nil))
}
