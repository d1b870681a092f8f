package postgres

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/authtoken/authtoken/store"
)

// columns are the fields of a record, in the order of insertArgs and scanRecord.
const columns = `pk, identifier, intent, "user", description, managed, expires, expiring,
	digest, sealed, retired, retired_until, created, last_used, last_used_from, version, earlier,
	scopes, networks, state, metadata, via`

func insertArgs(r *store.Record) []any {
	return []any{
		uuid(r.PK), r.Identifier, r.Intent, r.User, r.Description, text(r.Managed), instant(r.Expires), r.Expiring,
		r.Digest[:], blob(r.Sealed), digest(&r.Retired), instant(r.RetiredUntil),
		instant(r.Created), instant(r.LastUsed), r.LastUsedFrom, r.Version, keys(r.Earlier),
		r.Scopes, r.Networks, int16(r.State), text(r.Metadata), optional(r.Via),
	}
}

func scanRecord(row pgx.Row, r *store.Record) error {
	return row.Scan(
		&r.PK, &r.Identifier, &r.Intent, &r.User, &r.Description, (*textColumn)(&r.Managed),
		(*timeColumn)(&r.Expires), &r.Expiring,
		(*digestColumn)(&r.Digest), &r.Sealed, (*digestColumn)(&r.Retired), (*timeColumn)(&r.RetiredUntil),
		(*timeColumn)(&r.Created), (*timeColumn)(&r.LastUsed), &r.LastUsedFrom, &r.Version, (*keysColumn)(&r.Earlier),
		&r.Scopes, &r.Networks, (*int8)(&r.State), (*textColumn)(&r.Metadata), (*pkColumn)(&r.Via),
	)
}

// A field that is empty or zero for "none" is NULL in the table. These convert it for
// writing; the column types below convert it back.

func uuid(pk store.PK) pgtype.UUID { return pgtype.UUID{Bytes: pk, Valid: true} }

// optional returns NULL for the zero PK.
func optional(pk store.PK) pgtype.UUID { return pgtype.UUID{Bytes: pk, Valid: pk != store.PK{}} }

func text(s string) pgtype.Text { return pgtype.Text{String: s, Valid: s != ""} }

// blob returns nil, which is NULL, for empty b.
func blob(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func digest(d *store.Digest) []byte {
	if *d == (store.Digest{}) {
		return nil
	}
	return d[:]
}

func instant(t time.Time) pgtype.Timestamptz {
	if t.IsZero() {
		return pgtype.Timestamptz{}
	}
	return pgtype.Timestamptz{Time: time.UnixMicro(t.UnixMicro()).UTC(), Valid: true}
}

// keys returns nil, which is NULL, for no keys.
func keys(ks []store.EarlierKey) []byte {
	if len(ks) == 0 {
		return nil
	}
	return store.AppendEarlier(nil, ks)
}

// digests never returns nil, which would be NULL.
func digests(ks []store.EarlierKey) [][]byte {
	ds := make([][]byte, len(ks))
	for i := range ks {
		ds[i] = ks[i].Digest[:]
	}
	return ds
}

type (
	textColumn   string
	pkColumn     store.PK
	digestColumn store.Digest
	timeColumn   time.Time
	keysColumn   []store.EarlierKey
)

func (c *textColumn) ScanText(v pgtype.Text) error {
	*c = textColumn(v.String)
	return nil
}

func (c *digestColumn) ScanBytes(v []byte) error {
	if v != nil && len(v) != len(c) {
		return fmt.Errorf("%d bytes instead of %d", len(v), len(c))
	}
	clear(c[:])
	copy(c[:], v)
	return nil
}

func (c *pkColumn) ScanUUID(v pgtype.UUID) error {
	*c = pkColumn{}
	if v.Valid {
		*c = v.Bytes
	}
	return nil
}

func (c *timeColumn) ScanTimestamptz(v pgtype.Timestamptz) error {
	if v.InfinityModifier != pgtype.Finite {
		return fmt.Errorf("%v instead of a time", v.InfinityModifier)
	}
	*c = timeColumn(v.Time.UTC())
	return nil
}

func (c *keysColumn) ScanBytes(v []byte) error {
	ks, err := store.ParseEarlier(v)
	*c = ks
	return err
}
