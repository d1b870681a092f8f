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

// Tx is a [store.Store] in a transaction of the application's. Use
// [Store.WithTx] to make one. It may be used by any number of goroutines, which
// take turns, and for as long as the transaction lasts.
type Tx struct {
	store *Store

	mu     sync.Mutex
	writer writer
	reader reader
	failed error // after which SQLite may have rolled back by itself
}

var _ store.Store = (*Tx)(nil)

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
func (s *Store) WithTx(tx *sqlx.Tx) *Tx {
	p := prepared{db: tx, prefix: s.reader.prefix}
	return &Tx{
		store:  s,
		writer: writer{prepared: p},
		reader: reader{prepared: p, lists: tx},
	}
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

// write has f write. Like in the committer, it is not for ctx to interrupt.
func (t *Tx) write(ctx context.Context, op string, f func(ctx context.Context) error) error {
	return t.do(ctx, op, func() error {
		if err := t.begun(); err != nil {
			return err
		}
		return f(context.WithoutCancel(ctx))
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

// point reads one record, which takes no time worth interrupting.
func (t *Tx) point(ctx context.Context, op string, f func(ctx context.Context, r *store.Record) error) (store.Record, error) {
	var r store.Record
	if err := t.do(ctx, op, func() error { return f(context.WithoutCancel(ctx), &r) }); err != nil {
		return store.Record{}, err
	}
	return r, nil
}

// Create implements [store.Store].
func (t *Tx) Create(ctx context.Context, r store.Record, limit int) error {
	return t.write(ctx, opCreate, func(ctx context.Context) error { return t.writer.create(ctx, true, &r, limit) })
}

// Get implements [store.Store].
func (t *Tx) Get(ctx context.Context, identifier string) (store.Record, error) {
	return t.point(ctx, opGet, func(ctx context.Context, r *store.Record) error { return t.reader.get(ctx, identifier, r) })
}

// GetByDigest implements [store.Store].
func (t *Tx) GetByDigest(ctx context.Context, digest store.Digest) (store.Record, error) {
	return t.point(ctx, opGetByDigest, func(ctx context.Context, r *store.Record) error { return t.reader.getByDigest(ctx, digest, r) })
}

// Update implements [store.Store].
func (t *Tx) Update(ctx context.Context, r store.Record) error {
	return t.write(ctx, opUpdate, func(ctx context.Context) error { return t.writer.update(ctx, true, &r) })
}

// Delete implements [store.Store].
func (t *Tx) Delete(ctx context.Context, pk store.PK, version int64) error {
	return t.write(ctx, opDelete, func(ctx context.Context) error { return t.writer.delete(ctx, true, &pk, version) })
}

// List implements [store.Store].
func (t *Tx) List(ctx context.Context, q store.Query) (records []store.Record, err error) {
	err = t.do(ctx, opList, func() (err error) {
		records, err = list(ctx, t.reader.lists, t.reader.prefix, &q)
		return err
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// Count implements [store.Store].
func (t *Tx) Count(ctx context.Context, q store.Query) (n int, err error) {
	err = t.do(ctx, opCount, func() (err error) {
		n, err = count(ctx, t.reader.lists, t.reader.prefix, &q)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Purge implements [store.Store].
func (t *Tx) Purge(ctx context.Context, q store.Query) (purged []store.Record, err error) {
	err = t.write(ctx, opPurge, func(ctx context.Context) error {
		return t.writer.together(func() (err error) {
			purged, err = t.writer.purge(ctx, true, &q)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return purged, nil
}

// Touch implements [store.Store].
func (t *Tx) Touch(ctx context.Context, uses []store.Use) error {
	return t.write(ctx, opTouch, func(ctx context.Context) error {
		return t.writer.together(func() error { return t.writer.touch(ctx, true, uses) })
	})
}
