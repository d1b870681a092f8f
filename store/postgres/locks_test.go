package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/postgres"
	"github.com/authtoken/authtoken/store/postgres/internal/pgtest"
)

// contended is a store, and an application's transaction over the same tables that
// is in its way.
type contended struct {
	*postgres.Store
	name string // of the store's connections
	pool *pgxpool.Pool
	tx   pgx.Tx
}

func contend(t *testing.T, records ...store.Record) *contended {
	t.Helper()
	dsn := server.DSN(t)
	c := &contended{name: pgtest.Name()}
	// PostgreSQL aborts whoever first looks for a deadlock that is there. That is to be
	// the store, and it looks only once, so it must not look too soon.
	patient := pgtest.With(dsn, "deadlock_timeout", "3s")
	c.Store = open(t, pgtest.With(patient, "application_name", c.name), postgres.Config{RetryFor: forever})
	for _, r := range records {
		require.NoError(t, c.Create(t.Context(), r, 0))
	}
	c.pool = newPool(t, pgtest.With(dsn, "deadlock_timeout", "1h"))
	var err error
	c.tx, err = c.pool.Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.tx.Rollback(context.WithoutCancel(t.Context())) })
	return c
}

// lock has the application lock a record.
func (c *contended) lock(t *testing.T, r store.Record) {
	t.Helper()
	tag, err := c.tx.Exec(t.Context(), `SELECT FROM authtoken_tokens WHERE pk = $1 FOR UPDATE`, r.PK)
	require.NoError(t, err)
	require.EqualValues(t, 1, tag.RowsAffected())
}

// locked checks that the store has locked a record.
func (c *contended) locked(t *testing.T, r store.Record) {
	t.Helper()
	tag, err := c.tx.Exec(t.Context(), `SELECT FROM authtoken_tokens WHERE pk = $1 FOR UPDATE SKIP LOCKED`, r.PK)
	require.NoError(t, err)
	require.Zero(t, tag.RowsAffected())
}

// waits returns when the store waits for a lock.
func (c *contended) waits(t *testing.T) {
	t.Helper()
	const sql = `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'`
	for n := 0; n == 0; {
		require.NoError(t, c.pool.QueryRow(t.Context(), sql, c.name).Scan(&n))
	}
}

// A write that waits for others is given up when its context ends, and then it has
// had no effect and will have none.
func TestCancelledWhileWaiting(t *testing.T) {
	t.Parallel()
	for name, w := range writes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := contend(t, token(1))
			c.lock(t, token(1))
			switch name {
			case "Create":
				require.NoError(t, c.WithTx(c.tx).Create(t.Context(), token(2), 0))
			case "CreateWithin": // another token of the same owner
				require.NoError(t, c.WithTx(c.tx).Create(t.Context(), token(3), 2))
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- w.call(ctx, c.Store) }()
			c.waits(t)
			cancel()
			require.ErrorIs(t, <-done, context.Canceled)
			require.NoError(t, c.tx.Rollback(t.Context()))
			holds(t, c, token(1))
			require.NoError(t, w.call(t.Context(), c.Store))
			holds(t, c, w.after...)
		})
	}
}

// Whoever creates within a limit waits until it is known how many others there are,
// and only for those of the same owner.
func TestCreateWithinWaits(t *testing.T) {
	t.Parallel()
	for _, commit := range []bool{true, false} {
		c := contend(t, token(1))
		require.NoError(t, c.WithTx(c.tx).Create(t.Context(), token(2), 2))
		other := token(3)
		other.User = "8"
		require.NoError(t, c.Create(t.Context(), other, 1))
		require.NoError(t, c.Delete(t.Context(), other.PK, other.Version))

		done := make(chan error)
		go func() { done <- c.Create(t.Context(), token(4), 2) }()
		c.waits(t)
		if commit {
			require.NoError(t, c.tx.Commit(t.Context()))
			require.ErrorIs(t, <-done, store.ErrLimit)
			holds(t, c, token(1), token(2))
		} else {
			require.NoError(t, c.tx.Rollback(t.Context()))
			require.NoError(t, <-done)
			holds(t, c, token(1), token(4))
		}
	}
}

// PostgreSQL ends a deadlock by aborting the statement that finds it, here the
// store's, which then starts over.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	c := contend(t, token(1), token(2))
	c.lock(t, token(2))
	done := make(chan error)
	go func() {
		done <- c.Touch(t.Context(), []store.Use{
			{PK: token(2).PK, At: touched(token(2)).LastUsed, From: "somewhere"},
			{PK: token(1).PK, At: touched(token(1)).LastUsed, From: "somewhere"},
		})
	}()
	c.waits(t) // for token 2, and it has locked token 1, whatever their order in the call
	c.locked(t, token(1))
	c.lock(t, token(1))
	require.NoError(t, c.tx.Commit(t.Context()))
	require.NoError(t, <-done)
	holds(t, c, touched(token(1)), touched(token(2)))
}

