package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/internal/dearest"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/sqlite"
)

// Not parallel, as it looks at the heap.
func TestHeapOfALongList(t *testing.T) {
	dearest.TestHeap(t, newDearest)
}

func BenchmarkDearest(b *testing.B) {
	dearest.Benchmark(b, newDearest, 1000, 10_000)
}

func newDearest(tb testing.TB) store.Store {
	s, err := sqlite.Open(tb.Context(), filepath.Join(tb.TempDir(), "tokens.db"), sqlite.Config{})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}
