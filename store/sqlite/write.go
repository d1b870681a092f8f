package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/authtoken/authtoken/store"
)

const (
	beginSQL    = "BEGIN IMMEDIATE"
	commitSQL   = "COMMIT"
	rollbackSQL = "ROLLBACK"

	insertSQL = `INSERT INTO authtoken_tokens (` + columns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

	// updatePlainSQL is for an update that leaves alone what is indexed, as most
	// do. SQLite takes every index that has a column in SET out and in
	// again, whether or not the value is another, so a statement that doesn't
	// name them is worth trying first: it dirties one page where updateSQL
	// dirties five.
	updatePlainSQL = `UPDATE authtoken_tokens SET
		intent = ?, description = ?, sealed = ?, retired_until = ?, version = version + 1
		WHERE pk = ? AND version = ?
			AND identifier = ? AND user = ? AND managed IS ? AND expires IS ? AND expiring = ? AND digest = ? AND retired IS ?`

	updateSQL = `UPDATE authtoken_tokens SET
		identifier = ?, intent = ?, user = ?, description = ?, managed = ?, expires = ?, expiring = ?,
		digest = ?, sealed = ?, retired = ?, retired_until = ?, version = version + 1
		WHERE pk = ? AND version = ?`

	deleteSQL = `DELETE FROM authtoken_tokens WHERE pk = ? AND version = ?`

	touchSQL = `UPDATE authtoken_tokens SET last_used = ?, last_used_from = ?
		WHERE pk = ? AND (last_used IS NULL OR last_used < ?)`

	existsSQL = `SELECT EXISTS (SELECT 1 FROM authtoken_tokens WHERE pk = ?)`

	// takenSQL says which field of a record, new or about to be changed, has a
	// value that another record has. To ask is safer than to read it out of
	// the error message, whose wording nobody promises.
	takenSQL = `SELECT CASE
		WHEN EXISTS (SELECT 1 FROM authtoken_tokens WHERE identifier = ? AND pk <> ?) THEN 'identifier'
		WHEN EXISTS (SELECT 1 FROM authtoken_tokens WHERE managed = ? AND pk <> ?) THEN 'managed'
		WHEN EXISTS (SELECT 1 FROM authtoken_tokens WHERE digest = ? AND pk <> ?) THEN 'digest'
		ELSE '' END`
)

// A writer is a connection that writes, with its statements. Only the leader of
// the committer may use it or, if it writes in a transaction of the
// application's, whoever holds the lock of the Tx.
type writer struct {
	prepared
	busyTimeout time.Duration

	// Unless pool is nil, conn is one of it, taken for each transaction and given
	// back after it.
	pool *sqlx.DB
	conn *sqlx.Conn
}

// newWriter returns the writer on a connection that is the store's own.
func newWriter(conn *sqlx.Conn, cfg Config) *writer {
	return &writer{
		prepared:    prepared{db: conn, prefix: prefix(cfg.TablePrefix)},
		busyTimeout: cfg.BusyTimeout,
		conn:        conn,
	}
}

// prepareAll prepares all there is to prepare, which can be done only once there
// are tables.
func (w *writer) prepareAll(ctx context.Context) error {
	return w.prepare(ctx, beginSQL, commitSQL, rollbackSQL,
		insertSQL, updatePlainSQL, updateSQL, deleteSQL, touchSQL, existsSQL, takenSQL)
}

