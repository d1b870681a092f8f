package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/authtoken/authtoken/store"
)

const (
	getSQL = `SELECT ` + selected + ` FROM authtoken_tokens WHERE identifier = ?`

	byDigestSQL = `SELECT ` + selected + ` FROM authtoken_tokens WHERE digest = ?`

	// byEitherSQL runs when byDigestSQL has found nothing. It looks for the current key
	// once more: a key that was retired then may be current by now. At every moment it
	// was one of the two.
	byEitherSQL = `SELECT ` + selected + ` FROM (
			SELECT 0 AS rank, * FROM authtoken_tokens WHERE digest = ?1
			UNION ALL
			SELECT * FROM (SELECT 1, * FROM authtoken_tokens WHERE retired = ?1 LIMIT 1)
			UNION ALL
			SELECT * FROM (SELECT 2, t.* FROM authtoken_earlier_keys AS k JOIN authtoken_tokens AS t ON t.pk = k.pk
				WHERE k.digest = ?1 LIMIT 1)
		) ORDER BY rank LIMIT 1`
)

// A reader runs reads.
type reader struct {
	prepared
	lists sqlx.QueryerContext // for those that can take long
}

// newReader returns a reader that reads single records by prepared statements of
// points, and all else through lists.
func newReader(points preparer, lists sqlx.QueryerContext, cfg Config) *reader {
	return &reader{prepared{db: points, prefix: store.TablePrefix(cfg.TablePrefix)}, lists}
}

// prepareAll prepares all statements.
func (r *reader) prepareAll(ctx context.Context) error {
	return r.prepare(ctx, getSQL, byDigestSQL, byEitherSQL)
}

func (r *reader) get(ctx context.Context, identifier string, rec *store.Record) error {
	return r.one(ctx, rec, getSQL, identifier)
}

func (r *reader) getByDigest(ctx context.Context, digest store.Digest, rec *store.Record) error {
	if digest == (store.Digest{}) {
		return store.ErrNotFound
	}
	err := r.one(ctx, rec, byDigestSQL, digest[:])
	if errors.Is(err, store.ErrNotFound) {
		err = r.one(ctx, rec, byEitherSQL, digest[:])
	}
	return err
}

// one reads the record that a query finds.
func (r *reader) one(ctx context.Context, rec *store.Record, query string, args ...any) error {
	stmt, err := r.stmt(ctx, query)
	if err != nil {
		return err
	}
	err = scanRecord(stmt.QueryRowContext(ctx, args...), rec)
	if err != nil {
		*rec = store.Record{}
	}
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	return err
}

// list returns the records that q selects.
func list(ctx context.Context, db sqlx.QueryerContext, p store.TablePrefix, q *store.Query) ([]store.Record, error) {
	var records []store.Record
	err := each(ctx, db, p, q, func(r *store.Record) { records = append(records, *r) })
	return records, err
}

// count returns how many records match q.
func count(ctx context.Context, db sqlx.QueryerContext, p store.TablePrefix, q *store.Query) (int, error) {
	var n int
	if !inSQL(q) {
		all := *q
		all.Order, all.After, all.Offset, all.Limit = nil, nil, 0, 0
		err := each(ctx, db, p, &all, func(*store.Record) { n++ })
		return n, err
	}
	var st statement
	st.add(p.In("SELECT count(*) FROM authtoken_tokens"))
	st.filter(q)
	err := sqlx.GetContext(ctx, db, &n, st.sql.String(), st.args...)
	return n, err
}

// each calls f for the records that q selects, in order.
func each(ctx context.Context, db sqlx.QueryerContext, p store.TablePrefix, q *store.Query, f func(*store.Record)) error {
	sel, search := *q, (*store.Search)(nil)
	if !inSQL(q) {
		sel, search = q.SearchInGo()
	}
	var st statement
	st.add(p.In("SELECT " + selected + " FROM authtoken_tokens"))
	st.filter(&sel)
	st.page(&sel)
	rows, err := db.QueryContext(ctx, st.sql.String(), st.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r store.Record
		if err := scanRecord(rows, &r); err != nil {
			return err
		}
		use, more, err := search.Take(ctx, &r)
		if err != nil {
			return err
		}
		if use {
			f(&r)
		}
		if !more {
			break
		}
	}
	return rows.Err()
}
