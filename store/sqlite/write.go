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

	places = `?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?` // for columns

	insertSQL = `INSERT INTO authtoken_tokens (` + columns + `) VALUES (` + places + `)`

	// insertWithinSQL adds no row if the owner has as many tokens as the limit; it
	// counts no further. The statement holds the write lock from its start.
	insertWithinSQL = `INSERT INTO authtoken_tokens (` + columns + `)
		SELECT ` + places + `
		WHERE (SELECT count(*) FROM (SELECT 1 FROM authtoken_tokens WHERE user = ? LIMIT ?)) < ?`

	// updatePlainSQL is for an update that changes no indexed column, like most. SQLite
	// rewrites every index that has a column in SET, even if the value stays the same.
	// So a statement without those columns is worth trying first: it dirties one page
	// where updateSQL dirties five.
	updatePlainSQL = `UPDATE authtoken_tokens SET
		intent = ?, description = ?, sealed = ?, retired_until = ?,
		scopes = ?, networks = ?, state = ?, metadata = ?, via = ?, version = version + 1
		WHERE pk = ? AND version = ?
			AND identifier = ? AND user = ? AND managed IS ? AND expires IS ? AND expiring = ? AND digest = ? AND retired IS ?
			AND earlier IS ?`

	// updateSQL is for an update that leaves the earlier keys alone. It needs no other
	// statement.
	updateSQL = updateSetSQL + ` WHERE pk = ? AND version = ? AND earlier IS ?`

	updateEarlierSQL = updateSetSQL + `, earlier = ? WHERE pk = ? AND version = ?`

	updateSetSQL = `UPDATE authtoken_tokens SET
		identifier = ?, intent = ?, user = ?, description = ?, managed = ?, expires = ?, expiring = ?,
		digest = ?, sealed = ?, retired = ?, retired_until = ?,
		scopes = ?, networks = ?, state = ?, metadata = ?, via = ?, version = version + 1`

	// deletePlainSQL is for a token without earlier keys, like most. It needs no other
	// statement.
	deletePlainSQL = deleteSQL + ` AND earlier IS NULL`

	deleteSQL = `DELETE FROM authtoken_tokens WHERE pk = ? AND version = ?`

	earlierSQL       = `SELECT digest FROM authtoken_earlier_keys WHERE pk = ?`
	insertEarlierSQL = `INSERT OR IGNORE INTO authtoken_earlier_keys (digest, pk) VALUES (?, ?)`
	deleteEarlierSQL = `DELETE FROM authtoken_earlier_keys WHERE digest = ? AND pk = ?`

	touchSQL = `UPDATE authtoken_tokens SET last_used = ?, last_used_from = ?
		WHERE pk = ? AND (last_used IS NULL OR last_used < ?)`

	existsSQL = `SELECT EXISTS (SELECT 1 FROM authtoken_tokens WHERE pk = ?)`

	// takenSQL returns which field of a new or changed record has a value that another
	// record has. To ask is safer than to parse the error message, whose wording may
	// change.
	takenSQL = `SELECT CASE
		WHEN EXISTS (SELECT 1 FROM authtoken_tokens WHERE identifier = ? AND pk <> ?) THEN 'identifier'
		WHEN EXISTS (SELECT 1 FROM authtoken_tokens WHERE managed = ? AND pk <> ?) THEN 'managed'
		WHEN EXISTS (SELECT 1 FROM authtoken_tokens WHERE digest = ? AND pk <> ?) THEN 'digest'
		ELSE '' END`
)

// A writer is a connection that writes, with its statements. Only the leader of the
// committer may use it or, in a transaction of the application, the holder of the lock
// of the Tx.
type writer struct {
	prepared
	busyTimeout time.Duration

	// Unless pool is nil, conn is taken from it for each transaction and given back
	// afterwards.
	pool *sqlx.DB
	conn *sqlx.Conn
}

// newWriter returns the writer on a connection of the store's own.
func newWriter(conn *sqlx.Conn, cfg Config) *writer {
	return &writer{
		prepared:    prepared{db: conn, prefix: store.TablePrefix(cfg.TablePrefix)},
		busyTimeout: cfg.BusyTimeout,
		conn:        conn,
	}
}

