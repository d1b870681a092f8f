package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/internal/dearest"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/postgres"
)

// Not parallel, as it looks at the heap.
func TestHeapOfALongList(t *testing.T) {
	dearest.TestHeap(t, newDearest)
}

func BenchmarkDearest(b *testing.B) {
	dearest.Benchmark(b, newDearest, 1000, 10_000)
}

func newDearest(tb testing.TB) store.Store {
	s, err := postgres.Open(tb.Context(), server.DSN(tb), postgres.Config{})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}
