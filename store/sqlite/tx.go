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
)

// Tx is a [store.Store] in a transaction of the application's. Use
// [Store.WithTx] to make one. It may be used by any number of goroutines, which
// take turns, and for as long as the transaction lasts.
type Tx struct {
	operations
	store *Store

	mu     sync.Mutex
	writer writer
	reader reader
	failed error // after which SQLite may have rolled back by itself
}

// WithTx returns a store that does everything in tx. It sees what tx has written
// so far. What it writes itself is there for others when the application commits
// tx, and gone if it rolls tx back; the store does neither. From the first write
// until then, others who write wait, so be quick about it.
//
// A write that fails because a value is taken, or the record is not there or has
// another version, changes nothing, and tx can go on. After any other
// error tx should be rolled back. If it is one after which SQLite may have done so by
// itself, such as a full disk, the store does nothing more in tx. Nor does it write
// if SQLite has done so after a statement of the application's, such as an INSERT
// whose context has ended. When tx has ended, errors match [database/sql.ErrTxDone].
//
// tx must be on a database that has the tables of s; usually it is on the
// handle that s was made for. It is best begun with the write lock, for which
// _txlock=immediate stands in the handle's name. If it was not, has read something,
// and others have written before it writes for the first time, SQLite refuses
// that write, and will refuse it again.
func (s *Store) WithTx(tx *sql.Tx) *Tx {
	db := &sqlx.Tx{Tx: tx}
	p := prepared{db: db, prefix: s.reader.prefix}
	t := &Tx{store: s, writer: writer{prepared: p}, reader: reader{prepared: p, lists: db}}
	t.operations = operations{t}
	return t
}

// do has f done in the transaction, in its turn.
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
		if err != nil && !isOutcome(err) {
			err = t.explain(ctx, err)
		}
	}
	return t.store.wrap(op, err)
}

// explain returns the reason for an error of SQLite's, or of database/sql.
func (t *Tx) explain(ctx context.Context, err error) error {
	switch c := code(err); {
	case t.ended():
		err = sql.ErrTxDone // and not that a statement is closed
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

// ended reports whether there is no transaction any more.
func (t *Tx) ended() bool {
	rows, err := t.reader.lists.QueryContext(context.Background(), "SELECT 1")
	if err == nil {
		_ = rows.Close()
	}
	return errors.Is(err, sql.ErrTxDone)
}

// mayRollBack reports whether SQLite may have rolled back the transaction by itself,
// so that what is done next would be durable at once.
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

// begun makes sure that SQLite is in a transaction. It may have rolled back by
// itself after a statement of the application's, of which the store knows nothing:
// one whose context has ended is enough. What is written then would be durable at
// once, whatever becomes of tx. There is no asking SQLite by way of
// database/sql, but within a transaction it refuses to begin one.
func (t *Tx) begun() error {
	if t.writer.run("BEGIN") != nil {
		return nil // also if there is no tx any more, as f will find
	}
	_ = t.writer.run(rollbackSQL)
	t.failed = errors.New("SQLite has rolled back by itself")
	return t.failed
}