// newBorrower returns a writer that takes a connection of db for each transaction.
func newBorrower(db *sqlx.DB, cfg Config) *writer {
	return &writer{
		prepared:    prepared{prefix: store.TablePrefix(cfg.TablePrefix)},
		busyTimeout: cfg.BusyTimeout,
		pool:        db,
	}
}

// close closes the statements. It gives back a connection of the store's own, since its
// pool would wait for it.
func (w *writer) close() error {
	err := w.prepared.close()
	if w.pool == nil {
		err = errors.Join(err, w.conn.Close())
	}
	return err
}

// prepareAll prepares the frequent statements. The tables must exist.
func (w *writer) prepareAll(ctx context.Context) error {
	return w.prepare(ctx, beginSQL, commitSQL, rollbackSQL,
		insertSQL, insertWithinSQL, updatePlainSQL, updateSQL, deletePlainSQL, touchSQL, existsSQL, takenSQL)
}

// begin takes the write lock. The time that a leader has spent in the queue counts: if
// nothing moves, all callers give up on time, instead of each leading first and waiting
// once more.
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

// commit waits for readers if it must: they block it if the application's database is
// not in WAL mode.
func (w *writer) commit() error {
	err := untilFree(context.Background(), time.Now().Add(w.busyTimeout), func() error { return w.run(commitSQL) })
	if err == nil {
		w.giveBack()
	}
	return unsure(err)
}

