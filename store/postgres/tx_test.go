package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/postgres"
)

func TestWithTx(t *testing.T) {
	t.Parallel()
	dsn := server.DSN(t)
	s := open(t, dsn, postgres.Config{})
	pool := newPool(t, dsn)
	begin := func() (pgx.Tx, *postgres.Tx) {
		tx, err := pool.Begin(t.Context())
		require.NoError(t, err)
		return tx, s.WithTx(tx)
	}
	require.NoError(t, s.Create(t.Context(), token(1), 0))

	// What the application writes goes with what the store writes.
	_, err := pool.Exec(t.Context(), "CREATE TABLE accounts (name text)")
	require.NoError(t, err)
	accounts := func() (n int) {
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM accounts").Scan(&n))
		return n
	}
	for _, commit := range []bool{false, true} {
		tx, in := begin()
		_, err := tx.Exec(t.Context(), "INSERT INTO accounts VALUES ('a')")
		require.NoError(t, err)
		require.NoError(t, in.Create(t.Context(), token(2), 0))
		require.NoError(t, in.Update(t.Context(), renamed(token(1))))
		holds(t, in, at(renamed(token(1)), 2), token(2))
		holds(t, s, token(1))
		if commit {
			require.NoError(t, tx.Commit(t.Context()))
			holds(t, s, at(renamed(token(1)), 2), token(2))
			require.Equal(t, 1, accounts())
		} else {
			require.NoError(t, tx.Rollback(t.Context()))
			holds(t, s, token(1))
			require.Zero(t, accounts())
		}
	}

	// What fails does not fail the transaction.
	tx, in := begin()
	require.NoError(t, in.Create(t.Context(), token(3), 0))
	require.ErrorIs(t, in.Create(t.Context(), token(2), 0), store.ErrTaken)
	taken := renamed(token(2))
	require.ErrorIs(t, in.Update(t.Context(), taken), store.ErrTaken)
	require.ErrorIs(t, in.Update(t.Context(), at(token(2), 9)), store.ErrStale)
	require.ErrorIs(t, in.Delete(t.Context(), token(9).PK, 1), store.ErrNotFound)
	require.ErrorIs(t, in.Create(t.Context(), token(4), 3), store.ErrLimit)
	require.ErrorIs(t, in.Update(t.Context(), rotated(at(token(2), 9))), store.ErrStale)
	zero := token(4)
	zero.Description = "\x00"
	require.ErrorContains(t, in.Create(t.Context(), zero, 0), "postgres: create token: ")
	require.ErrorContains(t, in.Create(t.Context(), zero, 9), "postgres: create token: ")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, in.Create(ctx, token(4), 0), context.Canceled)
	_, err = in.List(ctx, store.Query{})
	require.ErrorIs(t, err, context.Canceled)
	got, err := in.Purge(t.Context(), store.Query{Identifier: token(2).Identifier})
	require.NoError(t, err)
	require.Equal(t, []store.Record{token(2)}, got)
	require.NoError(t, tx.Commit(t.Context()))
	holds(t, s, at(renamed(token(1)), 2), token(3))

	_, err = in.Get(t.Context(), "renamed")
	require.ErrorIs(t, err, pgx.ErrTxClosed)
	require.ErrorIs(t, in.Create(t.Context(), token(5), 0), pgx.ErrTxClosed)
}
