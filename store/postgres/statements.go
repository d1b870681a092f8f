package postgres

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/authtoken/authtoken/store"
)

const (
	selectSQL = `SELECT ` + columns + ` FROM authtoken_tokens`

	// byEitherSQL runs when no row has this digest. It looks for the current key once
	// more: a key that was retired then may be current by now. At every moment it was
	// one of the two. To run it at once would save a round trip for retired keys, and
	// cost all others half as much again.
	byEitherSQL = `SELECT ` + columns + ` FROM (
			SELECT 0 AS rank, * FROM authtoken_tokens WHERE digest = $1
			UNION ALL
			(SELECT 1, * FROM authtoken_tokens WHERE retired = $1 LIMIT 1)
			UNION ALL
			(SELECT 2, t.* FROM authtoken_earlier_keys AS k JOIN authtoken_tokens AS t ON t.pk = k.pk
				WHERE k.digest = $1 LIMIT 1)
		) AS found ORDER BY rank LIMIT 1`

	insertSQL = `INSERT INTO authtoken_tokens (` + columns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`

	// insertWithinSQL adds and selects nothing if the owner has as many tokens as the
	// limit. A limit of NULL is none.
	insertWithinSQL = `WITH created AS (
			INSERT INTO authtoken_tokens (` + columns + `)
			SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22
			WHERE $23::bigint IS NULL
				OR (SELECT count(*) FROM (SELECT FROM authtoken_tokens WHERE "user" = $4 LIMIT $23) AS own) < $23
			RETURNING pk
		), indexed AS (
			INSERT INTO authtoken_earlier_keys (digest, pk) SELECT DISTINCT earlier, pk FROM created, unnest($24::bytea[]) AS earlier
		)
		SELECT FROM created`

	// lockOwnerSQL makes others who run it for the same owner wait until the end of the
	// transaction.
	lockOwnerSQL = `INSERT INTO authtoken_owners ("user") VALUES ($1)
		ON CONFLICT ("user") DO UPDATE SET "user" = excluded."user"`

	updateSetSQL = `UPDATE authtoken_tokens SET
		identifier = $3, intent = $4, "user" = $5, description = $6, managed = $7, expires = $8, expiring = $9,
		digest = $10, sealed = $11, retired = $12, retired_until = $13, version = version + 1, update_id = $14,
		scopes = $15, networks = $16, state = $17, metadata = $18, via = $19`

	// updateSQL is for an update that leaves the earlier keys alone, like most.
	updateSQL = updateSetSQL + ` WHERE pk = $1 AND version = $2 AND earlier IS NOT DISTINCT FROM $20`

	updateEarlierSQL = `WITH updated AS (
			` + updateSetSQL + `, earlier = $20 WHERE pk = $1 AND version = $2 RETURNING pk
		), gone AS (
			DELETE FROM authtoken_earlier_keys AS k USING updated WHERE k.pk = updated.pk AND k.digest <> ALL ($21::bytea[])
		), indexed AS (
			INSERT INTO authtoken_earlier_keys (digest, pk) SELECT DISTINCT earlier, pk FROM updated, unnest($21::bytea[]) AS earlier
			ON CONFLICT DO NOTHING
		)
		SELECT FROM updated`

	lastUpdateSQL = `SELECT version, update_id FROM authtoken_tokens WHERE pk = $1`

	deleteSQL = `DELETE FROM authtoken_tokens WHERE pk = $1 AND version = $2`

	// touchSQL first locks the rows in the order of their pk, so that two that touch
	// the same tokens can't deadlock.
	touchSQL = `WITH used AS (
			SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS used (used_pk, used_at, used_from)
		), locked AS (
			SELECT pk AS locked_pk FROM authtoken_tokens WHERE pk = ANY($1) ORDER BY pk FOR NO KEY UPDATE
		)
		UPDATE authtoken_tokens SET last_used = used_at, last_used_from = used_from
		FROM locked JOIN used ON used_pk = locked_pk
		WHERE pk = locked_pk AND (last_used IS NULL OR last_used < used_at)`
)

// statements are the SQL for tables with one prefix.
type statements struct {
	prefix store.TablePrefix

	list, count, get, byPK, byDigest, byEither, insert, insertWithin, lockOwner,
	update, updateEarlier, lastUpdate, delete, touch string

	constraints map[string]store.Field // by name, the field that is unique
}

func newStatements(p store.TablePrefix) *statements {
	list := p.In(selectSQL)
	return &statements{
		prefix:        p,
		list:          list,
		count:         p.In(`SELECT count(*) FROM authtoken_tokens`),
		get:           list + ` WHERE identifier = $1`,
		byPK:          list + ` WHERE pk = $1`,
		byDigest:      list + ` WHERE digest = $1`,
		byEither:      p.In(byEitherSQL),
		insert:        p.In(insertSQL),
		insertWithin:  p.In(insertWithinSQL),
		lockOwner:     p.In(lockOwnerSQL),
		update:        p.In(updateSQL),
		updateEarlier: p.In(updateEarlierSQL),
		lastUpdate:    p.In(lastUpdateSQL),
		delete:        p.In(deleteSQL),
		touch:         p.In(touchSQL),
		constraints: map[string]store.Field{
			p.In("authtoken_tokens_pkey"):       store.FieldPK,
			p.In("authtoken_tokens_identifier"): store.FieldIdentifier,
			p.In("authtoken_tokens_digest"):     store.FieldDigest,
			p.In("authtoken_tokens_managed"):    store.FieldManaged,
		},
	}
}

// taken returns the field whose value another record has if err says so, or "".
func (s *statements) taken(err error) store.Field {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == codeUnique {
		return s.constraints[e.ConstraintName]
	}
	return ""
}

// purge returns the statement that deletes what q selects. If skip is set it skips rows
// that others have locked, and deletes nothing if fewer than q.Limit are left.
// Otherwise it waits for the others; without a limit it locks in the order of the pk,
// as touchSQL does.
func (s *statements) purge(q *store.Query, skip bool) *statement {
	sel := *q
	if q.Limit <= 0 && q.Offset <= 0 && q.After == nil {
		sel.Order = []store.Order{{Field: store.FieldPK}}
	}
	var st statement
	st.add(s.prefix.In(`WITH doomed AS (SELECT pk AS doomed_pk FROM authtoken_tokens`))
	st.filter(&sel)
	st.page(&sel)
	st.add(` FOR UPDATE`)
	if skip {
		st.add(` SKIP LOCKED`)
	}
	st.add(s.prefix.In(`) DELETE FROM authtoken_tokens USING doomed WHERE pk = doomed_pk`))
	if skip {
		st.add(` AND (SELECT count(*) FROM doomed) = ` + st.arg(q.Limit))
	}
	st.add(` RETURNING ` + columns)
	return &st
}
