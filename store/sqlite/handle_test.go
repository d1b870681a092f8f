package sqlite_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/authtoken/authtoken/store"
	"github.com/authtoken/authtoken/store/sqlite"
)

// wal is what an application's handle is best opened with, but for synchronous.
const wal = "_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"

// handle opens a new file as an application does.
func handle(t *testing.T, parameters string) *sqlx.DB {
	t.Helper()
	return handleTo(t, filepath.Join(t.TempDir(), "app.db"), parameters)
}

func handleTo(t *testing.T, path, parameters string) *sqlx.DB {
	t.Helper()
	db, err := sqlx.Open("sqlite", "file:"+path+"?"+parameters)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func handleInMemory(t *testing.T) *sqlx.DB {
	t.Helper()
	db, err := sqlx.Open("sqlite", ":memory:")
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// onHandle makes a store in the database of db.
func onHandle(t *testing.T, db *sqlx.DB, cfg sqlite.Config) *sqlite.Store {
	t.Helper()
	require.NoError(t, sqlite.Migrate(t.Context(), db.DB, cfg))
	s, err := sqlite.New(t.Context(), db.DB, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// begin begins a transaction, to be rolled back in the end if it is still open.
func begin(t *testing.T, db *sqlx.DB) *sqlx.Tx {
	t.Helper()
	tx, err := db.Beginx()
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	return tx
}

func TestHandlesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	newer := handle(t, wal)
	onHandle(t, newer, sqlite.Config{})
	_, err := newer.Exec(`INSERT INTO authtoken_migrations (version) VALUES (1000)`)
	require.NoError(t, err)
	utf16 := handleInMemory(t)
	_, err = utf16.Exec(`PRAGMA encoding = 'UTF-16le'; CREATE TABLE x (y)`)
	require.NoError(t, err)
	closed := handle(t, wal)
	require.NoError(t, closed.Close())

	for name, c := range map[string]struct {
		db               *sql.DB
		toNew, toMigrate string
	}{
		"nil":           {nil, "db is nil", "db is nil"},
		"closed":        {closed.DB, "database is closed", "database is closed"},
		"no tables":     {handle(t, wal).DB, "call Migrate first", ""},
		"newer version": {newer.DB, "newer release", "newer release"},
		"UTF-16":        {utf16.DB, "UTF-16le", "UTF-16le"},
	} {
		_, err := sqlite.New(t.Context(), c.db, sqlite.Config{})
		require.ErrorContains(t, err, c.toNew, name)
		err = sqlite.Migrate(t.Context(), c.db, sqlite.Config{})
		if c.toMigrate == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, c.toMigrate, name)
		}
	}
	var tables int
	require.NoError(t, utf16.Get(&tables, `SELECT count(*) FROM sqlite_schema`))
	require.Equal(t, 1, tables, "nothing was made")
}

func TestHandleKeepsItsSettings(t *testing.T) {
	t.Parallel()
	db := handle(t, "_pragma=busy_timeout(77)&_pragma=synchronous(NORMAL)&_pragma=cache_size(123)")
	db.SetMaxOpenConns(3)
	settings := func() string {
		var all string
		for range 3 { // all there are
			conn, err := db.Connx(t.Context())
			require.NoError(t, err)
			defer conn.Close()
			for _, name := range []string{"busy_timeout", "synchronous", "cache_size", "journal_mode", "query_only", "foreign_keys", "user_version"} {
				var value string
				require.NoError(t, conn.GetContext(t.Context(), &value, "PRAGMA "+name))
				all += name + "=" + value + " "
			}
		}
		return all + fmt.Sprint(db.Stats().MaxOpenConnections)
	}
	before := settings()
	s := onHandle(t, db, sqlite.Config{})
	together(10, func(i int) {
		if err := s.Create(context.Background(), token(i), 0); err != nil {
			t.Error(err)
		}
	})
	require.NoError(t, s.Close())
	require.Equal(t, before, settings())
}

func TestCloseLeavesTheHandleOpen(t *testing.T) {
	t.Parallel()
	db := handleInMemory(t)
	s := onHandle(t, db, sqlite.Config{})
	require.NoError(t, s.Create(t.Context(), token(1), 0))
	tx := begin(t, db)
	inTx := s.WithTx(tx.Tx)
	require.NoError(t, s.Close())
	require.ErrorIs(t, inTx.Create(t.Context(), token(2), 0), sqlite.ErrClosed)
	require.NoError(t, tx.Rollback())
	require.ErrorIs(t, s.Create(t.Context(), token(2), 0), sqlite.ErrClosed)
	require.ErrorIs(t, get(s, token(1).Identifier), sqlite.ErrClosed)
	_, err := s.List(t.Context(), store.Query{})
	require.ErrorIs(t, err, sqlite.ErrClosed)
	require.Zero(t, db.Stats().InUse)

	s, err = sqlite.New(t.Context(), db.DB, sqlite.Config{})
	require.NoError(t, err)
	require.NoError(t, get(s, token(1).Identifier))
	require.NoError(t, s.Close())
}

// aroundDriver is a driver around SQLite's, as those are that trace what it does. What
// it makes of errors is up to it.
type aroundDriver struct {
	inner sqldriver.Driver
	path  string
	fault func(error) error
}

type (
	aroundConn struct {
		sqldriver.Conn
		fault func(error) error
	}
	aroundStmt struct {
		sqldriver.Stmt
		fault func(error) error
	}
)

func (d *aroundDriver) Driver() sqldriver.Driver { return d }

func (d *aroundDriver) Connect(context.Context) (sqldriver.Conn, error) { return d.Open(d.path) }

func (d *aroundDriver) Open(path string) (sqldriver.Conn, error) {
	conn, err := d.inner.Open(path)
	if err != nil {
		return nil, d.fault(err)
	}
	return &aroundConn{conn, d.fault}, nil
}

func (c *aroundConn) Prepare(query string) (sqldriver.Stmt, error) {
	stmt, err := c.Conn.Prepare(query)
	if err != nil {
		return nil, c.fault(err)
	}
	return &aroundStmt{stmt, c.fault}, nil
}

func (s *aroundStmt) Exec(args []sqldriver.Value) (sqldriver.Result, error) {
	result, err := s.Stmt.Exec(args) //nolint:staticcheck // the least that a driver has
	if err != nil {
		return nil, s.fault(err)
	}
	return result, nil
}

func (s *aroundStmt) Query(args []sqldriver.Value) (sqldriver.Rows, error) {
	rows, err := s.Stmt.Query(args) //nolint:staticcheck // the least that a driver has
	if err != nil {
		return nil, s.fault(err)
	}
	return rows, nil
}

// around opens a new file through an aroundDriver.
func around(t *testing.T, fault func(error) error) *sqlx.DB {
	t.Helper()
	d := &aroundDriver{handle(t, "").Driver(), filepath.Join(t.TempDir(), "app.db"), fault}
	db := sqlx.NewDb(sql.OpenDB(d), "sqlite")
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestHandleOfADriverAround(t *testing.T) {
	t.Parallel()
	s := onHandle(t, around(t, func(err error) error { return fmt.Errorf("traced: %w", err) }), sqlite.Config{})
	require.NoError(t, s.Create(t.Context(), token(1), 0))
	require.ErrorIs(t, s.Create(t.Context(), token(1), 0), store.ErrTaken)
	require.NoError(t, s.Ping(t.Context()))
	dir := t.TempDir()
	require.ErrorContains(t, s.Backup(t.Context(), filepath.Join(dir, "copy.db")), "can't make a backup")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// Of another driver the store would not understand the errors: a value that is taken
// would be any failure.
func TestHandleOfAnotherDriver(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(error) error{
		"hides errors": func(err error) error { return errors.New(err.Error()) },
		"has its own":  func(error) error { return fs.ErrInvalid },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const refusal = "the driver of the handle is a *sqlite_test.aroundDriver, which is not modernc.org/sqlite"
			db := around(t, fault)
			require.ErrorContains(t, sqlite.Migrate(t.Context(), db.DB, sqlite.Config{}), "sqlite: migrate: "+refusal)
			_, err := sqlite.New(t.Context(), db.DB, sqlite.Config{})
			require.ErrorContains(t, err, "sqlite: new store: "+refusal)
			require.Zero(t, db.Stats().InUse)
		})
	}
}

// A program that waits for itself gets an answer.
func TestNoConnectionIsFree(t *testing.T) {
	t.Parallel()
	db := handleInMemory(t)
	s := onHandle(t, db, sqlite.Config{BusyTimeout: 50 * time.Millisecond})
	patient := onHandle(t, db, sqlite.Config{})
	tx := begin(t, db)
	err := s.Create(t.Context(), token(1), 0)
	require.ErrorContains(t, err, "all connections of the pool were in use for 50ms")
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	_, err = sqlite.New(t.Context(), db.DB, sqlite.Config{BusyTimeout: 50 * time.Millisecond})
	require.ErrorContains(t, err, "all connections of the pool were in use for 50ms")

	// Or what its contexts ask for.
	ctx, cancel := context.WithCancel(t.Context())
	before := db.Stats().WaitCount
	calls := []func() error{
		func() error { return patient.Create(ctx, token(1), 0) },
		func() error { _, err := patient.Get(ctx, "x"); return err },
		func() error { _, err := patient.List(ctx, store.Query{}); return err },
		func() error { return patient.Ping(ctx) },
		func() error { return patient.Backup(ctx, filepath.Join(t.TempDir(), "copy.db")) },
	}
	errs := make(chan error, len(calls))
	for _, call := range calls {
		go func() { errs <- call() }()
	}
	for db.Stats().WaitCount < before+int64(len(calls)) {
		runtime.Gosched()
	}
	cancel()
	for range calls {
		require.ErrorIs(t, <-errs, context.Canceled)
	}
	require.NoError(t, tx.Rollback())
	require.NoError(t, s.Create(t.Context(), token(1), 0))
}

// A backup that waits for a connection does not keep Close from returning: the one who
// calls Close may be the one who has the connection.
func TestCloseDoesNotWaitForTheHandle(t *testing.T) {
	t.Parallel()
	db := handleInMemory(t)
	s := onHandle(t, db, sqlite.Config{})
	tx := begin(t, db)
	before := db.Stats().WaitCount
	dir := t.TempDir()
	backedUp := make(chan error)
	go func() { backedUp <- s.Backup(context.Background(), filepath.Join(dir, "copy.db")) }()
	for db.Stats().WaitCount == before {
		runtime.Gosched()
	}
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		require.NoError(t, err)
	case err := <-backedUp:
		t.Fatal("a backup without a connection", err)
	case <-time.After(10 * time.Second):
		t.Error("Close waits for a connection that the application has")
	}
	require.NoError(t, tx.Rollback())
	require.ErrorIs(t, <-backedUp, sqlite.ErrClosed)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// Whatever the application has set, the store waits for the lock.
func TestApplicationWritesTooMuch(t *testing.T) {
	t.Parallel()
	for name, parameters := range map[string]string{
		"WAL":              "_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)",
		"rollback journal": "_pragma=synchronous(OFF)",
		"exclusive":        "_txlock=exclusive&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := handle(t, parameters)
			s := onHandle(t, db, sqlite.Config{})
			_, err := db.Exec(`CREATE TABLE app (n INTEGER); INSERT INTO app VALUES (0)`)
			require.NoError(t, err)
			done := make(chan struct{})
			var app sync.WaitGroup
			for range 2 {
				app.Go(func() {
					for {
						select {
						case <-done:
							return
						default:
						}
						_, err := db.Exec(`UPDATE app SET n = n + 1`)
						if e, ok := errors.AsType[*driver.Error](err); err != nil && (!ok || e.Code()&0xff != sqlite3.SQLITE_BUSY) {
							t.Error(err)
						}
					}
				})
			}
			together(16, func(c int) {
				for i := range 10 {
					r := token(c*100 + i)
					if err := s.Create(context.Background(), r, 0); err != nil {
						t.Error(err)
					}
					if err := get(s, r.Identifier); err != nil {
						t.Error(err)
					}
				}
			})
			close(done)
			app.Wait()
			n, err := s.Count(t.Context(), store.Query{})
			require.NoError(t, err)
			require.Equal(t, 160, n)
		})
	}
}

