package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/sqlite"
)

// application is a database that holds a table of an application's and five tokens.
type application struct {
	*testing.T
	path  string
	db    *sqlx.DB
	store *sqlite.Store
}

func newApplication(t *testing.T, parameters string) application {
	t.Helper()
	a := application{T: t, path: filepath.Join(t.TempDir(), "app.db")}
	a.db = handleTo(t, a.path, parameters)
	a.store = onHandle(t, a.db, sqlite.Config{BusyTimeout: 200 * time.Millisecond})
	_, err := a.db.Exec(`CREATE TABLE users (name TEXT)`)
	require.NoError(t, err)
	for i := range 5 {
		require.NoError(t, a.store.Create(t.Context(), fixed(i), 0))
	}
	return a
}

// holds checks what another process would find.
func (a application) holds(users int, want ...store.Record) {
	a.Helper()
	other, err := sqlite.Open(a.Context(), a.path, sqlite.Config{})
	require.NoError(a, err)
	got, err := other.List(a.Context(), store.Query{Order: []store.Order{{Field: store.FieldUser}, {Field: store.FieldCreated}}})
	require.NoError(a, err)
	require.NoError(a, other.Close())
	require.Equal(a, want, got)
	var n int
	require.NoError(a, a.db.Get(&n, `SELECT count(*) FROM users`))
	require.Equal(a, users, n)
}

// changes makes one of each kind, and returns what is there afterwards.
func (a application) changes(st store.Store) []store.Record {
	a.Helper()
	ctx := a.Context()
	added, changed, used := fixed(5), fixed(1), fixed(2)
	require.NoError(a, st.Create(ctx, added, 0))
	changed.Description = "changed"
	require.NoError(a, st.Update(ctx, changed))
	changed.Version++
	require.NoError(a, st.Delete(ctx, fixed(0).PK, 0))
	used.LastUsed, used.LastUsedFrom = time.Unix(1, 0).UTC(), "here"
	require.NoError(a, st.Touch(ctx, []store.Use{{PK: used.PK, At: used.LastUsed, From: used.LastUsedFrom}, {}}))
	purged, err := st.Purge(ctx, store.Query{Identifier: fixed(3).Identifier})
	require.NoError(a, err)
	require.Len(a, purged, 1)
	return []store.Record{changed, used, fixed(4), added}
}

// fixed is token with the same PK each time.
func fixed(i int) store.Record {
	r := token(i)
	r.PK = store.PK{15: byte(i)}
	r.Created, r.Expires = r.Created.UTC(), r.Expires.UTC()
	return r
}

func before() []store.Record {
	return []store.Record{fixed(0), fixed(1), fixed(2), fixed(3), fixed(4)}
}

func TestTxCommitsAndRollsBack(t *testing.T) {
	t.Parallel()
	for _, commit := range []bool{true, false} {
		a := newApplication(t, wal)
		tx := begin(t, a.db)
		st := a.store.WithTx(tx.Tx)
		_, err := tx.Exec(`INSERT INTO users VALUES ('alice')`)
		require.NoError(t, err)
		after := a.changes(st)
		n, err := st.Count(t.Context(), store.Query{})
		require.NoError(t, err)
		require.Equal(t, len(after), n, "it sees its own writes")
		a.holds(0, before()...) // and others don't

		if commit {
			require.NoError(t, tx.Commit())
			a.holds(1, after...)
		} else {
			require.NoError(t, tx.Rollback())
			a.holds(0, before()...)
		}
		err = st.Create(t.Context(), fixed(9), 0)
		require.ErrorIs(t, err, sql.ErrTxDone)
		_, err = st.Get(t.Context(), fixed(4).Identifier)
		require.ErrorIs(t, err, sql.ErrTxDone)
		require.NoError(t, a.store.Create(t.Context(), fixed(9), 0), "nothing is left locked")
	}
}

// A store that was opened by path can join a transaction of a handle on the same file.
func TestTxOfAnotherHandle(t *testing.T) {
	t.Parallel()
	a := newApplication(t, wal)
	opened, err := sqlite.Open(a.Context(), a.path, sqlite.Config{})
	require.NoError(t, err)
	defer opened.Close()
	tx := begin(t, a.db)
	after := a.changes(opened.WithTx(tx.Tx))
	require.NoError(t, tx.Commit())
	a.holds(0, after...)
}

