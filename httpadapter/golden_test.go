package httpadapter_test

import (
	"testing"

	"github.com/authtoken/authtoken/internal/golden"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
)

func TestGoldenMemory(t *testing.T) {
	t.Parallel()
	golden.Run(t, func(*testing.T) store.Store { return memory.New() }, nil)
}
