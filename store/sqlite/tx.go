package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/authtoken/authtoken/store"
)

// Tx is a [store.Store] in a transaction of the application. Use [Store.WithTx] to make
// one. It is safe for concurrent use: calls take turns. It lasts as long as the
// transaction.
type Tx struct {
	operations
	store *Store

	mu     sync.Mutex
	writer writer
	reader reader
	failed error // after which SQLite may have rolled back by itself
}

// WithTx returns a store that does everything in tx. It sees what tx has written so
// far. Others see its writes when the application commits tx; they are gone if it rolls
// tx back. The store does neither. From the first write until then, other writers wait,
// so keep tx short.
//
// A write that fails because a value is taken, the owner is at the limit, or the record
// does not exist or has another version, changes nothing, and tx can go on. After any
// other error, roll tx back. After some errors, such as a full disk, SQLite may have
// rolled back tx itself; then all further calls fail. Writes also fail if SQLite did so
// after a statement of the application, such as an INSERT whose context has ended. When
// tx has ended, errors match [database/sql.ErrTxDone].
//
// tx must be on a database that has the tables of s, usually on the handle that s was
// made for. Begin it with the write lock: put _txlock=immediate in the handle's data
// source name. Otherwise, if tx reads and others write before its first write, SQLite
// refuses that write, and will refuse it again.
func (s *Store) WithTx(tx *sql.Tx) *Tx {
	db := &sqlx.Tx{Tx: tx}
	p := prepared{db: db, prefix: s.reader.prefix}
	t := &Tx{store: s, writer: writer{prepared: p}, reader: reader{prepared: p, lists: db}}
	t.operations = operations{t}
	return t
}

// do calls f in the transaction, one call at a time.
func (t *Tx) do(ctx context.Context, op string, f func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := ctx.Err()
	switch {
	case err != nil:
	case t.store.closed.Load():
		err = ErrClosed
	case t.failed != nil:
		err = fmt.Errorf("the transaction can only be rolled back, because of an earlier error: %w", t.failed)
	default:
		err = untilFree(ctx, time.Now().Add(t.store.writer.busyTimeout), f)
		if err != nil && !store.IsOutcome(err) {
			err = t.explain(ctx, err)
		}
	}
	return t.store.wrap(op, err)
}

// explain returns the cause of an error of SQLite or of database/sql.
func (t *Tx) explain(ctx context.Context, err error) error {
	switch c := code(err); {
	case t.ended():
		err = sql.ErrTxDone // instead of "statement is closed"
	case c == sqlite3.SQLITE_BUSY_SNAPSHOT:
		err = fmt.Errorf("the transaction has read before it writes, and others have written since; begin it with _txlock=immediate: %w", err)
	case mayRollBack(c):
		t.failed = err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// ended reports whether the transaction is over.
func (t *Tx) ended() bool {
	rows, err := t.reader.lists.QueryContext(context.Background(), "SELECT 1")
	if err == nil {
		_ = rows.Close()
	}
	return errors.Is(err, sql.ErrTxDone)
}

// mayRollBack reports whether SQLite may have rolled back the transaction by itself. If
// it has, the next write is durable at once.
func mayRollBack(code int) bool {
	switch primary(code) {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM:
		return true
	}
	return false
}

func (t *Tx) point(ctx context.Context, op string, f func(ctx context.Context, rd *reader) error) error {
	return t.do(ctx, op, func() error { return f(context.WithoutCancel(ctx), &t.reader) })
}

func (t *Tx) read(ctx context.Context, op string, f func(ctx context.Context, rd *reader) error) error {
	return t.do(ctx, op, func() error { return f(ctx, &t.reader) })
}

func (t *Tx) write(ctx context.Context, op string, f func(ctx context.Context, w *writer, inTx bool) error) error {
	return t.do(ctx, op, func() error {
		if err := t.begun(); err != nil {
			return err
		}
		return f(context.WithoutCancel(ctx), &t.writer, true)
	})
}

// begun makes sure that SQLite is in a transaction. SQLite may have rolled back by
// itself after a statement of the application whose context ended, for example, and the
// store is not notified. The next write would then be durable at once, even if tx is
// rolled back. database/sql cannot ask SQLite, but within a transaction SQLite refuses
// to begin one.
func (t *Tx) begun() error {
	if t.writer.run("BEGIN") != nil {
		return nil // also if tx has ended; then f fails
	}
	_ = t.writer.run(rollbackSQL)
	t.failed = errors.New("SQLite has rolled back by itself")
	return t.failed
}