// What a write collides with fails that write alone.
func TestTxGoesOnAfterAnOutcome(t *testing.T) {
	t.Parallel()
	a := newApplication(t, wal)
	tx := begin(t, a.db)
	st := a.store.WithTx(tx.Tx)
	_, err := tx.Exec(`INSERT INTO users VALUES ('alice')`)
	require.NoError(t, err)
	fail := func() {
		ctx := t.Context()
		taken := fixed(7)
		taken.Identifier = fixed(4).Identifier
		var e *store.TakenError
		require.True(t, errors.As(st.Create(ctx, taken, 0), &e))
		require.Equal(t, store.FieldIdentifier, e.Field)
		taken.PK = fixed(2).PK
		require.ErrorIs(t, st.Update(ctx, taken), store.ErrTaken)
		stale := fixed(4)
		stale.Version = 9
		require.ErrorIs(t, st.Update(ctx, stale), store.ErrStale)
		require.ErrorIs(t, st.Delete(ctx, stale.PK, stale.Version), store.ErrStale)
		require.ErrorIs(t, st.Update(ctx, fixed(8)), store.ErrNotFound)
		require.ErrorIs(t, st.Delete(ctx, fixed(8).PK, 0), store.ErrNotFound)
		require.ErrorIs(t, st.Create(ctx, fixed(4+1000), 1), store.ErrLimit)
	}
	fail()
	after := a.changes(st)
	fail()
	_, err = tx.Exec(`INSERT INTO users VALUES ('bob')`)
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
	a.holds(2, after...)
}

// What consists of several statements and fails in the middle changes nothing.
func TestTxChangesAllOrNothing(t *testing.T) {
	t.Parallel()
	a := newApplication(t, wal)
	_, err := a.db.Exec(fmt.Sprintf(`
		CREATE TRIGGER keep BEFORE DELETE ON authtoken_tokens WHEN old.identifier = '%[1]s' BEGIN SELECT RAISE(ABORT, 'kept'); END;
		CREATE TRIGGER same BEFORE UPDATE OF last_used ON authtoken_tokens WHEN old.identifier = '%[1]s' BEGIN SELECT RAISE(ABORT, 'kept'); END`,
		fixed(3).Identifier))
	require.NoError(t, err)
	tx := begin(t, a.db)
	st := a.store.WithTx(tx.Tx)
	require.NoError(t, st.Create(t.Context(), fixed(5), 0))
	_, err = st.Purge(t.Context(), store.Query{Order: []store.Order{{Field: store.FieldUser}}})
	require.ErrorContains(t, err, "sqlite: purge tokens: ")
	require.ErrorContains(t, err, "kept")
	uses := make([]store.Use, 5)
	for i := range uses {
		uses[i] = store.Use{PK: fixed(i).PK, At: time.Now()}
	}
	require.ErrorContains(t, st.Touch(t.Context(), uses), "kept")

	_, err = tx.Exec(`CREATE TRIGGER unknown BEFORE INSERT ON authtoken_earlier_keys BEGIN SELECT RAISE(ABORT, 'kept'); END`)
	require.NoError(t, err)
	r := fixed(1)
	r.Identifier, r.Earlier = "renamed", []store.EarlierKey{{Digest: store.Digest{1}}}
	require.ErrorContains(t, st.Update(t.Context(), r), "kept")
	r.PK, r.Digest = fixed(6).PK, fixed(6).Digest
	require.ErrorContains(t, st.Create(t.Context(), r, 0), "kept")
	_, err = tx.Exec(`DROP TRIGGER unknown;
		CREATE TRIGGER known BEFORE DELETE ON authtoken_earlier_keys BEGIN SELECT RAISE(ABORT, 'kept'); END`)
	require.NoError(t, err)
	require.NoError(t, st.Create(t.Context(), r, 0))
	require.ErrorContains(t, st.Delete(t.Context(), r.PK, r.Version), "kept")
	_, err = st.Purge(t.Context(), store.Query{Identifier: r.Identifier})
	require.ErrorContains(t, err, "kept")
	again := r
	again.Earlier = nil
	require.ErrorContains(t, st.Update(t.Context(), again), "kept")
	got, err := st.GetByDigest(t.Context(), r.Earlier[0].Digest)
	require.NoError(t, err)
	require.Equal(t, r.Identifier, got.Identifier)
	_, err = tx.Exec(`DROP TRIGGER known`)
	require.NoError(t, err)
	require.NoError(t, st.Delete(t.Context(), r.PK, r.Version))
	require.NoError(t, tx.Commit())
	a.holds(0, append(before(), fixed(5))...)
}

// When SQLite has rolled back by itself, what comes next must not be durable.
func TestTxAfterAFullDisk(t *testing.T) {
	t.Parallel()
	a := newApplication(t, wal)
	tx := begin(t, a.db)
	st := a.store.WithTx(tx.Tx)
	require.NoError(t, st.Create(t.Context(), fixed(5), 0))
	var pages int
	require.NoError(t, tx.Get(&pages, `PRAGMA page_count`))
	_, err := tx.Exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages))
	require.NoError(t, err)
	large := fixed(6)
	large.Sealed = make([]byte, 100_000)
	require.ErrorContains(t, st.Create(t.Context(), large, 0), "full")
	err = st.Create(t.Context(), fixed(7), 0)
	require.ErrorContains(t, err, "can only be rolled back")
	require.ErrorContains(t, err, "full")
	_, err = st.Get(t.Context(), fixed(1).Identifier)
	require.ErrorContains(t, err, "can only be rolled back")
	_ = tx.Rollback()
	a.holds(0, before()...)
}

