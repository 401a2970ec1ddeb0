package http1

import (
	"os"
	"testing"

	"github.com/d74363f0/strand/internal/quiet"
)

func TestMain(m *testing.M) { os.Exit(quiet.Run(m)) }