func TestPurgeAmongOthers(t *testing.T) {
	t.Parallel()
	purge := func(t *testing.T, s store.Store, q store.Query) chan []store.Record {
		done := make(chan []store.Record, 1)
		go func() {
			defer close(done)
			got, err := s.Purge(t.Context(), q)
			if err != nil {
				t.Error(err)
			}
			done <- got
		}()
		return done
	}
	t.Run("enough others", func(t *testing.T) {
		t.Parallel()
		c := contend(t, token(1), token(2), token(3))
		c.lock(t, token(1))
		require.Equal(t, []store.Record{token(2), token(3)}, <-purge(t, c, store.Query{Limit: 2}))
		holds(t, c, token(1))
	})
	changed := at(token(1), 2)
	for name, c := range map[string]struct {
		q          store.Query
		gone, left []store.Record
	}{
		"not enough others": {store.Query{Limit: 4}, []store.Record{changed, token(2), token(3)}, nil},
		"an offset":         {store.Query{Limit: 1, Offset: 1}, []store.Record{token(2)}, []store.Record{changed, token(3)}},
		"no limit":          {store.Query{}, []store.Record{changed, token(2), token(3)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := contend(t, token(1), token(2), token(3))
			require.NoError(t, s.WithTx(s.tx).Update(t.Context(), token(1)))
			done := purge(t, s, c.q)
			s.waits(t)
			require.NoError(t, s.tx.Commit(t.Context()))
			require.Equal(t, c.gone, <-done)
			holds(t, s, c.left...)
		})
	}
	// It locks in the same order as Touch, so that they don't get into a deadlock.
	t.Run("in the order of pks", func(t *testing.T) {
		t.Parallel()
		last := token(1)
		last.Identifier = "zzz"
		c := contend(t, last, token(2))
		c.lock(t, token(2))
		done := purge(t, c, store.Query{})
		c.waits(t)
		c.locked(t, last)
		require.NoError(t, c.tx.Commit(t.Context()))
		require.Equal(t, []store.Record{token(2), last}, <-done)
	})
	// What has changed meanwhile so that it does not match any more stays.
	t.Run("no match any more", func(t *testing.T) {
		t.Parallel()
		c := contend(t, token(1), token(2))
		other := token(1)
		other.User = "8"
		require.NoError(t, c.WithTx(c.tx).Update(t.Context(), other))
		done := purge(t, c, store.Query{Users: []string{"7"}})
		c.waits(t)
		require.NoError(t, c.tx.Commit(t.Context()))
		require.Equal(t, []store.Record{token(2)}, <-done)
		holds(t, c, at(other, 2))
	})
}

// Sweeping instances take what others have not: none waits, none gets what another got.
func TestSweepersShare(t *testing.T) {
	t.Parallel()
	dsn := server.DSN(t)
	const size, sweepers, limit = 400, 10, 20
	first := open(t, dsn, postgres.Config{})
	for n := range size {
		require.NoError(t, first.Create(t.Context(), token(n), 0))
	}
	q := store.Query{ExpiryBefore: token(size).Expires, Order: []store.Order{{Field: store.FieldExpires}}, Limit: limit}
	gone := make(chan []store.Record)
	for range sweepers {
		s := open(t, pgtest.With(dsn, "pool_max_conns", "1"), postgres.Config{})
		go func() {
			var all []store.Record
			for {
				got, err := s.Purge(t.Context(), q)
				if err != nil {
					t.Error(err)
				}
				all = append(all, got...)
				if len(got) < limit {
					break
				}
			}
			gone <- all
		}()
	}
	times := make(map[store.PK]int)
	for range sweepers {
		for _, r := range <-gone {
			times[r.PK]++
		}
	}
	require.Len(t, times, size)
	for pk, n := range times {
		require.Equal(t, 1, n, "%x", pk)
	}
	holds(t, first)
}

// A key that was retired becomes the current one again just when it has not been
// found among those.
func TestDigestAtEveryMoment(t *testing.T) {
	t.Parallel()
	dsn := server.DSN(t)
	others := open(t, dsn, postgres.Config{})
	r := token(1)
	r.Digest, r.Retired = token(2).Digest, token(1).Digest
	require.NoError(t, others.Create(t.Context(), r, 0))

	cfg, err := pgxpool.ParseConfig(dsn)
	require.NoError(t, err)
	between := &interlude{}
	cfg.ConnConfig.Tracer = between
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	s, err := postgres.New(t.Context(), pool, postgres.Config{})
	require.NoError(t, err)
	between.play = func() {
		if err := others.Update(t.Context(), token(1)); err != nil {
			t.Error(err)
		}
	}
	got, err := s.GetByDigest(t.Context(), token(1).Digest)
	require.NoError(t, err)
	require.Equal(t, at(token(1), 2), got)
	require.Nil(t, between.play)
}

// interlude plays after the next statement of a store.
type interlude struct{ play func() }

func (i *interlude) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (i *interlude) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {
	if play := i.play; play != nil {
		i.play = nil
		play()
	}
}