// What the application does in its transaction can end it behind the back of
// database/sql. What the store would write then, nobody could roll back.
func TestTxAfterAnErrorOfTheApplications(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(tx *sqlx.Tx) error{
		"a full disk": func(tx *sqlx.Tx) error {
			_, err := tx.Exec(`PRAGMA max_page_count = 1`) // which is as many as there are
			require.NoError(t, err)
			_, err = tx.Exec(`INSERT INTO users VALUES (zeroblob(100000))`)
			_, _ = tx.Exec(`PRAGMA max_page_count = 1000000`)
			return err
		},
		"a context that ends": func(tx *sqlx.Tx) error {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			_, err := tx.ExecContext(ctx, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
				INSERT INTO users SELECT i FROM n`)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApplication(t, wal)
			tx := begin(t, a.db)
			st := a.store.WithTx(tx.Tx)
			require.NoError(t, st.Create(t.Context(), fixed(5), 0))
			require.Error(t, spoil(tx))
			for _, write := range []func() error{
				func() error { return st.Create(t.Context(), fixed(6), 0) },
				func() error { return st.Delete(t.Context(), fixed(1).PK, 1) },
				func() error { return a.store.WithTx(tx.Tx).Create(t.Context(), fixed(6), 0) },
				func() error {
					return a.store.WithTx(tx.Tx).Touch(t.Context(), []store.Use{{PK: fixed(1).PK, At: time.Now()}})
				},
				func() error { _, err := a.store.WithTx(tx.Tx).Purge(t.Context(), store.Query{}); return err },
			} {
				require.ErrorContains(t, write(), "rolled back by itself")
			}
			_ = tx.Rollback() // of which there is nothing left
			a.holds(0, before()...)
		})
	}
}

func TestTxWithoutTheLock(t *testing.T) {
	t.Parallel()
	a := newApplication(t, "_pragma=journal_mode(WAL)") // neither _txlock nor busy_timeout
	_, err := a.db.Exec(`PRAGMA synchronous = OFF`)
	require.NoError(t, err)

	// It has read before others wrote.
	tx := begin(t, a.db)
	st := a.store.WithTx(tx.Tx)
	_, err = st.Get(t.Context(), fixed(1).Identifier)
	require.NoError(t, err)
	require.NoError(t, a.store.Create(t.Context(), fixed(5), 0))
	start := time.Now()
	require.ErrorContains(t, st.Create(t.Context(), fixed(6), 0), "begin it with _txlock=immediate")
	require.Less(t, time.Since(start), 100*time.Millisecond, "at once: waiting would not help")
	require.NoError(t, tx.Rollback())

	// It has not read, so that it can wait for the lock, for as long as the store does.
	locked := handleTo(t, a.path, wal)
	other := begin(t, locked)
	tx = begin(t, a.db)
	st = a.store.WithTx(tx.Tx)
	require.ErrorContains(t, st.Create(t.Context(), fixed(6), 0), "locked")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, st.Create(ctx, fixed(6), 0), context.Canceled)
	created := make(chan error)
	go func() { created <- st.Create(context.Background(), fixed(6), 0) }()
	require.NoError(t, other.Rollback())
	require.NoError(t, <-created)
	require.NoError(t, tx.Commit())
	a.holds(0, append(before(), fixed(5), fixed(6))...)
}

func TestTxOfAContextThatEnds(t *testing.T) {
	t.Parallel()
	a := newApplication(t, wal)
	ctx, cancel := context.WithCancel(t.Context())
	tx, err := a.db.BeginTxx(ctx, nil)
	require.NoError(t, err)
	st := a.store.WithTx(tx.Tx)
	require.NoError(t, st.Create(ctx, fixed(5), 0))
	cancel()
	require.ErrorIs(t, st.Create(ctx, fixed(6), 0), context.Canceled)
	_ = tx.Rollback() // unless database/sql has done so by now
	a.holds(0, before()...)
}

func TestTxOfAnApplicationThatPanics(t *testing.T) {
	t.Parallel()
	a := newApplication(t, wal)
	a.db.SetMaxOpenConns(1)
	require.Panics(t, func() {
		tx := a.db.MustBegin()
		defer tx.Rollback()
		a.changes(a.store.WithTx(tx.Tx))
		panic("application")
	})
	require.NoError(t, a.store.Ping(t.Context()))
	a.holds(0, before()...)
}
