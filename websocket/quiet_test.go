package websocket

import (
	"os"
	"testing"

	atrest "github.com/d74363f0/strand/internal/quiet"
)

func TestMain(m *testing.M) { os.Exit(atrest.Run(m)) }
