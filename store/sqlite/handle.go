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

	"github.com/authtoken/authtoken/store"
)

// New returns a store in a database that the application has opened, by way of
// modernc.org/sqlite, or of a driver around it that passes on its errors; any other
// is refused, which New and Migrate find out with a faulty statement. Its tables
// must be there: call Migrate first.
//
// The store takes connections of db's pool like anybody else, one for each read
// and one for each group of writes, and changes no setting of theirs or of the pool.
// Close leaves db open. A pool of one connection will do, and is what a
// database in memory needs; as long as something else uses that connection, such as a
// transaction, only WithTx is of use.
//
// How safe and how fast the store is is up to the application. A name that asks for
// what Open asks for is
//
//	file:app.db?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(ON)
//
// With synchronous FULL a write that has returned is on disk, and in WAL mode nobody
// who writes waits for those who read. With secure_delete, digests and sealed keys that
// are gone are overwritten. The permissions of the file are the application's too. The _txlock is for WithTx. A pool that
// keeps its connections, as many as there are processors or a few more, is faster
// than one that closes them: see [database/sql.DB.SetMaxIdleConns].
//
// The store needs no busy_timeout. It waits by itself, for as long as cfg says, for
// the lock, and for a connection to write through; for one to read through
// it waits until the caller's context ends.
//
// New looks at the tables. If ctx ends before it could, it fails.
func New(ctx context.Context, db *sql.DB, cfg Config) (*Store, error) {
	s := newStore()
	cfg, err := cfg.forHandle(db)
	if cfg.Synchronous == Normal {
		err = errors.Join(err, errors.New("Synchronous: it is for the application to set, on its handle"))
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

// forHandle is withDefaults for what is on a handle of the application's.
func (c Config) forHandle(db *sql.DB) (Config, error) {
	c, err := c.withDefaults()
	if db == nil {
		err = errors.Join(errors.New("db is nil"), err)
	}
	return c, err
}

// use has s work on the connections of db.
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
		steps, err := missing(waiting, db, s.reader.prefix)
		if err != nil {
			return err
		}
		if len(steps) > 0 {
			return fmt.Errorf("of the migrations to the tables %s*, %d have not been made: call Migrate first", cfg.TablePrefix, len(steps))
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

// checkDriver makes sure that errors of SQLite come as modernc's, which is how the
// store tells that a value is taken, or the database is locked. The type of
// the driver says nothing: one around modernc's that passes on its errors will do.
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

// newBorrower returns a writer that takes a connection of db for each transaction.
func newBorrower(db *sqlx.DB, cfg Config) *writer {
	return &writer{
		prepared:    prepared{prefix: store.TablePrefix(cfg.TablePrefix)},
		busyTimeout: cfg.BusyTimeout,
		pool:        db,
	}
}

// borrow takes a connection of the pool, if there is one.
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

// connect takes a connection of db. If it is a new one, what the application has
// set to be done with it first may find the database locked.
func connect(ctx context.Context, db *sqlx.DB, deadline time.Time) (conn *sqlx.Conn, err error) {
	err = untilFree(ctx, deadline, func() (err error) {
		conn, err = db.Connx(ctx)
		return err
	})
	return conn, err
}

// errNoConnection is the most likely sign of a program that waits for itself.
func errNoConnection(after time.Duration) error {
	return fmt.Errorf("all connections of the pool have been in use for %v", after)
}

// giveBack gives the connection back to the pool that it is of, if it is.
func (w *writer) giveBack() {
	if w.pool == nil || w.conn == nil {
		return
	}
	_ = w.prepared.close()
	_ = w.conn.Close()
	w.conn, w.prepared = nil, prepared{prefix: w.prefix}
}

// discard closes the connection instead, so that whatever it was in the middle of
// ends.
func (w *writer) discard() {
	if w.pool == nil {
		return
	}
	_ = w.prepared.close() // first, or the driver would stumble over them
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	w.conn, w.prepared = nil, prepared{prefix: w.prefix}
}
