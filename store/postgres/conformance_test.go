package postgres_test

import (
	"context"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/internal/golden"
	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/postgres"
	"github.com/authtoken/authtoken/store/postgres/internal/pgtest"
	"github.com/authtoken/authtoken/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	t.Run("Open", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store { return open(t, server.DSN(t), postgres.Config{}) })
	})
	t.Run("New", func(t *testing.T) {
		newStore := onPool(newPool(t, server.DSN(t)))
		storetest.Run(t, func(t *testing.T) store.Store { return newStore(t) })
	})
	t.Run("WithTx", func(t *testing.T) {
		pool := newPool(t, pgtest.With(server.DSN(t), "pool_max_conns", "20")) // each store keeps one
		newStore := onPool(pool)
		storetest.Run(t, func(t *testing.T) store.Store {
			s := newStore(t)
			tx, err := pool.Begin(t.Context())
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, tx.Rollback(context.WithoutCancel(t.Context()))) })
			return s.WithTx(tx)
		})
	})
	// Where PostgreSQL refuses whatever has met another transaction.
	t.Run("Serializable", func(t *testing.T) {
		newStore := onPool(newPool(t, pgtest.With(server.DSN(t), "default_transaction_isolation", "serializable")))
		storetest.Run(t, func(t *testing.T) store.Store { return newStore(t) })
	})
	// As behind a pooler, and in a time zone where the year 1 began a day late.
	t.Run("Simple", func(t *testing.T) {
		dsn := pgtest.With(server.DSN(t), "default_query_exec_mode", "simple_protocol")
		newStore := onPool(newPool(t, pgtest.With(dsn, "timezone", "America/New_York")))
		storetest.Run(t, func(t *testing.T) store.Store { return newStore(t) })
	})
}

func TestGolden(t *testing.T) {
	t.Parallel()
	newStore := onPool(newPool(t, server.DSN(t)))
	golden.Run(t, func(t *testing.T) store.Store { return newStore(t) }, nil)
}

func newPool(t *testing.T, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// onPool returns what makes stores, each with empty tables of its own, which the
// next one gets when a test is over: to make them takes longer than most tests.
func onPool(pool *pgxpool.Pool) func(t *testing.T) *postgres.Store {
	var mu sync.Mutex
	var free []string // prefixes
	take := func() (prefix string, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if len(free) == 0 {
			return "", false
		}
		last := len(free) - 1
		prefix, free = free[last], free[:last]
		return prefix, true
	}
	return func(t *testing.T) *postgres.Store {
		t.Helper()
		prefix, ok := take()
		if !ok {
			prefix = pgtest.Name()
			require.NoError(t, postgres.Migrate(t.Context(), pool, postgres.Config{TablePrefix: prefix}))
		}
		s, err := postgres.New(t.Context(), pool, postgres.Config{TablePrefix: prefix})
		require.NoError(t, err)
		t.Cleanup(func() {
			_, err := pool.Exec(context.WithoutCancel(t.Context()), "DELETE FROM "+prefix+"tokens")
			require.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			free = append(free, prefix)
		})
		return s
	}
}
