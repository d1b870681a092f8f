package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/authtoken/authtoken/store"
)

const (
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

// A writer is the one connection that writes, with its statements. Only the
// leader of the committer may use it.
type writer struct {
	conn        *sqlx.Conn
	busyTimeout time.Duration
	prepared

	beginStmt, commitStmt, rollbackStmt *sql.Stmt

	insert, updatePlain, update, delete, touch, exists, taken *sql.Stmt
}

func newWriter(conn *sqlx.Conn, busyTimeout time.Duration) (*writer, error) {
	w := &writer{conn: conn, busyTimeout: busyTimeout}
	err := w.prepare(conn,
		query{&w.beginStmt, "BEGIN IMMEDIATE"},
		query{&w.commitStmt, "COMMIT"},
		query{&w.rollbackStmt, "ROLLBACK"},
		query{&w.insert, insertSQL},
		query{&w.updatePlain, updatePlainSQL},
		query{&w.update, updateSQL},
		query{&w.delete, deleteSQL},
		query{&w.touch, touchSQL},
		query{&w.exists, existsSQL},
		query{&w.taken, takenSQL},
	)
	return w, err
}

// begin takes the write lock. The time that a leader has spent in the queue
// counts: if nothing moves, all give up when their time is up, and not each
// only after it has led in vain for as long again.
func (w *writer) begin(since time.Time) error {
	return untilFree(since.Add(w.busyTimeout), func() error {
		_, err := w.beginStmt.ExecContext(context.Background())
		return err
	})
}

func (w *writer) commit() error {
	_, err := w.commitStmt.ExecContext(context.Background())
	return err
}

// rollback ignores the error: it is that SQLite has rolled back already, as it
// does by itself when the disk is full, among others.
func (w *writer) rollback() {
	_, _ = w.rollbackStmt.ExecContext(context.Background())
}

// exec runs a statement and returns how many rows it changed.
func (w *writer) exec(ctx context.Context, inTx bool, stmt *sql.Stmt, args ...any) (int64, error) {
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		if !inTx && (isBusy(err) || isUniqueViolation(err)) {
			return 0, errNeedsTx // to wait for longer, or to see whose the value is
		}
		return 0, err
	}
	return result.RowsAffected()
}

// takenError finds the reason for a violation of uniqueness by r.
func (w *writer) takenError(ctx context.Context, r *store.Record, violation error) error {
	var field store.Field
	err := w.taken.QueryRowContext(ctx, r.Identifier, r.PK[:], text(r.Managed), r.PK[:], r.Digest[:], r.PK[:]).Scan(&field)
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
	if err := w.exists.QueryRowContext(ctx, pk[:]).Scan(&exists); err != nil {
		return err
	}
	if exists {
		return store.ErrStale
	}
	return store.ErrNotFound
}

// write has the leader do f. Once begun, f is not for ctx to interrupt, or
// nobody could say whether it took effect, and others may be in the transaction.
func (s *Store) write(ctx context.Context, op string, f func(ctx context.Context, inTx bool) error) error {
	err := s.committer.do(ctx, func(inTx bool) error { return f(context.WithoutCancel(ctx), inTx) })
	return s.wrap(op, err)
}

// Create implements [store.Store].
func (s *Store) Create(ctx context.Context, r store.Record) error {
	return s.write(ctx, "create token", func(ctx context.Context, inTx bool) error {
		w := s.writer
		_, err := w.exec(ctx, inTx, w.insert, insertArgs(&r)...)
		if isUniqueViolation(err) {
			return w.takenError(ctx, &r, err)
		}
		return err
	})
}

// Update implements [store.Store].
func (s *Store) Update(ctx context.Context, r store.Record) error {
	return s.write(ctx, "update token", func(ctx context.Context, inTx bool) error {
		w := s.writer
		n, err := w.exec(ctx, inTx, w.updatePlain,
			r.Intent, r.Description, blob(r.Sealed), micros(r.RetiredUntil), r.PK[:], r.Version,
			r.Identifier, r.User, text(r.Managed), micros(r.Expires), r.Expiring, r.Digest[:], digest(&r.Retired))
		if err != nil || n > 0 {
			return err
		}
		n, err = w.exec(ctx, inTx, w.update,
			r.Identifier, r.Intent, r.User, r.Description, text(r.Managed), micros(r.Expires), r.Expiring,
			r.Digest[:], blob(r.Sealed), digest(&r.Retired), micros(r.RetiredUntil), r.PK[:], r.Version)
		switch {
		case isUniqueViolation(err):
			return w.takenError(ctx, &r, err)
		case err != nil || n > 0:
			return err
		case !inTx:
			return errNeedsTx
		}
		return w.missed(ctx, &r.PK)
	})
}

// Delete implements [store.Store].
func (s *Store) Delete(ctx context.Context, pk store.PK, version int64) error {
	return s.write(ctx, "delete token", func(ctx context.Context, inTx bool) error {
		w := s.writer
		n, err := w.exec(ctx, inTx, w.delete, pk[:], version)
		switch {
		case err != nil || n > 0:
			return err
		case !inTx:
			return errNeedsTx
		}
		return w.missed(ctx, &pk)
	})
}

// Purge implements [store.Store].
func (s *Store) Purge(ctx context.Context, q store.Query) ([]store.Record, error) {
	var purged []store.Record
	err := s.write(ctx, "purge tokens", func(ctx context.Context, inTx bool) error {
		if !inTx {
			return errNeedsTx
		}
		w := s.writer
		var err error
		if purged, err = list(ctx, w.conn, &q); err != nil {
			return err
		}
		for i := range purged {
			r := &purged[i]
			if _, err := w.exec(ctx, inTx, w.delete, r.PK[:], r.Version); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return purged, nil
}

// Touch implements [store.Store].
func (s *Store) Touch(ctx context.Context, uses []store.Use) error {
	return s.write(ctx, "touch tokens", func(ctx context.Context, inTx bool) error {
		if !inTx && len(uses) > 1 {
			return errNeedsTx
		}
		w := s.writer
		for i := range uses {
			u := &uses[i]
			if u.At.IsZero() {
				continue // none is not later than anything
			}
			at := u.At.UnixMicro()
			if _, err := w.exec(ctx, inTx, w.touch, at, u.From, u.PK[:], at); err != nil {
				return err
			}
		}
		return nil
	})
}