// rollback ignores the error: it means that SQLite has rolled back already, as it does
// when the disk is full, for example.
func (w *writer) rollback() {
	if w.conn == nil {
		return
	}
	err := w.run(rollbackSQL)
	if err != nil && code(err) != sqlite3.SQLITE_ERROR {
		w.discard() // after any other error, its state is unknown
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
		return 0, errNeedsTx // to wait longer, or to find the field that is taken
	case !inTx:
		return 0, unsure(err) // the statement was its own commit
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

// together runs f, which makes several changes in the open transaction, so that all or
// none of them take effect.
func (w *writer) together(f func() error) error {
	if err := w.run("SAVEPOINT authtoken_write"); err != nil {
		return err
	}
	if err := f(); err != nil {
		// The savepoint may be gone: see mayRollBack.
		_ = w.run("ROLLBACK TO authtoken_write")
		_ = w.run("RELEASE authtoken_write")
		return err
	}
	return w.run("RELEASE authtoken_write")
}

// takenError returns which field of r is not unique.
func (w *writer) takenError(ctx context.Context, r *store.Record, violation error) error {
	var field store.Field
	err := w.row(ctx, &field, takenSQL, r.Identifier, r.PK[:], text(r.Managed), r.PK[:], r.Digest[:], r.PK[:])
	if err != nil {
		return errors.Join(violation, err)
	}
	if field == "" { // takenSQL does not ask for the PK
		field = store.FieldPK
	}
	return &store.TakenError{Field: field}
}

// missed returns why a write found no row to change.
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

func (w *writer) create(ctx context.Context, inTx bool, r *store.Record, limit int) error {
	switch {
	case len(r.Earlier) == 0:
		return w.insert(ctx, inTx, r, limit)
	case !inTx:
		return errNeedsTx
	}
	return w.together(func() error {
		if err := w.insert(ctx, inTx, r, limit); err != nil {
			return err
		}
		return w.indexEarlier(ctx, &r.PK, r.Earlier)
	})
}

func (w *writer) insert(ctx context.Context, inTx bool, r *store.Record, limit int) error {
	query, args := insertSQL, insertArgs(r)
	if limit != 0 {
		limit = max(limit, 0) // a negative LIMIT is none
		query, args = insertWithinSQL, append(args, r.User, limit, limit)
	}
	n, err := w.exec(ctx, inTx, query, args...)
	switch {
	case isUniqueViolation(err):
		return w.takenError(ctx, r, err)
	case err == nil && n == 0:
		return store.ErrLimit
	}
	return err
}

func (w *writer) update(ctx context.Context, inTx bool, r *store.Record) error {
	earlier := keys(r.Earlier)
	n, err := w.exec(ctx, inTx, updatePlainSQL,
		r.Intent, r.Description, blob(r.Sealed), micros(r.RetiredUntil),
		r.Scopes, r.Networks, int64(r.State), text(r.Metadata), pk(&r.Via), r.PK[:], r.Version,
		r.Identifier, r.User, text(r.Managed), micros(r.Expires), r.Expiring, r.Digest[:], digest(&r.Retired), earlier)
	if err != nil || n > 0 {
		return err
	}
	set := []any{
		r.Identifier, r.Intent, r.User, r.Description, text(r.Managed), micros(r.Expires), r.Expiring,
		r.Digest[:], blob(r.Sealed), digest(&r.Retired), micros(r.RetiredUntil),
		r.Scopes, r.Networks, int64(r.State), text(r.Metadata), pk(&r.Via),
	}
	n, err = w.exec(ctx, inTx, updateSQL, append(set, r.PK[:], r.Version, earlier)...)
	switch {
	case isUniqueViolation(err):
		return w.takenError(ctx, r, err)
	case err != nil || n > 0:
		return err
	case !inTx:
		return errNeedsTx
	}
	return w.together(func() error {
		n, err := w.exec(ctx, inTx, updateEarlierSQL, append(set, earlier, r.PK[:], r.Version)...)
		switch {
		case isUniqueViolation(err):
			return w.takenError(ctx, r, err)
		case err != nil:
			return err
		case n == 0:
			return w.missed(ctx, &r.PK)
		}
		return w.indexEarlier(ctx, &r.PK, r.Earlier)
	})
}

// indexEarlier makes these earlier keys, and no others, find the token with this PK. It
// does not rewrite those that do so already: each is in a different place in the file.
func (w *writer) indexEarlier(ctx context.Context, pk *store.PK, earlier []store.EarlierKey) error {
	gone, err := w.indexedEarlier(ctx, pk)
	if err != nil {
		return err
	}
	for i := range earlier {
		d := &earlier[i].Digest
		delete(gone, *d)
		if _, err := w.exec(ctx, true, insertEarlierSQL, d[:], pk[:]); err != nil {
			return err
		}
	}
	for d := range gone {
		if _, err := w.exec(ctx, true, deleteEarlierSQL, d[:], pk[:]); err != nil {
			return err
		}
	}
	return nil
}

// indexedEarlier returns the earlier keys that find the token with this PK.
func (w *writer) indexedEarlier(ctx context.Context, pk *store.PK) (map[store.Digest]bool, error) {
	stmt, err := w.stmt(ctx, earlierSQL)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, pk[:])
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	indexed := make(map[store.Digest]bool)
	for rows.Next() {
		var d digestColumn
		if err := rows.Scan(&d); err != nil {
			return nil, err
		}
		indexed[store.Digest(d)] = true
	}
	return indexed, rows.Err()
}

func (w *writer) delete(ctx context.Context, inTx bool, pk *store.PK, version int64) error {
	n, err := w.exec(ctx, inTx, deletePlainSQL, pk[:], version)
	switch {
	case err != nil || n > 0:
		return err
	case !inTx:
		return errNeedsTx
	}
	return w.together(func() error {
		n, err := w.exec(ctx, inTx, deleteSQL, pk[:], version)
		switch {
		case err != nil:
			return err
		case n == 0:
			return w.missed(ctx, pk)
		}
		return w.indexEarlier(ctx, pk, nil)
	})
}

func (w *writer) purge(ctx context.Context, inTx bool, q *store.Query) (purged []store.Record, err error) {
	if !inTx {
		return nil, errNeedsTx
	}
	err = w.together(func() error {
		if purged, err = list(ctx, w.db, w.prefix, q); err != nil {
			return err
		}
		for i := range purged {
			r := &purged[i]
			if _, err := w.exec(ctx, inTx, deleteSQL, r.PK[:], r.Version); err != nil {
				return err
			}
			if len(r.Earlier) > 0 {
				if err := w.indexEarlier(ctx, &r.PK, nil); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return purged, err
}

func (w *writer) touch(ctx context.Context, inTx bool, uses []store.Use) error {
	touch := func() error {
		for i := range uses {
			u := &uses[i]
			if u.At.IsZero() {
				continue // never later
			}
			at := u.At.UnixMicro()
			if _, err := w.exec(ctx, inTx, touchSQL, at, u.From, u.PK[:], at); err != nil {
				return err
			}
		}
		return nil
	}
	switch {
	case len(uses) <= 1:
		return touch()
	case !inTx:
		return errNeedsTx
	}
	return w.together(touch)
}
