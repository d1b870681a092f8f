package postgres_test

import (
	"context"
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
		pool := newPool(t, server.DSN(t))
		storetest.Run(t, func(t *testing.T) store.Store { return onPool(t, pool) })
	})
	t.Run("WithTx", func(t *testing.T) {
		pool := newPool(t, pgtest.With(server.DSN(t), "pool_max_conns", "20")) // each store keeps one
		storetest.Run(t, func(t *testing.T) store.Store {
			s := onPool(t, pool)
			tx, err := pool.Begin(t.Context())
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, tx.Rollback(context.WithoutCancel(t.Context()))) })
			return s.WithTx(tx)
		})
	})
	// Where PostgreSQL refuses whatever has met another transaction.
	t.Run("Serializable", func(t *testing.T) {
		pool := newPool(t, pgtest.With(server.DSN(t), "default_transaction_isolation", "serializable"))
		storetest.Run(t, func(t *testing.T) store.Store { return onPool(t, pool) })
	})
	// As behind a pooler, and in a time zone where the year 1 began a day late.
	t.Run("Simple", func(t *testing.T) {
		dsn := pgtest.With(server.DSN(t), "default_query_exec_mode", "simple_protocol")
		pool := newPool(t, pgtest.With(dsn, "timezone", "America/New_York"))
		storetest.Run(t, func(t *testing.T) store.Store { return onPool(t, pool) })
	})
}

func TestGolden(t *testing.T) {
	t.Parallel()
	pool := newPool(t, server.DSN(t))
	golden.Run(t, func(t *testing.T) store.Store { return onPool(t, pool) }, nil)
}

func newPool(t *testing.T, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// onPool returns a store with tables of its own.
func onPool(t *testing.T, pool *pgxpool.Pool) *postgres.Store {
	t.Helper()
	cfg := postgres.Config{TablePrefix: pgtest.Name()}
	require.NoError(t, postgres.Migrate(t.Context(), pool, cfg))
	s, err := postgres.New(t.Context(), pool, cfg)
	require.NoError(t, err)
	return s
}
