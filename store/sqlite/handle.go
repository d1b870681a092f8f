package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	modernc "modernc.org/sqlite"
)

// New returns a store in a database that the application has opened with
// modernc.org/sqlite, or with a wrapper of it that passes on its errors. New and
// Migrate refuse any other driver; they test it with a faulty statement. The tables
// must exist: call Migrate first.
//
// The store takes connections from db's pool: one for each read and one for each group
// of writes. It changes no setting of a connection or of the pool. Close leaves db
// open. A pool of one connection is enough, and a database in memory needs exactly one.
// While something else uses that connection, such as a transaction, only WithTx works.
//
// The settings of db decide how safe and how fast the store is. This data source name
// asks for what Open asks for:
//
//	file:app.db?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(ON)
//
// With synchronous FULL, a write that has returned is on disk. In WAL mode, writers do
// not wait for readers. With secure_delete, old digests and sealed keys are
// overwritten. The _txlock is for WithTx. The application also sets the permissions of
// the file. A pool is faster if it keeps its connections open, as many as there are
// processors or a few more: see [database/sql.DB.SetMaxIdleConns].
//
// The store needs no busy_timeout. It waits itself, up to cfg.BusyTimeout, for the lock
// and for a connection to write through. It waits for a connection to read through
// until the caller's context ends.
//
// New checks the tables. If ctx ends before that, New fails.
func New(ctx context.Context, db *sql.DB, cfg Config) (*Store, error) {
	s := newStore()
	cfg, err := cfg.forHandle(db)
	if cfg.Synchronous == Normal {
		err = errors.Join(err, errors.New("Synchronous: the application sets it on its handle"))
	}
	if err == nil {
		err = s.use(ctx, sqlx.NewDb(db, "sqlite"), cfg)
	}
	if err != nil {
		_ = s.closeDBs()
		return nil, fmt.Errorf("sqlite: new store: %w", err)
	}
	return s, nil
}

// forHandle is withDefaults for a handle of the application.
func (c Config) forHandle(db *sql.DB) (Config, error) {
	c, err := c.withDefaults()
	if db == nil {
		err = errors.Join(errors.New("db is nil"), err)
	}
	return c, err
}

// use makes s work on the connections of db.
func (s *Store) use(ctx context.Context, db *sqlx.DB, cfg Config) error {
	waiting, cancel := context.WithTimeout(ctx, cfg.BusyTimeout)
	defer cancel()
	s.pool = db
	s.writer = newBorrower(db, cfg)
	s.committer = newCommitter(s.writer, cfg.MaxWaiting)
	s.reader = newReader(db, db, cfg)
	err := untilFree(waiting, time.Now().Add(cfg.BusyTimeout), func() error {
		if err := checkDriver(waiting, db); err != nil {
			return err
		}
		if err := upToDate(waiting, db, s.reader.prefix); err != nil {
			return err
		}
		var path string
		if err := db.GetContext(waiting, &path, "SELECT file FROM pragma_database_list WHERE name = 'main'"); err != nil {
			return err
		}
		s.where = placeOf(path)
		return s.reader.prepareAll(waiting)
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return errNoConnection(cfg.BusyTimeout)
	}
	return reason(err)
}

// checkDriver makes sure that SQLite's errors have modernc's type. By them the store
// detects that a value is taken or the database is locked. The type of the driver says
// nothing: a wrapper that passes on these errors is fine.
func checkDriver(ctx context.Context, db *sqlx.DB) error {
	conn, err := db.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.ExecContext(ctx, "a faulty statement, to see which driver says so")
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, ok := errors.AsType[*modernc.Error](err); ok {
		return nil
	}
	return fmt.Errorf("the driver of the handle is a %T, which is not modernc.org/sqlite, or does not pass on its errors", db.Driver())
}

// borrow takes a connection from the pool, if there is one.
func (w *writer) borrow(ctx context.Context, deadline time.Time) error {
	if w.pool == nil {
		return nil
	}
	waiting, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	conn, err := connect(waiting, w.pool, deadline)
	switch {
	case err == nil:
		w.conn, w.prepared.db = conn, conn
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return errNoConnection(w.busyTimeout)
	}
	return err
}

// connect takes a connection from db. On a new connection, statements that the
// application has configured run first, and may find the database locked.
func connect(ctx context.Context, db *sqlx.DB, deadline time.Time) (conn *sqlx.Conn, err error) {
	err = untilFree(ctx, deadline, func() (err error) {
		conn, err = db.Connx(ctx)
		return err
	})
	return conn, err
}

// errNoConnection most likely means that a program waits for itself.
func errNoConnection(after time.Duration) error {
	return fmt.Errorf("all connections of the pool were in use for %v", after)
}

// giveBack returns the connection to its pool, if it came from one.
func (w *writer) giveBack() {
	if w.pool == nil || w.conn == nil {
		return
	}
	_ = w.prepared.close()
	_ = w.conn.Close()
	w.conn, w.prepared = nil, prepared{prefix: w.prefix}
}

// discard closes the connection instead, which ends whatever it was in the middle of.
func (w *writer) discard() {
	if w.pool == nil {
		return
	}
	_ = w.prepared.close() // first, while their connection is open
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	w.conn, w.prepared = nil, prepared{prefix: w.prefix}
}
