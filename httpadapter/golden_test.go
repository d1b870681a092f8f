package httpadapter_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/internal/golden"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/memory"
	"github.com/authtoken/authtoken/store/sqlite"
)

func TestGoldenMemory(t *testing.T) {
	t.Parallel()
	golden.Run(t, func(*testing.T) store.Store { return memory.New() }, nil)
}

func TestGoldenSQLite(t *testing.T) {
	t.Parallel()
	golden.Run(t, func(t *testing.T) store.Store {
		st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"), sqlite.Config{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, st.Close()) })
		return st
	}, nil)
}
