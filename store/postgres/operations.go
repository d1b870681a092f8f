package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/authtoken/authtoken/store"
)

// operations are the methods of [store.Store]. A runner runs their statements. Each
// write is a transaction of its own, and all but a Create with a limit write in one
// statement.
type operations struct {
	runner
	sql *statements
}

// Create implements [store.Store].
func (s *operations) Create(ctx context.Context, r store.Record, limit int) error {
	err := s.write(ctx, true, func(ctx context.Context, q querier, inDoubt bool) error {
		err := s.insert(ctx, q, &r, limit)
		if !inDoubt || !store.IsOutcome(err) {
			return err
		}
		found, lookErr := one(ctx, q, s.sql.byPK, uuid(r.PK)) // did the last attempt create it?
		created := r
		created.LastUsed, created.LastUsedFrom = found.LastUsed, found.LastUsedFrom // Touch may have been there since
		switch {
		case lookErr == nil && (found.Version > r.Version || store.Same(&created, &found)):
			return nil
		case lookErr != nil && !errors.Is(lookErr, store.ErrNotFound):
			return lookErr
		}
		return err
	})
	return wrap("create token", err)
}

func (s *operations) insert(ctx context.Context, q querier, r *store.Record, limit int) (err error) {
	switch {
	case limit != 0:
		return s.insertWithin(ctx, q, r, max(limit, 0))
	case len(r.Earlier) > 0:
		_, err = q.Exec(ctx, s.sql.insertWithin, append(insertArgs(r), nil, digests(r.Earlier))...)
	default:
		_, err = q.Exec(ctx, s.sql.insert, insertArgs(r)...)
	}
	if field := s.sql.taken(err); field != "" {
		return &store.TakenError{Field: field}
	}
	return unsure(err)
}

// insertWithin adds r if its owner has fewer than limit tokens. It first locks the row
// of the owner, in a statement of its own, so that the next one sees what earlier
// holders of the lock have added. At an isolation level where it would not, PostgreSQL
// aborts the transaction that waited, and it is tried again.
func (s *operations) insertWithin(ctx context.Context, q querier, r *store.Record, limit int) error {
	tx, err := q.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if _, err := tx.Exec(ctx, s.sql.lockOwner, r.User); err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, s.sql.insertWithin, append(insertArgs(r), limit, digests(r.Earlier))...)
	if field := s.sql.taken(err); field != "" {
		return &store.TakenError{Field: field}
	}
	switch {
	case err != nil:
		return err
	case tag.RowsAffected() == 0:
		return store.ErrLimit
	}
	return unsure(tx.Commit(ctx)) // only its effect can be unknown
}

// Get implements [store.Store].
func (s *operations) Get(ctx context.Context, identifier string) (store.Record, error) {
	return s.point(ctx, "get token", func(ctx context.Context, q querier) (store.Record, error) {
		return one(ctx, q, s.sql.get, identifier)
	})
}

// GetByDigest implements [store.Store].
func (s *operations) GetByDigest(ctx context.Context, digest store.Digest) (store.Record, error) {
	return s.point(ctx, "get token by digest", func(ctx context.Context, q querier) (store.Record, error) {
		return s.digest(ctx, q, digest)
	})
}

func (s *operations) digest(ctx context.Context, q querier, digest store.Digest) (store.Record, error) {
	if digest == (store.Digest{}) {
		return store.Record{}, store.ErrNotFound
	}
	r, err := one(ctx, q, s.sql.byDigest, digest[:])
	if errors.Is(err, store.ErrNotFound) {
		return one(ctx, q, s.sql.byEither, digest[:])
	}
	return r, err
}

// point reads one record.
func (s *operations) point(ctx context.Context, op string, f func(context.Context, querier) (store.Record, error)) (store.Record, error) {
	var r store.Record
	err := s.read(ctx, func(ctx context.Context, q querier) (err error) {
		r, err = f(ctx, q)
		return err
	})
	return r, wrap(op, err)
}

// one returns the only record that the SQL selects.
func one(ctx context.Context, q querier, sql string, arg any) (store.Record, error) {
	var r store.Record
	err := scanRecord(q.QueryRow(ctx, sql, arg), &r)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return store.Record{}, store.ErrNotFound
	case err != nil:
		return store.Record{}, err
	}
	return r, nil
}

// Update implements [store.Store].
func (s *operations) Update(ctx context.Context, r store.Record) error {
	var id store.PK
	_, _ = rand.Read(id[:]) // never fails
	args := []any{
		uuid(r.PK), r.Version, r.Identifier, r.Intent, r.User, r.Description, text(r.Managed), instant(r.Expires), r.Expiring,
		r.Digest[:], blob(r.Sealed), digest(&r.Retired), instant(r.RetiredUntil), uuid(id),
		r.Scopes, r.Networks, int16(r.State), text(r.Metadata), optional(r.Via), keys(r.Earlier),
	}
	err := s.write(ctx, true, func(ctx context.Context, q querier, inDoubt bool) error {
		tag, err := q.Exec(ctx, s.sql.update, args...)
		if err == nil && tag.RowsAffected() == 0 {
			tag, err = q.Exec(ctx, s.sql.updateEarlier, append(args, digests(r.Earlier))...)
		}
		if field := s.sql.taken(err); field != "" {
			return &store.TakenError{Field: field}
		}
		if err != nil || tag.RowsAffected() > 0 {
			return unsure(err)
		}
		var version int64
		var last pgtype.UUID
		err = q.QueryRow(ctx, s.sql.lastUpdate, uuid(r.PK)).Scan(&version, &last)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return store.ErrNotFound
		case err != nil:
			return err
		case inDoubt && last == uuid(id):
			return nil // the last attempt has done it
		case inDoubt && version > r.Version+1:
			return &unsureError{errors.New("the token has been changed since")}
		}
		return store.ErrStale
	})
	return wrap("update token", err)
}

