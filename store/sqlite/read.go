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
	getSQL = `SELECT ` + columns + ` FROM authtoken_tokens WHERE identifier = ?`

	byDigestSQL = `SELECT ` + columns + ` FROM authtoken_tokens WHERE digest = ?`

	// byEitherSQL is asked when byDigestSQL has found nothing. It looks for the
	// digest once more: a key that was retired then can be the current one
	// by now, and at every moment it was one of the two.
	byEitherSQL = `SELECT ` + columns + ` FROM (
			SELECT 0 AS rank, * FROM authtoken_tokens WHERE digest = ?1
			UNION ALL
			SELECT * FROM (SELECT 1, * FROM authtoken_tokens WHERE retired = ?1 LIMIT 1)
			UNION ALL
			SELECT * FROM (SELECT 2, t.* FROM authtoken_earlier_keys AS k JOIN authtoken_tokens AS t ON t.pk = k.pk
				WHERE k.digest = ?1 LIMIT 1)
		) ORDER BY rank LIMIT 1`
)

// A reader is where reads are done.
type reader struct {
	prepared
	lists sqlx.QueryerContext // where those that can take long are done
}

// newReader returns a reader that uses prepared statements for points, and leaves
// all else to lists.
func newReader(points preparer, lists sqlx.QueryerContext, cfg Config) *reader {
	return &reader{prepared{db: points, prefix: prefix(cfg.TablePrefix)}, lists}
}

// prepareAll prepares all there is to prepare.
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
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	return err
}

// Get implements [store.Store].
func (s *Store) Get(ctx context.Context, identifier string) (store.Record, error) {
	return s.point(ctx, opGet, func(ctx context.Context, r *store.Record) error {
		return s.reader.get(ctx, identifier, r)
	})
}

// GetByDigest implements [store.Store].
func (s *Store) GetByDigest(ctx context.Context, digest store.Digest) (store.Record, error) {
	return s.point(ctx, opGetByDigest, func(ctx context.Context, r *store.Record) error {
		return s.reader.getByDigest(ctx, digest, r)
	})
}

// List implements [store.Store].
func (s *Store) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	var records []store.Record
	err := s.read(ctx, opList, func(ctx context.Context) (err error) {
		records, err = list(ctx, s.reader.lists, s.reader.prefix, &q)
		return err
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// Count implements [store.Store].
func (s *Store) Count(ctx context.Context, q store.Query) (int, error) {
	var n int
	err := s.read(ctx, opCount, func(ctx context.Context) (err error) {
		n, err = count(ctx, s.reader.lists, s.reader.prefix, &q)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// point reads one record. It looks at the context before, and not again: for a
// context that can be cancelled the driver starts a goroutine with each
// statement, which costs a third of the speed, and there is next to nothing to
// cancel in twenty microseconds. Only for a connection of somebody else's pool it
// may have to wait longer.
func (s *Store) point(ctx context.Context, op string, f func(ctx context.Context, r *store.Record) error) (store.Record, error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, s.wrap(op, err)
	}
	if s.pool == nil {
		ctx = context.WithoutCancel(ctx)
	}
	var r store.Record
	err := s.read(ctx, op, func(ctx context.Context) error { return f(ctx, &r) })
	if err != nil {
		return store.Record{}, err
	}
	return r, nil
}

// read has f read.
func (s *Store) read(ctx context.Context, op string, f func(ctx context.Context) error) error {
	err := ctx.Err()
	switch {
	case err != nil:
	case s.closed.Load():
		err = ErrClosed
	case s.pool != nil: // its connections may not wait by themselves
		err = untilFree(ctx, time.Now().Add(s.writer.busyTimeout), func() error { return f(ctx) })
	default:
		err = f(ctx)
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err() // also where the driver says "interrupted"
	}
	return s.wrap(op, err)
}

// list returns the records that q selects.
func list(ctx context.Context, db sqlx.QueryerContext, p prefix, q *store.Query) ([]store.Record, error) {
	var records []store.Record
	err := each(ctx, db, p, q, func(r *store.Record) { records = append(records, *r) })
	return records, err
}

// count returns how many records match q.
func count(ctx context.Context, db sqlx.QueryerContext, p prefix, q *store.Query) (int, error) {
	var n int
	if !inSQL(q) {
		all := *q
		all.Order, all.After, all.Offset, all.Limit = nil, nil, 0, 0
		err := each(ctx, db, p, &all, func(*store.Record) { n++ })
		return n, err
	}
	var st statement
	st.add(p.in("SELECT count(*) FROM authtoken_tokens"))
	st.filter(q)
	err := sqlx.GetContext(ctx, db, &n, st.sql.String(), st.args...)
	return n, err
}

// each calls f for the records that q selects, in order.
func each(ctx context.Context, db sqlx.QueryerContext, p prefix, q *store.Query, f func(*store.Record)) error {
	inGo := !inSQL(q)
	sel := *q
	if inGo {
		sel.Words, sel.Offset, sel.Limit = nil, 0, 0
	}
	var st statement
	st.add(p.in("SELECT " + columns + " FROM authtoken_tokens"))
	st.filter(&sel)
	st.page(&sel)
	rows, err := db.QueryContext(ctx, st.sql.String(), st.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	matcher := q.Matcher()
	for n := 0; rows.Next(); {
		var r store.Record
		if err := scanRecord(rows, &r); err != nil {
			return err
		}
		if inGo {
			ok, err := matcher.Match(ctx, &r)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if n++; n <= q.Offset {
				continue
			}
		}
		f(&r)
		if inGo && q.Limit > 0 && n >= max(q.Offset, 0)+q.Limit {
			break
		}
	}
	return rows.Err()
}
