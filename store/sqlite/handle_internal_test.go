package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/authtoken/authtoken/store"
)

// onOneConnection makes a store on a handle of one connection to a file.
func onOneConnection(t *testing.T) (*sqlx.DB, *Store) {
	t.Helper()
	db, err := sqlx.Open("sqlite", filepath.Join(t.TempDir(), "app.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	db.SetMaxOpenConns(1)
	require.NoError(t, Migrate(t.Context(), db.DB, Config{}))
	s, err := New(t.Context(), db.DB, Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return db, s
}

// Whatever becomes of a write, the connection that comes back to the pool is in
// no transaction, and what was written before is gone.
func TestNoTransactionComesBackToThePool(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for name, end := range map[string]func(*Store) error{
		"error":  func(*Store) error { return boom },
		"taken":  func(*Store) error { return store.ErrTaken },
		"panic":  func(*Store) error { panic(boom) },
		"Goexit": func(*Store) error { runtime.Goexit(); return nil },
		"rolled back already": func(s *Store) error {
			_, err := s.writer.conn.ExecContext(context.Background(), "ROLLBACK")
			return errors.Join(err, boom)
		},
		"committed already": func(s *Store) error {
			_, err := s.writer.conn.ExecContext(context.Background(), "DELETE FROM authtoken_tokens; COMMIT")
			return err // and the commit of the group fails
		},
		"no rollback": func(s *Store) error {
			// SQLite takes no text of more than a byte from now on.
			_, err := driver.Limit(s.writer.conn.Conn, sqlite3.SQLITE_LIMIT_SQL_LENGTH, 1)
			return errors.Join(err, boom)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, s := onOneConnection(t)
			written := false
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { _ = recover() }()
				_ = s.write(context.Background(), "test", func(ctx context.Context, _ *writer, inTx bool) error {
					if !inTx {
						return errNeedsTx
					}
					r := store.Record{Digest: store.Digest{1}}
					if name == "taken" {
						return end(s)
					}
					written = s.writer.create(ctx, inTx, &r, 0) == nil
					return end(s)
				})
			}()
			<-done
			require.Equal(t, name != "taken", written)
			require.Zero(t, db.Stats().InUse)
			_, err := db.Exec("BEGIN IMMEDIATE; ROLLBACK")
			require.NoError(t, err)
			n, err := s.Count(t.Context(), store.Query{})
			require.NoError(t, err)
			require.Zero(t, n)
			require.NoError(t, s.Create(t.Context(), store.Record{Digest: store.Digest{1}}, 0), "and the next is served")
		})
	}
}

func TestCloseClosesStatements(t *testing.T) {
	t.Parallel()
	_, s := onOneConnection(t)
	stmt, err := s.reader.stmt(t.Context(), getSQL)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = stmt.Query("x")
	require.ErrorContains(t, err, "statement is closed")
}

// A file system without links has to do with two steps. There are no links to a
// directory on any.
func TestPublishWithoutLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tmp, path := filepath.Join(dir, "tmp"), filepath.Join(dir, "path")
	require.NoError(t, os.Mkdir(tmp, 0o700))
	require.NoError(t, publish(tmp, path))
	require.DirExists(t, path)
	require.NoDirExists(t, tmp)
	require.NoError(t, os.Mkdir(tmp, 0o700))
	require.ErrorIs(t, publish(tmp, path), os.ErrExist)
	require.DirExists(t, tmp)
}