// Delete implements [store.Store].
func (s *operations) Delete(ctx context.Context, pk store.PK, version int64) error {
	err := s.write(ctx, true, func(ctx context.Context, q querier, inDoubt bool) error {
		tag, err := q.Exec(ctx, s.sql.delete, uuid(pk), version)
		if err != nil || tag.RowsAffected() > 0 {
			return unsure(err)
		}
		_, err = one(ctx, q, s.sql.byPK, uuid(pk))
		switch {
		case err == nil:
			return store.ErrStale
		case inDoubt && errors.Is(err, store.ErrNotFound):
			return nil // the last attempt has done it
		}
		return err
	})
	return wrap("delete token", err)
}

// List implements [store.Store].
func (s *operations) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	var listed []store.Record
	err := s.read(ctx, func(running context.Context, db querier) error {
		listed = nil
		return s.each(ctx, running, db, &q, func(r *store.Record) { listed = append(listed, *r) })
	})
	if err != nil {
		return nil, wrap("list tokens", err)
	}
	return listed, nil
}

// each calls f for the records that q selects, in order. running is for the statement:
// in a transaction of the application it does not end when ctx does.
func (s *operations) each(ctx, running context.Context, db querier, q *store.Query, f func(*store.Record)) error {
	sel, search := *q, (*store.Search)(nil)
	if !inSQL(q) {
		sel, search = q.SearchInGo()
	}
	var st statement
	st.add(s.sql.list)
	st.filter(&sel)
	st.page(&sel)
	return scanAll(running, db, &st, func(r *store.Record) (more bool, err error) {
		use, more, err := search.Take(ctx, r)
		if use {
			f(r)
		}
		return more, err
	})
}

// scanAll calls f for each record that st selects, until f wants no more.
func scanAll(ctx context.Context, db querier, st *statement, f func(*store.Record) (more bool, err error)) error {
	rows, err := db.Query(ctx, st.sql.String(), st.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r store.Record
		if err := scanRecord(rows, &r); err != nil {
			return err
		}
		if more, err := f(&r); !more || err != nil {
			return err
		}
	}
	return rows.Err()
}

// collect returns the records that st selects.
func collect(ctx context.Context, db querier, st *statement) (all []store.Record, err error) {
	err = scanAll(ctx, db, st, func(r *store.Record) (bool, error) {
		all = append(all, *r)
		return true, nil
	})
	return all, err
}

// Count implements [store.Store].
func (s *operations) Count(ctx context.Context, q store.Query) (int, error) {
	q.Order, q.After, q.Offset, q.Limit = nil, nil, 0, 0
	var n int
	err := s.read(ctx, func(running context.Context, db querier) error {
		if !inSQL(&q) {
			n = 0
			return s.each(ctx, running, db, &q, func(*store.Record) { n++ })
		}
		var st statement
		st.add(s.sql.count)
		st.filter(&q)
		return db.QueryRow(running, st.sql.String(), st.args...).Scan(&n)
	})
	if err != nil {
		return 0, wrap("count tokens", err)
	}
	return n, nil
}

// Purge implements [store.Store]. With a Limit, as for sweeping, it skips records that
// others are writing or purging, if there are enough without them. So several instances
// that sweep at once share the work. If there are not enough, or without a Limit, it
// waits for the others and skips nothing.
func (s *operations) Purge(ctx context.Context, q store.Query) ([]store.Record, error) {
	var purged []store.Record
	err := s.write(ctx, false, func(ctx context.Context, db querier, _ bool) (err error) {
		if q.Limit > 0 && q.Offset <= 0 {
			purged, err = collect(ctx, db, s.sql.purge(&q, true))
			if err != nil || len(purged) > 0 {
				return unsure(err)
			}
		}
		purged, err = collect(ctx, db, s.sql.purge(&q, false))
		return unsure(err)
	})
	if err != nil {
		return nil, wrap("purge tokens", err)
	}
	slices.SortFunc(purged, func(a, b store.Record) int { return q.Compare(&a, &b) })
	return purged, nil
}

// Touch implements [store.Store].
func (s *operations) Touch(ctx context.Context, uses []store.Use) error {
	latest := make(map[store.PK]store.Use, len(uses))
	for _, u := range uses {
		// A zero time is never later.
		if last, ok := latest[u.PK]; !u.At.IsZero() && (!ok || u.At.UnixMicro() > last.At.UnixMicro()) {
			latest[u.PK] = u
		}
	}
	var (
		pks   = make([]pgtype.UUID, 0, len(latest))
		times = make([]pgtype.Timestamptz, 0, len(latest))
		froms = make([]string, 0, len(latest))
	)
	for pk, u := range latest {
		pks, times, froms = append(pks, uuid(pk)), append(times, instant(u.At)), append(froms, u.From)
	}
	err := s.write(ctx, true, func(ctx context.Context, q querier, _ bool) error {
		if len(pks) == 0 {
			return nil
		}
		_, err := q.Exec(ctx, s.sql.touch, pks, times, froms)
		return unsure(err) // to do it again does no harm
	})
	return wrap("touch tokens", err)
}
