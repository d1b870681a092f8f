package sqlite

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/authtoken/authtoken/store"
)

// columns are the fields of a record, in the order of insertArgs.
const columns = commonColumns + `, scopes, networks, state, metadata, via`

// selected are the fields of a record, in the order of scanRecord. Fields that few
// records set share one value, which is NULL for all others: each column that is read
// costs a hundredth of the look-up.
const selected = commonColumns + `,
	CASE WHEN scopes = '*' AND networks = '*' AND state = 1 AND metadata IS NULL AND via IS NULL THEN NULL
		ELSE json_object('scopes', scopes, 'networks', networks, 'state', state, 'metadata', metadata, 'via', hex(via)) END`

const commonColumns = `pk, identifier, intent, user, description, managed, expires, expiring,
	digest, sealed, retired, retired_until, created, last_used, last_used_from, version, earlier`

func insertArgs(r *store.Record) []any {
	return []any{
		r.PK[:], r.Identifier, r.Intent, r.User, r.Description, text(r.Managed), micros(r.Expires), r.Expiring,
		r.Digest[:], blob(r.Sealed), digest(&r.Retired), micros(r.RetiredUntil),
		micros(r.Created), micros(r.LastUsed), r.LastUsedFrom, r.Version, keys(r.Earlier),
		r.Scopes, r.Networks, int64(r.State), text(r.Metadata), pk(&r.Via),
	}
}

func scanRecord(row interface{ Scan(...any) error }, r *store.Record) error {
	return row.Scan(
		(*pkColumn)(&r.PK), &r.Identifier, &r.Intent, &r.User, &r.Description, (*textColumn)(&r.Managed),
		(*timeColumn)(&r.Expires), &r.Expiring,
		(*digestColumn)(&r.Digest), (*blobColumn)(&r.Sealed), (*digestColumn)(&r.Retired), (*timeColumn)(&r.RetiredUntil),
		(*timeColumn)(&r.Created), (*timeColumn)(&r.LastUsed), &r.LastUsedFrom, &r.Version, (*keysColumn)(&r.Earlier),
		boundsColumn{r},
	)
}

// A field that is empty or zero for "none" is NULL in the table. These convert it for
// writing; the column types below convert it back.

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

func pk(p *store.PK) any {
	if *p == (store.PK{}) {
		return nil
	}
	return p[:]
}

func digest(d *store.Digest) any {
	if *d == (store.Digest{}) {
		return nil
	}
	return d[:]
}

func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

func keys(ks []store.EarlierKey) any {
	if len(ks) == 0 {
		return nil
	}
	return store.AppendEarlier(nil, ks)
}

type (
	pkColumn     store.PK
	digestColumn store.Digest
	blobColumn   []byte
	textColumn   string
	timeColumn   time.Time
	keysColumn   []store.EarlierKey
)

func (c *pkColumn) Scan(src any) error     { return scanBytes(c[:], src) }
func (c *digestColumn) Scan(src any) error { return scanBytes(c[:], src) }

func scanBytes(dst []byte, src any) error {
	switch src := src.(type) {
	case nil:
		clear(dst)
		return nil
	case []byte:
		if len(src) == len(dst) {
			copy(dst, src)
			return nil
		}
		return fmt.Errorf("%d bytes instead of %d", len(src), len(dst))
	}
	return fmt.Errorf("%T instead of %d bytes", src, len(dst))
}

func (c *blobColumn) Scan(src any) error {
	switch src := src.(type) {
	case nil:
		*c = nil
		return nil
	case []byte:
		*c = append([]byte(nil), src...) // src is the driver's
		return nil
	}
	return fmt.Errorf("%T instead of bytes", src)
}

func (c *textColumn) Scan(src any) error {
	switch src := src.(type) {
	case nil:
		*c = ""
		return nil
	case string:
		*c = textColumn(src)
		return nil
	}
	return fmt.Errorf("%T instead of text", src)
}

func (c *timeColumn) Scan(src any) error {
	switch src := src.(type) {
	case nil:
		*c = timeColumn{}
		return nil
	case int64:
		*c = timeColumn(time.UnixMicro(src).UTC())
		return nil
	}
	return fmt.Errorf("%T instead of microseconds", src)
}

// boundsColumn scans the last value of selected, which has five fields.
type boundsColumn struct{ r *store.Record }

func (c boundsColumn) Scan(src any) error {
	var bounds struct {
		Scopes, Networks, Metadata, Via string
		State                           store.State
	}
	switch src := src.(type) {
	case nil:
		bounds.Scopes, bounds.Networks, bounds.State = "*", "*", store.StateActive
	case string:
		if err := json.Unmarshal([]byte(src), &bounds); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%T instead of JSON", src)
	}
	c.r.Scopes, c.r.Networks, c.r.State, c.r.Metadata = bounds.Scopes, bounds.Networks, bounds.State, bounds.Metadata
	c.r.Via = store.PK{}
	_, err := hex.Decode(c.r.Via[:], []byte(bounds.Via))
	return err
}

func (c *keysColumn) Scan(src any) error {
	switch src := src.(type) {
	case nil:
		*c = nil
		return nil
	case []byte:
		ks, err := store.ParseEarlier(src)
		*c = ks
		return err
	}
	return fmt.Errorf("%T instead of keys", src)
}