// begin takes the write lock. The time that a leader has spent in the queue
// counts: if nothing moves, all give up when their time is up, and not each
// only after it has led in vain for as long again.
func (w *writer) begin(ctx context.Context, since time.Time) error {
	deadline := since.Add(w.busyTimeout)
	if err := w.borrow(ctx, deadline); err != nil {
		return err
	}
	err := untilFree(ctx, deadline, func() error { return w.run(beginSQL) })
	if err == nil {
		return nil
	}
	w.giveBack()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// commit waits if it has to for those who read: they are in its way if the
// application has its database in another mode than WAL.
func (w *writer) commit() error {
	err := untilFree(context.Background(), time.Now().Add(w.busyTimeout), func() error { return w.run(commitSQL) })
	if err == nil {
		w.giveBack()
	}
	return err
}

// rollback ignores the error: it is that SQLite has rolled back already, as it
// does by itself when the disk is full, among others.
func (w *writer) rollback() {
	if w.conn == nil {
		return
	}
	err := w.run(rollbackSQL)
	if err != nil && code(err) != sqlite3.SQLITE_ERROR {
		w.discard() // after any other error, nobody knows
	}
	w.giveBack()
}

// run runs a statement that has no arguments.
func (w *writer) run(query string) error {
	_, err := w.exec(context.Background(), true, query)
	return err
}

// exec runs a statement and returns how many rows it changed.
func (w *writer) exec(ctx context.Context, inTx bool, query string, args ...any) (int64, error) {
	stmt, err := w.stmt(ctx, query)
	var result sql.Result
	if err == nil {
		result, err = stmt.ExecContext(ctx, args...)
	}
	switch {
	case err == nil:
		return result.RowsAffected()
	case !inTx && (isBusy(err) || isUniqueViolation(err)):
		return 0, errNeedsTx // to wait for longer, or to see whose the value is
	}
	return 0, err
}

// row runs a query for one row and scans it.
func (w *writer) row(ctx context.Context, dest any, query string, args ...any) error {
	stmt, err := w.stmt(ctx, query)
	if err != nil {
		return err
	}
	return stmt.QueryRowContext(ctx, args...).Scan(dest)
}

// takenError finds the reason for a violation of uniqueness by r.
func (w *writer) takenError(ctx context.Context, r *store.Record, violation error) error {
	var field store.Field
	err := w.row(ctx, &field, takenSQL, r.Identifier, r.PK[:], text(r.Managed), r.PK[:], r.Digest[:], r.PK[:])
	if err != nil {
		return errors.Join(violation, err)
	}
	if field == "" { // so what collided is what the question left out
		field = store.FieldPK
	}
	return &store.TakenError{Field: field}
}

// missed finds the reason for a write that found no row to change.
func (w *writer) missed(ctx context.Context, pk *store.PK) error {
	var exists bool
	if err := w.row(ctx, &exists, existsSQL, pk[:]); err != nil {
		return err
	}
	if exists {
		return store.ErrStale
	}
	return store.ErrNotFound
}

// create, update, delete, purge and touch do what [store.Store] says. Without a
// transaction they are as [writeFunc] says; inTx, they change all or nothing.

func (w *writer) create(ctx context.Context, inTx bool, r *store.Record) error {
	_, err := w.exec(ctx, inTx, insertSQL, insertArgs(r)...)
	if isUniqueViolation(err) {
		return w.takenError(ctx, r, err)
	}
	return err
}

func (w *writer) update(ctx context.Context, inTx bool, r *store.Record) error {
	n, err := w.exec(ctx, inTx, updatePlainSQL,
		r.Intent, r.Description, blob(r.Sealed), micros(r.RetiredUntil), r.PK[:], r.Version,
		r.Identifier, r.User, text(r.Managed), micros(r.Expires), r.Expiring, r.Digest[:], digest(&r.Retired))
	if err != nil || n > 0 {
		return err
	}
	n, err = w.exec(ctx, inTx, updateSQL,
		r.Identifier, r.Intent, r.User, r.Description, text(r.Managed), micros(r.Expires), r.Expiring,
		r.Digest[:], blob(r.Sealed), digest(&r.Retired), micros(r.RetiredUntil), r.PK[:], r.Version)
	switch {
	case isUniqueViolation(err):
		return w.takenError(ctx, r, err)
	case err != nil || n > 0:
		return err
	case !inTx:
		return errNeedsTx
	}
	return w.missed(ctx, &r.PK)
}

func (w *writer) delete(ctx context.Context, inTx bool, pk *store.PK, version int64) error {
	n, err := w.exec(ctx, inTx, deleteSQL, pk[:], version)
	switch {
	case err != nil || n > 0:
		return err
	case !inTx:
		return errNeedsTx
	}
	return w.missed(ctx, pk)
}

func (w *writer) purge(ctx context.Context, inTx bool, q *store.Query) (purged []store.Record, err error) {
	if !inTx {
		return nil, errNeedsTx
	}
	if purged, err = list(ctx, w.db, w.prefix, q); err != nil {
		return nil, err
	}
	for i := range purged {
		r := &purged[i]
		if _, err := w.exec(ctx, inTx, deleteSQL, r.PK[:], r.Version); err != nil {
			return nil, err
		}
	}
	return purged, nil
}

func (w *writer) touch(ctx context.Context, inTx bool, uses []store.Use) error {
	if !inTx && len(uses) > 1 {
		return errNeedsTx
	}
	for i := range uses {
		u := &uses[i]
		if u.At.IsZero() {
			continue // none is not later than anything
		}
		at := u.At.UnixMicro()
		if _, err := w.exec(ctx, inTx, touchSQL, at, u.From, u.PK[:], at); err != nil {
			return err
		}
	}
	return nil
}

// write has the leader do f. Once begun, f is not for ctx to interrupt, or
// nobody could say whether it took effect, and others may be in the transaction.
func (s *Store) write(ctx context.Context, op string, f func(ctx context.Context, inTx bool) error) error {
	err := s.committer.do(ctx, func(inTx bool) error {
		if !inTx { // or begin has done it
			if err := s.writer.borrow(ctx, time.Now().Add(s.writer.busyTimeout)); err != nil {
				return err
			}
			defer s.writer.giveBack()
		}
		return f(context.WithoutCancel(ctx), inTx)
	})
	return s.wrap(op, err)
}

// Create implements [store.Store].
func (s *Store) Create(ctx context.Context, r store.Record) error {
	return s.write(ctx, opCreate, func(ctx context.Context, inTx bool) error { return s.writer.create(ctx, inTx, &r) })
}

// Update implements [store.Store].
func (s *Store) Update(ctx context.Context, r store.Record) error {
	return s.write(ctx, opUpdate, func(ctx context.Context, inTx bool) error { return s.writer.update(ctx, inTx, &r) })
}

// Delete implements [store.Store].
func (s *Store) Delete(ctx context.Context, pk store.PK, version int64) error {
	return s.write(ctx, opDelete, func(ctx context.Context, inTx bool) error { return s.writer.delete(ctx, inTx, &pk, version) })
}

// Purge implements [store.Store].
func (s *Store) Purge(ctx context.Context, q store.Query) (purged []store.Record, err error) {
	err = s.write(ctx, opPurge, func(ctx context.Context, inTx bool) (err error) {
		purged, err = s.writer.purge(ctx, inTx, &q)
		return err
	})
	if err != nil {
		return nil, err
	}
	return purged, nil
}

// Touch implements [store.Store].
func (s *Store) Touch(ctx context.Context, uses []store.Use) error {
	return s.write(ctx, opTouch, func(ctx context.Context, inTx bool) error { return s.writer.touch(ctx, inTx, uses) })
}