// In a rollback journal, a commit has to wait for who reads.
func TestCommitWaitsForReaders(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	db := handleTo(t, path, "")
	s := onHandle(t, db, sqlite.Config{})
	reading := begin(t, db)
	var n int
	require.NoError(t, reading.Get(&n, `SELECT count(*) FROM authtoken_tokens`))
	created := make(chan error)
	go func() { created <- s.Create(context.Background(), token(1), 0) }()
	for other := handleTo(t, path, "_txlock=immediate"); ; {
		tx, err := other.Begin()
		if err != nil {
			break // the writer is at its commit, or about to be
		}
		require.NoError(t, tx.Rollback())
	}
	select {
	case err := <-created:
		require.Fail(t, "committed while somebody reads", err)
	default:
	}
	require.NoError(t, reading.Rollback())
	require.NoError(t, <-created)
}

// A new connection does what its name says before anything else, and to do that
// while somebody commits it has to wait too.
func TestNewConnectionsWaitForTheLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	db := handleTo(t, path, "_pragma=synchronous(OFF)")
	s := onHandle(t, db, sqlite.Config{})
	db.SetMaxIdleConns(0) // each is a new one
	for _, call := range []func() error{
		func() error { return s.Create(t.Context(), token(1), 0) },
		func() error { return get(s, token(1).Identifier) },
		func() error { return s.Ping(t.Context()) },
		func() error { return s.Backup(t.Context(), filepath.Join(t.TempDir(), "copy.db")) },
		func() error { return sqlite.Migrate(t.Context(), db.DB, sqlite.Config{}) },
		func() error {
			again, err := sqlite.New(t.Context(), db.DB, sqlite.Config{})
			if err == nil {
				err = again.Close()
			}
			return err
		},
	} {
		tx := begin(t, handleTo(t, path, "_txlock=exclusive"))
		time.AfterFunc(20*time.Millisecond, func() { _ = tx.Rollback() })
		require.NoError(t, call())
	}
}

// Who waits for the lock stops when its context ends.
func TestCancelledWhileLocked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	opened, err := sqlite.Open(t.Context(), path, sqlite.Config{BusyTimeout: time.Minute})
	require.NoError(t, err)
	defer opened.Close()
	lent := onHandle(t, handleTo(t, path, ""), sqlite.Config{BusyTimeout: time.Minute})
	tx := begin(t, handleTo(t, path, wal))
	for _, s := range []*sqlite.Store{opened, lent} {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Millisecond, cancel)
		start := time.Now()
		require.ErrorIs(t, s.Create(ctx, token(1), 0), context.Canceled)
		require.Less(t, time.Since(start), 30*time.Second)
	}
	require.NoError(t, tx.Rollback())
	require.NoError(t, lent.Create(t.Context(), token(1), 0))
}
